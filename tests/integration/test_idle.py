"""Where nothing happens, nothing runs: no wake-up, no request.

one build (ThreadSanitizer has a thread of its own that ticks), not quick
"""

import subprocess
import time

from stores import Directory
from tend import until

QUIET_SECONDS = 10


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

    calls = tmp_path / "calls"
    tracer = subprocess.Popen(
        ["strace", "-f", "-tt", "-o", calls, "-p", str(tendd.pid), "-p", str(tendd.keeper_pid())],
        stderr=subprocess.DEVNULL)
    try:
        until(lambda: calls.exists() and calls.stat().st_size, "the tracer")

        def is_quiet():
            """Each thread waits in a call that began before; the file grows when one does anything."""
            return time.time() - calls.stat().st_mtime > QUIET_SECONDS

        until(is_quiet, "%d s without a call" % QUIET_SECONDS, say=lambda: calls.read_text()[-4000:])
        # And it was the tracer that saw nothing, not tendd that slept for good.
        (data / "f2").write_text("changed\n")
        tendd.barrier("data")
        assert time.time() - calls.stat().st_mtime < QUIET_SECONDS
    finally:
        tracer.terminate()
        tracer.wait()
