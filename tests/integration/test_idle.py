"""Where nothing happens, nothing runs: no wake-up, no request.

one build (ThreadSanitizer has a thread of its own that ticks), not quick
"""

import subprocess

from quiet import QUIET_SECONDS, traced
from stores import Directory


def test_nothing_ticks(tendd, tmp_path):
    """Once all is durable and the store's root is let go, tendd and the keeper make no system call until something happens."""
    data = tendd.folder("data")
    store = Directory(tendd.root / "remote")
    for i in range(20):
        (data / ("f%d" % i)).write_text("x\n")
    subprocess.run(
        ["sqlite3", data / "live.db", "PRAGMA journal_mode=WAL; CREATE TABLE t(a); INSERT INTO t VALUES(1);"],
        check=True, stdout=subprocess.DEVNULL)
    tendd.configure(store.folder(data) + "[service sleeper]\ncommand = sleep 100000\n").start()
    tendd.barrier("data")
    (data / "f1").write_text("changed\n")
    tendd.barrier("data")
    tendd.until_state("service:sleeper", "ready")

    with traced(tendd, tmp_path / "calls") as trace:
        trace.until_quiet()
        # And it was the tracer that saw nothing, not tendd that slept for good.
        (data / "f2").write_text("changed\n")
        tendd.barrier("data")
        assert trace.silence() < QUIET_SECONDS
