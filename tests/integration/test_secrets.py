"""No secret is found in anything that a run writes or shows: the log at its most talkative, the state, what the command says, errors,
the arguments and environments of processes, and a core dump. Each kind of remote goes well, is refused, is told its own words by the
server, and finds nobody.

servers: s3_rgw azure_azurite dav_apache sftp_sshd
"""

import base64
import contextlib
import hashlib
import json
import os
import re
import resource
import signal
import subprocess
from pathlib import Path
from urllib.parse import quote, quote_plus, unquote, unquote_plus

import pytest

from basics import QUICK
from drive_ground import Drive, Ground
from fault_proxy import Proxy, stall, status
from stores import S3, Azure, Sftp, WebDav
from tend import Tendd, bin_folder, until
from test_services import service

LARGE = 9 << 20  # in parts
WRONG = "d3JvbmcsIGFuZCBub2JvZHkncyBrZXk="  # a key of an account is base64
ENVIRONMENT = "an-AWS/secret+of+the-environment"
# Its key is the environment's; nobody is there.
BESIDE = """[remote beside]
type = s3
bucket = nobody
region = us-east-1
endpoint = http://127.0.0.1:1
[folder beside]
path = %s
remote = beside:
"""


class Case:
    """A remote, the files of its secrets, and what opens a door there."""

    def __init__(self, store, files, secrets):
        self.store, self.files, self.secrets = store, files, set(secrets)  # files: what is wrong, by its path
        self.proxy = None


def disguises(secret):
    """The secret as it may be written: as it is, in an address or a form, in JSON, and in base64 at any place of a longer text."""
    raw = secret.encode()
    yield raw
    yield from (word.encode() for word in {quote(secret), quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1]})
    for before in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            text = encode(b"x" * before + raw)
            yield text[-(-before * 8 // 6):len(text) // 4 * 4 - 4]  # without what depends on the neighbours


def found_in(blob, secrets):
    return sorted({secret for secret in secrets for text in disguises(secret) if len(text) >= 8 and text in blob})


# ---- the remotes ----

def proxied(store, attribute):
    address = getattr(store, attribute)
    server = "/".join(address.split("/")[:3])
    proxy = Proxy(server)
    setattr(store, attribute, address.replace(server, proxy.address))
    return proxy


@contextlib.contextmanager
def s3(home):
    store = S3("s3_rgw", home)
    case = Case(store, {store.secret_path: WRONG}, {store.secret})
    with proxied(store, "endpoint") as case.proxy:
        yield case


@contextlib.contextmanager
def azure(home, by_sas):
    store = Azure("azure_azurite", home)
    secrets = {store.key}
    if by_sas:
        store.by_sas(days=30)
        sas = store.secret_path.read_text().strip()
        secrets |= {sas, unquote(re.search("sig=([^&]+)", sas).group(1))}
    wrong = "sv=2021-08-06&se=2037-01-01&sig=" + quote(WRONG, safe="") if by_sas else WRONG
    case = Case(store, {store.secret_path: wrong}, secrets)
    with proxied(store, "endpoint") as case.proxy:
        yield case


@contextlib.contextmanager
def webdav(home, digest):
    store = WebDav("dav_apache", home)
    secrets = {store.secret}
    if digest:
        base, _, key = store.url.rpartition("/")
        store.url = base.replace("/basic", "/digest") + "/" + key
        store.env["RCLONE_WEBDAV_URL"] = store.url
        subprocess.run(["curl", "-sf", "--digest", "-u", store.user + ":" + store.secret, "-X", "MKCOL", store.url], check=True)
        secrets.add(hashlib.md5((store.user + ":bench:" + store.secret).encode()).hexdigest())
    case = Case(store, {store.secret_path: WRONG}, secrets)
    with proxied(store, "url") as case.proxy:
        yield case


@contextlib.contextmanager
def drive(home):
    with Ground(home, tls=True) as ground:
        store = Drive(home, ground)
        refresh = json.dumps({"refresh_token": WRONG})
        case = Case(store, {store.secret: WRONG, store.token: refresh}, {ground.secret, ground.token["refresh_token"]})
        with Proxy(ground.server.address) as case.proxy:
            section = store.section
            store.section = lambda name="cloud", more="": section(name, more).replace(ground.server.address, case.proxy.address)
            yield case


@contextlib.contextmanager
def sftp(home):
    store = Sftp("tend")
    key = Path(store.configuration).with_name("id")
    yield Case(store, {}, [line for line in key.read_text().splitlines() if "KEY" not in line and len(line) > 40])


CASES = {"s3": s3, "azure-key": lambda home: azure(home, False), "azure-sas": lambda home: azure(home, True),
         "webdav-basic": lambda home: webdav(home, False), "webdav-digest": lambda home: webdav(home, True), "drive": drive,
         "sftp": sftp}


@pytest.fixture(params=sorted(CASES))
def case(request, tmp_path):
    with CASES[request.param](tmp_path) as made:
        yield made


@pytest.fixture
def tendd():
    """With a key in its environment, as containers get it."""
    with Tendd(environment={"AWS_ACCESS_KEY_ID": "BESIDE", "AWS_SECRET_ACCESS_KEY": ENVIRONMENT}) as daemon:
        yield daemon


# ---- what is written and shown ----

def family(pid):
    """All processes below this one."""
    found = []
    for task in Path("/proc/%d/task" % pid).iterdir():
        for child in map(int, (task / "children").read_text().split()):
            found += [child, *family(child)]
    return found


class Harvest:
    def __init__(self, tendd):
        self.tendd = tendd
        self.said = {}

    def take(self, when):
        """What the command says now, and what can be seen of processes."""
        for words in (["status"], ["status", "data"], ["--json", "status"], ["--json", "status", "data"], ["history"],
                      ["--json", "history"], ["remote", "check", "cloud"], ["--json", "remote", "check", "cloud"],
                      ["remote", "ls", "cloud"], ["sync", "--dry-run", "data"]):
            ended = self.tendd.tend(*words)
            self.said["%s: tend %s" % (when, " ".join(words))] = (ended.stdout + ended.stderr).encode()
        pids = family(self.tendd.pid)
        for pid in [self.tendd.pid, *pids, *self.tendd.keepers()]:
            # What tendd was started with is not its own to hide.
            for name in ("cmdline", "environ") if pid != self.tendd.pid else ("cmdline",):
                with contextlib.suppress(OSError):
                    self.said["%s: /proc/%d/%s" % (when, pid, name)] = Path("/proc/%d/%s" % (pid, name)).read_bytes()
        self.tendd.send_signal(signal.SIGUSR2)  # the whole status, into the log too

    def files(self):
        for path in self.tendd.root.rglob("*"):
            if path.is_file() and self.tendd.root / "data" not in path.parents:
                yield str(path), path.read_bytes()

    def judge(self, secrets):
        wrong = []
        for where, blob in [*self.said.items(), *self.files()]:
            wrong += ["%s has %r" % (where, secret) for secret in found_in(blob, secrets)]
        assert not wrong, "\n".join(wrong)


def opens_doors(request):
    """What a request carries that lets its sender in."""
    head, body = request.head.decode("latin-1"), request.body[:2000].decode("latin-1")
    for line in re.findall(r"(?i)\r\nauthorization: ([^\r]*)", head):
        yield from re.findall(r"(?:Basic |Bearer |SharedKey \w+:|Signature=|response=\")([^\", \r]+)", line)
    yield from map(unquote, re.findall(r"[?&]sig=([^&\s]+)", head))
    if "/token" in request.target:
        yield from map(unquote_plus, re.findall(r"(?:client_secret|refresh_token)=([^&]+)", body))


def echo(store, code):
    """The server's refusal, in the words of its kind, says what it was told."""
    def act(link, request):
        told = " ".join(["odd", *opens_doors(request)])
        headers = ["x-ms-request-id: 1", "x-ms-error-code: %s" % told, "Location: http://elsewhere.invalid/?" + told]
        if "/token" in request.target:
            text = json.dumps({"error": "odd", "error_description": told})
        elif isinstance(store, Drive):
            text = json.dumps({"error": {"code": code, "message": told, "errors": [{"reason": "odd", "message": told}]}})
        else:
            text = "<Error><Code>Odd</Code><Message>%s</Message></Error>" % told
        return status(code, text, headers)(link, request)
    return act


def answered_by(store, code):
    """Those requests that carry something; of Drive's in turn the calls, and the token that is asked for before."""
    act = echo(store, code)

    def decide(request):
        if not any(opens_doors(request)):
            return None
        return act if not isinstance(store, Drive) or ("/token" in request.target) == (code in (403, 500)) else None
    return decide


def write_secrets(case, texts):
    for path, text in texts.items():
        path.write_text(text + "\n")
        path.chmod(0o600)


def test_no_secret_is_written_or_shown(tendd, case):
    data = tendd.folder("data")
    (data / "large").write_bytes(os.urandom(LARGE))
    (data / "small").write_text("small\n")
    config = case.store.folder(data, more=QUICK) + BESIDE % tendd.folder("beside") + service("sleeper", "sleep 1000")
    tendd.configure(config, tend="log_level = debug\n").start()
    harvest = Harvest(tendd)
    tendd.barrier("data")
    harvest.take("well")

    right = {path: path.read_text().strip() for path in case.files}
    write_secrets(case, case.files)
    if not case.files:
        tendd.configure(config.replace("host = tend\n", "host = tend-stranger\n"), tend="log_level = debug\n")
    (data / "small").write_text("refused\n")
    assert tendd.reload().status == 200
    tendd.until(lambda: tendd.folder_part("data")["trouble"], "the refusal")
    harvest.take("refused")

    if case.proxy:
        write_secrets(case, right)
        for code in (302, 400, 403, 409, 500):
            case.proxy.decide = answered_by(case.store, code)
            assert tendd.reload().status == 200
            harvest.take("%d" % code)
        case.proxy.shut()
        harvest.take("nobody there")
        case.secrets.update(secret for request in case.proxy.requests for secret in opens_doors(request))
    tendd.stop(signal.SIGQUIT)
    harvest.judge(case.secrets | {WRONG, ENVIRONMENT})


# ---- core dumps ----

def dumps(command, folder, ready):
    """Is there a core after an abort? Limits and sanitizers allow it."""
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    allow = ":disable_coredump=0:handle_abort=0"
    options = {name: os.environ.get(name, "") + allow for name in ("ASAN_OPTIONS", "TSAN_OPTIONS")}
    folder.mkdir()
    with open(folder / "said", "wb") as said:
        process = subprocess.Popen(command, cwd=folder, env={**os.environ, **options}, stdin=subprocess.DEVNULL, stdout=said,
                                   stderr=said, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (hard, hard)))
    try:
        until(lambda: process.poll() is not None or ready(), "the moment to end it", say=(folder / "said").read_text)
        process.send_signal(signal.SIGABRT)
        ended = os.waitpid(process.pid, 0)[1]
        process.returncode = -os.WTERMSIG(ended)
        assert process.returncode == -signal.SIGABRT, (folder / "said").read_text()
        return os.WCOREDUMP(ended)
    finally:
        if process.returncode is None:
            process.kill()
            process.wait()


def test_no_core_is_dumped(tendd, tmp_path):
    """Neither of the daemon nor of a command that speaks to a remote itself; where any other program leaves one."""
    assert dumps(["/bin/sleep", "1000"], tmp_path / "other", lambda: True), "this machine dumps no cores: nothing can be seen"
    (tmp_path / "secrets").mkdir()
    with s3(tmp_path / "secrets") as case:
        tendd.configure(case.store.folder(tendd.folder("data")))
        assert not dumps(tendd.command(), tmp_path / "tendd", lambda: tendd.get("/v1/status").status == 200)
        case.proxy.forget()
        case.proxy.decide = lambda request: stall
        command = [str(bin_folder() / "tend"), "-c", str(tendd.ini), "remote", "check", "cloud"]
        assert not dumps(command, tmp_path / "tend", lambda: case.proxy.requests)
