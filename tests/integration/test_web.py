"""The TCP side: who is let in and who is not, for each reason; its token; reload of its keys; metrics."""

import re
import socket
import subprocess
import time

import pytest

from control import sync_ini
from tend import PATIENCE, bin_folder
from web import Web, free_port

SERVICE = "[service clock]\ncommand = sleep 1000\nnetwork = no\n"


@pytest.fixture
def web(tendd):
    return Web(tendd, SERVICE).start()


def status(answer):
    return answer[0]


def kind(answer):
    return answer[0], answer[2]["error"]["text"]


def test_token_file(tendd, web):
    """Made at the first start for nobody else; the log and the status never name it."""
    path = tendd.state / "web_token"
    assert path.stat().st_mode & 0o777 == 0o600 and re.fullmatch("[0-9a-f]{64}", web.token)
    token = web.token
    web.login()
    web.ask("POST", "/v1/login", {"token": token + "x"})
    assert tendd.get("/v1/status")["web"] == {"url": "http://%s/" % web.host, "trouble": None}
    assert token not in tendd.said and web.cookie.split("=")[1] not in tendd.said
    tendd.stop()
    web.cookie = None
    web.start()
    assert web.token == token


def test_page_is_for_everybody_and_nothing_else(web):
    code, headers, body = web.ask("GET", "/")
    assert code == 200 and headers["Content-Type"].startswith("text/html") and b"<title>tend" in body
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff" and headers["Referrer-Policy"] == "no-referrer"
    for path in ("/v1/status", "/v1/units", "/v1/events", "/v1/units/service:clock/log", "/v1/history", "/metrics"):
        code, headers, body = web.ask("GET", path)
        assert (code, body["error"]["text"]) == (401, "log in first")
        assert headers["X-Content-Type-Options"] == "nosniff" and headers["Cache-Control"] == "no-store"
    assert status(web.ask("POST", "/v1/units/service:clock/stop")) == 401
    assert status(web.ask("GET", "/..%2f..%2fetc/passwd")) == 401
    assert status(web.bearer("GET", "/no/such/thing")) == 404


def test_login(web):
    cookie = web.login()
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie and "Path=/v1" in cookie and "Max-Age=" in cookie
    assert web.ask("GET", "/v1/status")[2]["state"] == "running"
    code, _, body = web.ask("POST", "/v1/units/service:clock/stop", {"wait": True})
    assert code == 200 and body["unit"]["state"] == "down"
    other = web.cookie
    assert status(web.ask("POST", "/v1/logout")) == 200
    assert status(web.ask("GET", "/v1/status", Cookie=other)) == 401
    assert status(web.ask("GET", "/v1/status", Cookie=other.split("=")[0] + "=")) == 401


def test_bearer(web):
    assert status(web.bearer("GET", "/v1/status")) == 200
    # A program has no origin.
    assert status(web.bearer("POST", "/v1/units/service:clock/restart", Origin=None)) == 200
    assert web.ask("GET", "/v1/status", Authorization="Bearer nonsense")[0] == 401
    assert web.ask("GET", "/v1/status", Authorization="Bearer")[0] == 401


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8390", "127.0.0.1.evil.example", "10.0.0.1", "", None,
                                  "localhost@evil.example", "[::1"])
def test_other_hosts(web, host):
    """DNS rebinding: a name that points here is not ours."""
    assert kind(web.bearer("GET", "/v1/status", Host=host)) == (421, "this name is not ours")
    assert status(web.ask("GET", "/", Host=host)) == 421
    assert status(web.ask("POST", "/v1/login", {"token": web.token}, Host=host, Origin=None)) == 421


def test_own_hosts(web):
    for host in ("localhost", "localhost:9999", "127.0.0.1", "[::1]:80", "LOCALHOST:1"):
        assert status(web.bearer("GET", "/v1/status", Host=host)) == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1", "http://localhost:8888", "file://"])
def test_other_origins(web, origin):
    web.login()
    for path in ("/v1/units/service:clock/stop", "/v1/stop", "/v1/login"):
        assert kind(web.ask("POST", path, {"token": web.token}, Origin=origin)) == (403, "another page asks")
    assert status(web.bearer("POST", "/v1/reload", Origin=origin)) == 403
    assert web.ask("GET", "/v1/units/service:clock")[2]["unit"]["wanted"]


def test_other_pages(web):
    """What browsers do without asking: forms, pages of other ports, requests without an origin."""
    web.login()
    assert kind(web.ask("POST", "/v1/stop", Origin=None)) == (403, "another page asks")
    for site in ("cross-site", "same-site"):
        assert status(web.ask("GET", "/v1/status", Sec_Fetch_Site=site)) == 403
        assert status(web.ask("POST", "/v1/stop", Sec_Fetch_Site=site)) == 403
        assert status(web.ask("GET", "/", Sec_Fetch_Site=site)) == 200
    assert status(web.ask("GET", "/v1/status", Sec_Fetch_Site="same-origin")) == 200
    for kind_of in ("application/x-www-form-urlencoded", "text/plain", "application/jsonx", None):
        assert kind(web.ask("POST", "/v1/stop", Content_Type=kind_of)) == (415, "the body must be JSON")
    assert status(web.ask("GET", "/v1/status")) == 200


def test_wrong_tokens_are_slowed_down(web):
    codes = [status(web.ask("POST", "/v1/login", {"token": "x" * n})) for n in range(12)]
    assert codes[0] == 401 and 429 in codes
    code, headers, body = web.ask("POST", "/v1/login", {"token": web.token})
    assert code == 429 and int(headers["Retry-After"]) >= 1 and body["error"]["text"] == "too many wrong tokens"
    # The owner's way in stays open.
    link = web.tendd.post("/v1/web/login")
    assert status(web.ask("POST", "/v1/login", {"code": link["code"]})) == 200
    assert status(web.bearer("GET", "/v1/status")) == 200
    for body in ({}, {"token": 5}, {"token": None}, {"token": ""}, {"code": ""}, {"token": [web.token]}):
        assert status(web.ask("POST", "/v1/login", body)) in (401, 429)


def test_link_works_once(web):
    link = web.tendd.post("/v1/web/login")
    assert link["url"] == "http://%s/" % web.host
    assert web.tendd.post("/v1/web/login", {"code": link["code"]})["waits"]
    assert status(web.ask("POST", "/v1/login", {"code": link["code"]})) == 200
    assert not web.tendd.post("/v1/web/login", {"code": link["code"]})["waits"]
    assert web.ask("POST", "/v1/login", {"code": link["code"]})[2]["error"]["text"].startswith("this link was used")


def test_sessions_are_bounded(web):
    cookies = []
    for _ in range(20):
        web.cookie = None
        web.login()
        cookies.append(web.cookie)
    good = [cookie for cookie in cookies if status(web.ask("GET", "/v1/status", Cookie=cookie)) == 200]
    assert good == cookies[-16:]


def test_slow_requests_are_ended(web):
    """A byte now and then keeps no connection."""
    with socket.create_connection(("127.0.0.1", web.port)) as slow, \
            socket.create_connection(("127.0.0.1", web.port)) as silent:
        slow.sendall(b"GET /v1/status HTTP/1.1\r\n")
        slow.settimeout(0.2)
        end = time.monotonic() + PATIENCE
        while True:
            assert time.monotonic() < end
            try:
                slow.sendall(b"X")
                if not slow.recv(1000):
                    break
            except TimeoutError:
                continue
            except OSError:
                break
        silent.settimeout(PATIENCE)
        assert silent.recv(1) == b""
    assert web.answers()


def test_too_many_connections(web):
    held = [socket.create_connection(("127.0.0.1", web.port)) for _ in range(80)]
    try:
        assert web.tendd.get("/v1/status").status == 200  # the command's own way is another one
    finally:
        for connection in held:
            connection.close()
    web.tendd.until(web.answers, "an answer after the flood")


def test_readers_that_stall_are_bounded(tendd, web):
    """Each follows the events and reads nothing: the others, and the command, are served all the same."""
    head = "GET /v1/events HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n\r\n" % (web.host, web.token)
    held = [socket.create_connection(("127.0.0.1", web.port)) for _ in range(55)]
    try:
        for connection in held:
            connection.sendall(head.encode())
            connection.settimeout(PATIENCE)
        firsts = [connection.recv(12).decode() for connection in held]
        assert firsts.count("HTTP/1.1 200") == 48 and firsts.count("HTTP/1.1 503") == 7
        assert status(web.bearer("GET", "/v1/status")) == 200 and tendd.tend("status").returncode == 0
        for _ in range(20):
            assert status(web.bearer("POST", "/v1/units/service:clock/restart", {"wait": True})) == 200
    finally:
        for connection in held:
            connection.close()
    tendd.until(lambda: b"tend_event_readers 0\n" in web.bearer("GET", "/metrics")[2], "the readers' end")


def test_orders_name_the_web(web):
    assert status(web.bearer("POST", "/v1/units/service:clock/restart")) == 200
    events = web.bearer("GET", "/v1/history")[2]["events"]
    assert any(event["text"] == "restart by the web" for event in events)


def test_reload(tendd, web):
    """Each key holds at once; what cannot be opened is said, and tried again."""
    pid = tendd.service_part("clock")["pid"]
    old = web.port
    web.login()
    web.port = free_port()
    web.host = "127.0.0.1:%d" % web.port
    tendd.configure(SERVICE, tend="web = %s\n" % web.host)
    assert tendd.reload()["changes"] == ["tend live (web)"]
    tendd.until(web.answers, "the new port")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", old))
    assert status(web.ask("GET", "/v1/status")) == 401  # a login is the old one's

    token = tendd.root / "token"
    tendd.configure(SERVICE, tend="web = %s\nweb_token_file = %s\n" % (web.host, token))
    token.write_text("t" * 40 + "\n")
    token.chmod(0o640)
    answer = tendd.reload()
    assert answer.status == 422 and "can be read by others" in answer["error"]["text"]
    token.chmod(0o600)
    assert tendd.reload()["changes"] == ["tend live (web_token_file)"]
    tendd.until(lambda: status(web.ask("GET", "/v1/status", Authorization="Bearer " + "t" * 40)) == 200, "the new token")
    assert status(web.bearer("GET", "/v1/status")) == 401

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        tendd.configure(SERVICE, tend="web = 127.0.0.1:%d\n" % port)
        assert tendd.reload().status == 200
        part = tendd.until(lambda: (tendd.get("/v1/status")["web"] or {}).get("trouble"), "the trouble")
        assert "cannot listen on '127.0.0.1:%d'" % port in part
    web.port, web.host = port, "127.0.0.1:%d" % port
    tendd.until(web.answers, "another try")

    tendd.configure(SERVICE)
    assert tendd.reload().status == 200
    tendd.until(lambda: tendd.get("/v1/status")["web"] is None, "its end")
    tendd.until(lambda: socket.socket().connect_ex(("127.0.0.1", port)) != 0, "a closed port")
    assert tendd.service_part("clock")["pid"] == pid


def test_reload_over_it(tendd, web):
    """Who turns it off over it hears the answer first."""
    tendd.configure(SERVICE)
    code, _, body = web.bearer("POST", "/v1/reload")
    assert (code, body["changes"]) == (200, ["tend live (web)"])


def test_allow_remote(tendd):
    port = free_port()
    tendd.configure(SERVICE, tend="web = 0.0.0.0:%d\n" % port)
    got = tendd.run_to_end("--check")
    assert got.returncode == 2 and "can be reached from outside" in got.stderr
    web = Web(tendd)
    web.port, web.host = port, "127.0.0.1:%d" % port
    tendd.configure(SERVICE, tend="web = 0.0.0.0:%d\nweb_allow_remote = yes\n" % port)
    web.start()
    assert status(web.bearer("GET", "/v1/status", Host="10.1.2.3:%d" % port)) == 200
    assert status(web.bearer("GET", "/v1/status", Host="evil.example")) == 421
    assert tendd.get("/v1/status")["web"]["url"] == "http://127.0.0.1:%d/" % port


def test_bad_tokens_stop_the_start(tendd):
    web = Web(tendd)
    tendd.state.mkdir()
    for text, mode, why in (("x" * 40, 0o644, "can be read by others"), ("short", 0o600, "less than 32 characters")):
        path = tendd.state / "web_token"
        path.write_text(text)
        path.chmod(mode)
        got = tendd.run_to_end()
        assert got.returncode == 2 and why in got.stderr, got
    assert web.cookie is None


LINK = re.compile(r"(http://\S+/)#login=([0-9a-f]{64})")


def test_ui_prints_the_link(tendd, web):
    """Where there is no browser; the link logs in."""
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "TERM_PROGRAM"):
        tendd.environment.pop(name, None)
    got = tendd.tend("ui")
    url, code = LINK.search(got.stdout).groups()
    assert got.returncode == 0 and url == "http://%s/" % web.host
    assert "ssh -N -L %d:127.0.0.1:%d " % (web.port, web.port) in got.stdout
    assert status(web.ask("POST", "/v1/login", {"code": code})) == 200


def test_ui_opens_a_browser(tendd, web):
    """The browser gets a file that nobody else can read: its arguments can be read by all."""
    programs = tendd.folder("programs")
    opened, seen = tendd.root / "opened", tendd.root / "seen"
    (programs / "xdg-open").write_text("#!/bin/sh\nf=${1#file://}\nstat -c %%a \"$f\" >%s\ncat \"$f\" >>%s\nprintf '%%s' \"$1\" >%s.new\n"
                                       "mv %s.new %s\n" % (seen, seen, opened, opened, opened))
    (programs / "xdg-open").chmod(0o755)
    tendd.environment.update(DISPLAY=":9", PATH="%s:%s" % (programs, tendd.environment["PATH"]), XDG_RUNTIME_DIR=str(tendd.root))
    with subprocess.Popen([str(bin_folder() / "tend"), "-c", str(tendd.ini), "ui"], env=tendd.environment, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, text=True) as process:
        address = tendd.until(opened.exists, "a browser") and opened.read_text()
        assert address.startswith("file://%s/tend-ui-" % tendd.root) and "login" not in address
        mode, page = seen.read_text().split("\n", 1)
        assert mode == "600"
        assert status(web.ask("POST", "/v1/login", {"code": LINK.search(page).group(2)})) == 200
        assert "the dashboard opens in your browser: http://%s/" % web.host in process.communicate(timeout=PATIENCE)[0]
    assert process.returncode == 0 and list(tendd.root.glob("tend-ui-*")) == []


def test_ui_where_it_is_off(tendd):
    tendd.configure(SERVICE).start()
    got = tendd.tend("ui")
    assert got.returncode == 2 and "the dashboard is off: write web = 127.0.0.1:8390 into [tend]" in got.stderr, got


def test_metrics(tendd):
    """In the eyes of promtool, and true."""
    web = Web(tendd, SERVICE + "[step look]\nrun = true\n" + sync_ini(tendd)).start()
    (tendd.root / "data" / "a").write_text("x" * 1000)
    tendd.barrier("data")
    tendd.until_state("service:clock", "ready")
    tendd.until_idle("data")
    code, headers, body = web.bearer("GET", "/metrics")
    assert code == 200 and headers["Content-Type"].startswith("text/plain; version=0.0.4")
    lines = body.decode().splitlines()
    assert 'tend_folder_sent_bytes_total{folder="data"} 1000' in lines
    assert 'tend_folder_pending_files{folder="data"} 0' in lines
    assert 'tend_unit_ready{unit="service:clock",kind="service"} 1' in lines
    tendd.until(lambda: tendd.service_part("clock")["memory_bytes"], "its memory")
    body = web.bearer("GET", "/metrics")[2]
    used = dict(re.findall(r'^(tend_service_(?:memory_bytes|cpu_seconds_total))\{service="clock"\} (\S+)$', body.decode(), re.M))
    assert 100000 < int(used["tend_service_memory_bytes"]) < 100 << 20 and float(used["tend_service_cpu_seconds_total"]) < 5
    assert 'tend_step_tries{step="look"} ' in body.decode() and "tend_config_good 1" in lines
    got = subprocess.run(["promtool", "check", "metrics"], input=body, capture_output=True, timeout=PATIENCE, check=False)
    assert (got.returncode, got.stdout, got.stderr) == (0, b"", b"")


def test_alert_rules(tendd):
    """They are good, and ask for metrics that there are."""
    from pathlib import Path
    rules = Path(__file__).parents[2] / "conf" / "tend.rules.yml"
    got = subprocess.run(["promtool", "check", "rules", str(rules)], capture_output=True, text=True, timeout=PATIENCE,
                         check=False)
    assert got.returncode == 0 and "SUCCESS" in got.stdout, got
    web = Web(tendd, SERVICE + sync_ini(tendd)).start()
    told = web.bearer("GET", "/metrics")[2].decode()
    wanted = set(re.findall(r"\btend_\w+", " ".join(re.findall("expr: (.*)", rules.read_text()))))
    assert wanted and all("\n%s{" % name in told or "\n%s " % name in told for name in wanted), wanted
