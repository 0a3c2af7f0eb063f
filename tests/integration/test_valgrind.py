"""The release build under valgrind: no invalid read, and at its end no memory, descriptor or child is left.

servers: s3_rgw sftp_sshd
one build
"""

import os
import re
import signal
import sqlite3
from pathlib import Path

import pytest

from stores import S3, Directory, Sftp, assert_same
from tend import is_alive
from test_services import service

RELEASE = Path(__file__).resolve().parents[2] / "build/release/bin"
PATIENCE = 300.0  # it is twenty times as slow


@pytest.fixture
def watched(tendd):
    """tendd under valgrind; afterwards, how it ended is judged."""
    assert (RELEASE / "tendd").exists(), "build for release first: cmake --preset release && ninja -C build/release"
    log = tendd.root / "valgrind"
    tendd.command = lambda: ["valgrind", "-q", "--leak-check=full", "--show-leak-kinds=definite,indirect,possible",
                             "--errors-for-leak-kinds=definite,indirect,possible", "--track-fds=yes", "--error-exitcode=88",
                             "--log-file=%s" % log, str(RELEASE / "tendd"), "-c", str(tendd.ini)]

    def judge(signum=signal.SIGTERM):
        code = tendd.stop(signum, patience=PATIENCE)
        said = log.read_text()
        assert code == 0, said
        summary = re.search(r"FILE DESCRIPTORS: (\d+) open(?: \((\d+) std\))? at exit", said)
        assert summary, said
        # What it was born with: 0, 1, 2, and valgrind's own log.
        assert int(summary[1]) - int(summary[2] or 0) <= said.count("<inherited from parent>"), said
    return judge


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGQUIT])
def test_nothing_is_left(tendd, watched, signum):
    store = Directory(tendd.root / "remote")
    data = tendd.folder("data")
    ini = store.folder(data, more="settle = 50ms\n") + service("talk", "while :; do echo tick; sleep 0.1; done")
    ini += ("[step run]\nrun = echo x; exit 1\n[step file]\nfile = %s/step\ncontent = x\n[step fetch]\n"
            "download = http://127.0.0.1:9/x\nto = %s/fetched\n" % ((tendd.root,) * 2))
    tendd.configure(ini)
    for i in range(50):
        (data / ("file %d" % i)).write_text("%d\n" % i)
    tendd.start()
    tendd.until_state("service:talk", "ready")
    pid = tendd.service_part("talk")["pid"]
    tendd.until_state("step:file", "ready")
    assert tendd.tend("plan").returncode == 0 and tendd.tend("run", "file").returncode == 0
    assert tendd.tend("logs", "step:run").returncode == 0
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
    watched(signum)
    assert is_alive(pid) == (signum == signal.SIGQUIT)
    assert_same(data, store.at("data"))


@pytest.mark.parametrize("kind", ["s3_rgw", "sftp_sshd"])
def test_large_files_and_databases(tendd, watched, kind):
    """Parts side by side, an image of a living database, what is kept, and its way back."""
    store = Sftp("tend") if kind == "sftp_sshd" else S3(kind, tendd.root)
    data = tendd.folder("data")
    (data / "large").write_bytes(os.urandom(1 << 20) * 41)
    database = sqlite3.connect(data / "chat.db", isolation_level=None)
    database.execute("pragma journal_mode=wal")
    database.execute("create table message(text)")
    for i in range(20):
        (data / ("file %d" % i)).write_text("%d\n" % i)
    tendd.configure(store.folder(data)).start(wait=False)
    tendd.until(tendd.answers, "an answer of tendd", patience=PATIENCE)
    tendd.barrier("data", patience=PATIENCE)
    database.execute("insert into message values('kept')")
    with open(data / "large", "r+b") as file:
        file.write(b"changed")
    (data / "file 3").rename(data / "three")
    (data / "file 4").unlink()
    tendd.barrier("data", patience=PATIENCE)
    assert tendd.tend("verify", "data", timeout=PATIENCE).returncode == 0
    assert tendd.tend("versions", "data", "chat.db", timeout=PATIENCE).returncode == 0
    (data / "large").unlink()
    body = {"paths": ["large", "chat.db"], "overwrite": True, "wait": True}
    answer = tendd.post("/v1/units/folder:data/restore", body, timeout=PATIENCE)
    assert answer.status == 200 and answer["failed"] == [], answer
    database.close()
    tendd.barrier("data", patience=PATIENCE)
    (data / "large").write_bytes(os.urandom(1 << 20) * 30)  # and a stop in the middle of one
    tendd.until(lambda: tendd.folder_part("data")["pending"] > 0, "it is on its way", patience=PATIENCE)
    watched()
