"""The release build under valgrind: no invalid read, and at its end no memory, descriptor or child is left.

one build
"""

import os
import re
import signal
from pathlib import Path

import pytest

from stores import Directory, assert_same
from tend import is_alive
from test_services import service

RELEASE = Path(__file__).resolve().parents[2] / "build/release/bin"


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGQUIT])
def test_nothing_is_left(tendd, signum):
    assert (RELEASE / "tendd").exists(), "build for release first: cmake --preset release && ninja -C build/release"
    store = Directory(tendd.root / "remote")
    data = tendd.folder("data")
    log = tendd.root / "valgrind"
    ini = store.folder(data, more="settle = 50ms\n") + service("talk", "while :; do echo tick; sleep 0.1; done")
    tendd.configure(ini)
    tendd.command = lambda: ["valgrind", "-q", "--leak-check=full", "--show-leak-kinds=definite,indirect,possible",
                             "--errors-for-leak-kinds=definite,indirect,possible", "--track-fds=yes", "--error-exitcode=88",
                             "--log-file=%s" % log, str(RELEASE / "tendd"), "-c", str(tendd.ini)]
    for i in range(50):
        (data / ("file %d" % i)).write_text("%d\n" % i)
    tendd.start()
    tendd.until_state("service:talk", "ready")
    pid = tendd.service_part("talk")["pid"]
    (data / "deep/er").mkdir(parents=True)
    (data / "deep/er/file").write_bytes(os.urandom(100_000))
    (data / "file 3").unlink()
    (data / "file 4").rename(data / "four")
    assert tendd.tend("wait", "data").returncode == 0
    tendd.configure(ini + service("more", "sleep 1000"))
    assert tendd.tend("reload").returncode == 0
    assert tendd.tend("status").returncode in (0, 1)
    assert tendd.tend("logs", "talk").returncode == 0
    tendd.until_state("service:more", "ready")
    code = tendd.stop(signum)
    said = log.read_text()
    assert code == 0, said
    summary = re.search(r"FILE DESCRIPTORS: (\d+) open(?: \((\d+) std\))? at exit", said)
    assert summary, said
    # What it was born with: 0, 1, 2, and valgrind's own log.
    assert int(summary[1]) - int(summary[2] or 0) <= said.count("<inherited from parent>"), said
    assert is_alive(pid) == (signum == signal.SIGQUIT)
    assert_same(data, store.at("data"))
