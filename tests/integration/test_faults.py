"""Networks and servers on bad days: a proxy before a real S3 server does what they do, and takes it back again.

servers: s3_rgw
one build
"""

import os
import shlex
import shutil
import ssl
import subprocess
import time
from pathlib import Path

import pytest

import fault_proxy as fault
from basics import CALM
from churn import Churn
from fault_proxy import Proxy
from stores import S3

TICKS = os.sysconf("SC_CLK_TCK")
OWN = ("a", "b", "c", "deep/d", "deep/e")


def error(name):
    return "<?xml version=\"1.0\"?><Error><Code>%s</Code><Message>m</Message></Error>" % name


def openssl(*words):
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)


def make_certificates(home):
    """{name: (certificate, key)}: an authority, what it says of 127.0.0.1, and what nobody should believe."""
    made = {}
    for authority in ("ca", "other"):
        key, pem = home / (authority + ".key"), home / (authority + ".pem")
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", pem, "-days", "30", "-subj",
                "/CN=test " + authority)
        made[authority] = (pem, key)
    for name, authority, says, days in [("good", "ca", "IP:127.0.0.1", 30), ("foreign", "other", "IP:127.0.0.1", 30),
                                        ("wrongname", "ca", "DNS:elsewhere.example", 30), ("expired", "ca", "IP:127.0.0.1", -1)]:
        key, request, pem, extra = (home / (name + ending) for ending in (".key", ".csr", ".pem", ".ext"))
        extra.write_text("subjectAltName=%s\n" % says)
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", request, "-subj", "/CN=" + name)
        openssl("x509", "-req", "-in", request, "-CA", made[authority][0], "-CAkey", made[authority][1], "-CAcreateserial",
                "-out", pem, "-days", days, "-extfile", extra)
        made[name] = (pem, key)
    return made


def tls(pair):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair)
    return context


class Place:
    """One folder on a remote of its own behind a proxy of its own, all in one tendd."""

    def __init__(self, tendd, name, more="", **proxy):
        home = tendd.folder("homes/" + name)
        self.name = name
        self.tendd = tendd
        self.data = tendd.folder(name)
        self.store = S3("s3_rgw", home)
        self.proxy = Proxy(self.store.server, **proxy)
        self.store.endpoint = self.proxy.address
        self.more = more

    def ini(self):
        return (self.store.section(self.name, "timeout = 1s\nmax_in_flight = 8\n" + self.more) +
                "[folder %s]\npath = %s\nremote = %s:data\n%s" % (self.name, self.data, self.name, CALM))

    def fill(self):
        (self.data / "deep").mkdir(exist_ok=True)
        for path in OWN:
            (self.data / path).write_text("%s of %s\n" % (path, self.name))

    def work(self):
        """Something of each kind: 6 new files, one changed, one gone, one mode."""
        for i in range(6):
            (self.data / ("new %d" % i)).write_text("new %d\n" % i * 50)
        (self.data / "a").write_text("a, changed\n")
        (self.data / "b").unlink()
        (self.data / "c").chmod(0o600)

    def trouble(self):
        trouble = self.tendd.folder_part(self.name)["trouble"]
        return trouble["text"] if trouble else ""

    def begin(self, act):
        """An outage; None: the server is down."""
        if act:
            self.proxy.decide = lambda request: act
        else:
            self.proxy.shut()

    def end(self):
        self.proxy.decide = lambda request: None
        if not self.proxy.listener:
            self.proxy.open()

    def judge(self, excluded=()):
        self.store.judge(self.data, excluded=excluded)
        part = self.tendd.until_idle(self.name)
        assert part["refused"] == 0 and part["strangers"] == 0 and part["trouble"] is None, part


@pytest.fixture
def places(tendd):
    made = []

    def make(*names, **options):
        for name in names:
            made.append(Place(tendd, name, **options))
        return made
    yield make
    for place in made:
        place.proxy.shut()


def cpu_seconds(pid):
    fields = Path("/proc/%d/stat" % pid).read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


ALL = {  # what the proxy does: what status says
    "reset": (fault.reset, "reset by peer"),
    "stalls": (fault.stall, "no byte moved to or from '127.0.0.1:"),
    "e500": (fault.status(500, error("InternalError")), "the server had an error inside"),
    "page500": (fault.status(500, "<html>oops"), "the server had an error inside"),
    "e503": (fault.status(503, error("ServiceUnavailable")), "the server cannot answer now"),
    "slowdown": (fault.status(503, error("SlowDown"), ["Retry-After: 1"]), "too many requests"),
    "e429": (fault.status(429), "too many requests"),
    "later": (fault.status(429, "", ["Retry-After: 20"]), "too many requests"),
    "lost": (fault.lost, "reset by peer"),
    "cut": (fault.cut_head, "the connection to '127.0.0.1:"),
    "hotel": (fault.status(200, "<html>log in to our network</html>"), "does not answer as S3 does"),
    "down": (None, "connection refused"),
}
WINDOW = 5.0  # seconds of looking on while nothing can go well
TRIES = 6  # of one operation, before the folder as a whole waits


def test_outages(tendd, places):
    """Each at once, for one folder of many: it says so in plain words, asks little, needs no time, and goes on when it is over."""
    everyone = places(*ALL)
    tendd.configure("".join(place.ini() for place in everyone))
    for place in everyone:
        place.fill()
    tendd.start()
    for place in everyone:
        tendd.until_idle(place.name)
        place.proxy.forget()
        place.begin(ALL[place.name][0])
        place.work()
    for place in everyone:
        wanted = ALL[place.name][1]
        tendd.until(lambda: wanted.lower() in place.trouble().lower(), "%s: %r in status" % (place.name, wanted))
    for place in everyone:
        if place.name != "slowdown":  # which is asked slowly enough, and would take half a minute
            tendd.until(lambda: tendd.folder_part(place.name)["state"] == "failed", "%s gives its tries up" % place.name)
    counts, cpu = [place.proxy.count() for place in everyone], cpu_seconds(tendd.pid)
    time.sleep(WINDOW)
    assert cpu_seconds(tendd.pid) - cpu < 0.2 * WINDOW
    for place, before in zip(everyone, counts):
        assert place.proxy.count() - before <= 3 * WINDOW, place.name
        # 9 paths, each tried a few times, and the looks at the remote as a whole. Twice: on a kept connection that ends without a
        # byte curl asks once more by itself.
        assert place.proxy.count() <= 2 * (9 * TRIES + 5), (place.name, place.proxy.requests)
    assert tendd.tend("status").returncode == 1
    for place in everyone:
        place.end()
    assert tendd.tend("sync").returncode == 0
    for place in everyone:
        tendd.until_idle(place.name, patience=200)  # the next try of an operation may be a minute away, and they queue
        place.judge()
        # Nothing went twice: one version of what was replaced and one of what was deleted, as if nothing had been.
        assert place.store.versions("data/a") == [b"a of %s\n" % place.name.encode()]
        assert place.store.versions("data/b") == [b"b of %s\n" % place.name.encode()]
    assert "somebody else" not in tendd.said
    assert tendd.tend("status").returncode == 0


def test_cut_lists(tendd, places):
    """Trap 17: an index is lost, and every list of what the remote has ends too early, at many places and in two ways, before
    one is whole: nothing is deleted, nothing is sent again, what only the remote has stays."""
    everyone = places(*("f%d" % i for i in range(12)))
    tendd.configure("".join(place.ini() for place in everyone))
    for place in everyone:
        place.fill()
    tendd.start()
    for place in everyone:
        tendd.until_idle(place.name)
    assert tendd.stop() == 0
    shutil.rmtree(tendd.state / "folders")
    for number, place in enumerate(everyone):
        (place.data / "a").unlink()  # only the remote has it now
        (place.data / "b").write_text("other bytes\n")
        place.proxy.forget()
        place.cuts = 0

        def decide(request, place=place, number=number):
            if not request.is_list or "max-keys=1&" in request.target:
                return None
            place.cuts += 1
            return fault.cut(lambda length: (number * 7919 + place.cuts * 104729) % length, quiet=place.cuts % 2 == 0)
        place.proxy.decide = decide
    tendd.start()
    tendd.until(lambda: min(place.cuts for place in everyone) >= 7, "many cut lists")
    for place in everyone:
        assert place.proxy.count("DELETE") <= 2 and place.proxy.count() <= 60, place.proxy.requests  # probes of the remote alone
        assert not any("/data/" in request.target for request in place.proxy.requests)
        place.end()
    assert tendd.tend("sync").returncode == 0
    for place in everyone:
        part = tendd.until_idle(place.name)
        assert (part["strangers"], part["sent_files"], part["removed"]) == (1, 1, 0), part
        assert place.store.read("data/a") == b"a of %s\n" % place.name.encode()
        place.store.judge(place.data, excluded=["/a"])
    assert "takes the remote over" not in tendd.said


def test_churn_under_faults(tendd, places):
    """A fifth of all requests meets something; nothing is lost, nothing goes in twice."""
    place, = places("data")
    tendd.configure(place.ini()).start()
    tendd.until_idle("data")
    acts = [fault.reset, fault.lost, fault.lost, fault.cut_head, fault.status(500, error("InternalError")), fault.status(429),
            fault.status(503, error("SlowDown")), fault.stall]
    place.proxy.decide = fault.now_and_then(acts, 0.2, seed=17)
    churn = Churn(place.data, seed=16, directory=False)
    for _ in range(4):
        churn.work(60)
        # After tries that all met something it waits, longer each time: minutes on a busy machine.
        tendd.until(lambda: tendd.folder_part("data")["state"] == "idle" and tendd.folder_part("data")["pending"] == 0,
                    "the folder", patience=240)
    assert place.proxy.count() < 6000
    place.end()
    assert tendd.tend("wait", "data").returncode == 0
    place.judge()
    assert "somebody else" not in tendd.said
    kept = {path: bytes.fromhex(row["Hashes"]["md5"]) for path, row in place.store.listing(".tend/versions").items()
            if not path.endswith(".rclonelink")}
    assert kept and set(kept.values()) <= churn.written


def test_a_copy_that_stalls(tendd, places):
    """The server copies by itself what is kept and what is renamed, and is given time for it by size: of a small file none."""
    place, = places("data")
    place.fill()
    tendd.configure(place.ini()).start()
    tendd.until_idle("data")
    stalled = []

    def decide(request):
        if b"x-amz-copy-source:" not in request.head.lower() or len(stalled) == 2:
            return None
        stalled.append(request.target)
        return fault.stall
    place.proxy.decide = decide
    (place.data / "a").write_text("a, changed\n")
    (place.data / "b").rename(place.data / "b, renamed")
    tendd.barrier("data")
    assert len(stalled) == 2, place.proxy.requests
    place.proxy.decide = lambda request: None
    place.judge()


def test_slow_link(tendd, places):
    """Much slower than its time-out would bear if nothing moved: it moves."""
    place, = places("data", narrow=True)
    place.proxy.bytes_per_second = 100_000
    tendd.configure(place.ini()).start()
    tendd.until_idle("data")
    (place.data / "large").write_bytes(os.urandom(700_000))
    place.proxy.forget()
    tendd.barrier("data")
    assert place.proxy.count("PUT") == 1, (place.proxy.requests, tendd.said)
    place.proxy.bytes_per_second = 0
    place.judge()


BAD_CERTIFICATES = {"foreign": "is not trusted", "wrongname": "is not trusted", "expired": "expired"}


def test_tls(tendd, places):
    """A certificate that does not fit is a person's affair and said so; when it is mended the folder goes on."""
    made = make_certificates(tendd.folder("tls"))
    for name in ("good", *BAD_CERTIFICATES):
        everyone = places(name, context=tls(made[name]), more="ca_file = %s\n" % made["ca"][0])
    tendd.configure("".join(place.ini() for place in everyone)).start()
    for place in everyone:
        place.fill()
        if place.name == "good":
            tendd.until_idle("good")
        else:
            tendd.until(lambda: BAD_CERTIFICATES[place.name] in place.trouble(), "%s said" % place.name)
            assert "the TLS certificate of '127.0.0.1:%d'" % place.proxy.port in place.trouble()
            assert place.proxy.count() == 0  # nothing was asked of whom nobody knows
            assert place.proxy.connections < 20
    assert tendd.tend("status").returncode == 5
    for place in everyone:
        place.proxy.context = tls(made["good"])
    assert tendd.tend("sync").returncode == 0
    for place in everyone:
        tendd.until_idle(place.name)
        place.judge()


def test_a_name_that_does_not_resolve(tendd, places):
    """In a namespace with a hosts file of its own, which is mended afterwards."""
    place, = places("data")
    hosts, resolv = tendd.root / "hosts", tendd.root / "resolv.conf"
    hosts.write_text("127.0.0.1 localhost\n")
    resolv.write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
    place.store.endpoint = "http://cloud.example.invalid:%d" % place.proxy.port
    tendd.configure(place.ini())
    command = tendd.command()
    tendd.command = lambda: ["unshare", "-m", "sh", "-c", "mount --bind %s /etc/hosts && mount --bind %s /etc/resolv.conf && exec %s"
                             % (hosts, resolv, shlex.join(command))]
    place.fill()
    tendd.start()
    tendd.until(lambda: "cannot resolve 'cloud.example.invalid:%d': check the spelling, the network and the name server"
                % place.proxy.port in place.trouble(), "the name said")
    cpu = cpu_seconds(tendd.pid)
    time.sleep(WINDOW)
    assert cpu_seconds(tendd.pid) - cpu < 0.2 * WINDOW
    assert place.proxy.connections == 0
    with open(hosts, "a") as file:
        file.write("127.0.0.1 cloud.example.invalid\n")
    tendd.until(lambda: tendd.tend("sync").returncode == 0 and tendd.folder_part("data")["state"] == "idle", "the folder")
    place.judge()


def test_wrong_clock(tendd, places):
    """An hour off: the server refuses, status says which clock says what; with the right time all is well. Nothing is deleted."""
    place, = places("data")
    place.fill()
    tendd.configure(place.ini()).start()
    tendd.until_idle("data")
    assert tendd.stop() == 0
    clock = tendd.root / "clock"
    clock.write_text("+1h\n")
    tendd.environment.update(LD_PRELOAD=faketime_library(), FAKETIME_TIMESTAMP_FILE=str(clock), FAKETIME_NO_CACHE="1",
                             FAKETIME_DONT_FAKE_MONOTONIC="1",
                             ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0:detect_leaks=0")
    place.proxy.forget()
    place.work()
    tendd.start()
    tendd.until(lambda: "the clocks differ too much: it is " in place.trouble(), "the clocks said")
    assert "set this machine's clock" in place.trouble()
    assert place.proxy.count() < 20 and place.proxy.count("DELETE") == 0
    clock.write_text("+0\n")
    tendd.until(lambda: tendd.tend("sync").returncode == 0 and tendd.folder_part("data")["state"] == "idle", "the folder")
    place.judge()


def faketime_library():
    return next(str(path) for path in Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
