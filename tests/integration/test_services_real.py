"""Jupyter and glances as people run them: Debian's packages, one line each in the ini; killed, they come back."""

import os
import signal
import socket
import urllib.error
import urllib.request

from tend import until


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def answers(url):
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status == 200
    except urllib.error.HTTPError as error:
        return error.code in (200, 302, 403)


def check(tendd, name, url):
    tendd.until_state("service:" + name, "ready")
    tendd.until(lambda: answers(url), "an answer of " + name, patience=180)
    pid = tendd.service_part(name)["pid"]
    os.kill(pid, signal.SIGKILL)
    tendd.until(lambda: tendd.service_part(name)["pid"] not in (None, pid), "another pid of " + name)
    tendd.until(lambda: answers(url), "another answer of " + name, patience=180)
    assert tendd.service_part(name)["exit"]["class"] == "signal"
    # A crash of tendd is no business of theirs.
    pid = tendd.service_part(name)["pid"]
    tendd.kill()
    tendd.start()
    assert tendd.service_part(name)["pid"] == pid
    assert answers(url)
    assert tendd.stop() == 0
    until(lambda: not listens(url), "a free port")


def listens(url):
    port = int(url.split(":")[2].split("/")[0])
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def test_jupyter(tendd):
    port = free_port()
    notebooks = tendd.folder("notebooks")
    root = " --allow-root" if os.geteuid() == 0 else ""
    tendd.configure("[service jupyter]\nnetwork = no\n"
                    "command = jupyter notebook --no-browser --ip=127.0.0.1 --port=%d --port-retries=0 --NotebookApp.token=''"
                    " --notebook-dir=%s%s\nenvironment = HOME=%s\nready = http://127.0.0.1:%d/api\n"
                    % (port, notebooks, root, tendd.root, port)).start()
    tendd.until_state("service:jupyter", "ready")
    assert answers("http://127.0.0.1:%d/api" % port)  # at once
    check(tendd, "jupyter", "http://127.0.0.1:%d/api" % port)
    assert "Serving notebooks" in (tendd.logs / "jupyter.log").read_text() \
        or "Jupyter Notebook" in (tendd.logs / "jupyter.log").read_text()


def test_glances(tendd):
    port = free_port()
    tendd.configure("[service glances]\nnetwork = no\ncommand = glances -w -B 127.0.0.1 -p %d\n"
                    "environment = HOME=%s\n" % (port, tendd.root)).start()
    check(tendd, "glances", "http://127.0.0.1:%d/api/3/uptime" % port)
