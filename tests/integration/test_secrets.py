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
from test_auth import Scene, agree, end, page_of
from test_services import service

LARGE = 9 << 20  # in parts
WRONG = "d3JvbmcsIGFuZCBub2JvZHkncyBrZXk="  # a key of an account is base64
ENVIRONMENT = "an-AWS/secret+of+the-environment"
SESSION = "an-AWS/session+token+of+the-environment"
# Its key is the environment's; what is there says but what it was told.
BESIDE = """[remote beside]
type = s3
bucket = nobody
region = us-east-1
endpoint = %s
[folder beside]
path = %s
remote = beside:
"""


class Case:
    """A remote, the files of its secrets, and what opens a door there."""

    def __init__(self, store, files, secrets):
        self.store, self.files, self.secrets = store, files, set(secrets)  # files: what is wrong, by its path
        self.proxy = None
        self.codes = (302, 400, 403, 409, 500)
        self.withdraw = self.allow = lambda: None  # at the server


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


def private_key():
    return subprocess.run(["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"], check=True,
                          capture_output=True, text=True).stdout


def lines_of(key):
    return {line for line in key.splitlines() if "KEY" not in line and len(line) > 40}


@contextlib.contextmanager
def drive_account(home):
    """By a service account that acts for the user: what signs is a private key, what is sent a JWT."""
    key, wrong = private_key(), private_key()
    public = subprocess.run(["openssl", "pkey", "-pubout"], input=key, check=True, capture_output=True, text=True).stdout
    with Ground(home, tls=True) as ground, Proxy(ground.server.address) as proxy:
        ground.server.add_service_account("robot@example.iam", public, may_be=[ground.server.user])
        place = home / "robot.json"
        texts = [json.dumps({"type": "service_account", "client_email": "robot@example.iam", "private_key": one, "private_key_id": "k1",
                             "token_uri": ground.server.address + "/token"}) for one in (key, wrong)]
        store = Drive(home, ground)
        store.section = lambda name="cloud", more="": (
            "[remote %s]\ntype = gdrive\nendpoint = %s\nscope = drive\nservice_account_file = %s\nimpersonate = %s\n%s" % (
                name, proxy.address, place, ground.server.user, more))
        write_secrets({place: texts[0]})
        case = Case(store, {place: texts[1]}, lines_of(key) | lines_of(wrong))
        case.proxy, case.codes = proxy, (400, 403)  # the rest is that of "drive"
        login, users = ground.server.oauth, ground.server.oauth.accounts["robot@example.iam"]["may_be"]
        case.withdraw, case.allow = lambda: (users.clear(), login.access.clear()), lambda: users.add(ground.server.user)
        yield case


@contextlib.contextmanager
def sftp(home):
    store = Sftp("tend")
    key = Path(store.configuration).with_name("id")
    yield Case(store, {}, lines_of(key.read_text()))


CASES = {"s3": s3, "azure-key": lambda home: azure(home, False), "azure-sas": lambda home: azure(home, True),
         "webdav-basic": lambda home: webdav(home, False), "webdav-digest": lambda home: webdav(home, True), "drive": drive,
         "drive-account": drive_account, "sftp": sftp}


@pytest.fixture(params=sorted(CASES))
def case(request, tmp_path):
    with CASES[request.param](tmp_path) as made:
        yield made


@pytest.fixture
def tendd():
    """With a key in its environment, as containers get it."""
    with Tendd(environment={"AWS_ACCESS_KEY_ID": "BESIDE", "AWS_SECRET_ACCESS_KEY": ENVIRONMENT,
                             "AWS_SESSION_TOKEN": SESSION}) as daemon:
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

    def judge(self, secrets, sessions):
        """Where an upload stands is kept in the index, whose file is nobody else's; and nowhere else."""
        wrong = []
        for where, blob in [*self.said.items(), *self.files()]:
            index = where.startswith(str(self.tendd.root)) and os.stat(where).st_mode & 0o077 == 0 and ".db" in Path(where).name
            wrong += ["%s has %r" % (where, secret) for secret in found_in(blob, secrets)]
            wrong += ["%s has the upload %r" % (where, name) for name in sessions if not index and name.encode() in blob]
        assert not wrong, "\n".join(wrong)


def opens_doors(request):
    """What a request carries that lets its sender in."""
    head, body = request.head.decode("latin-1"), request.body[:2000].decode("latin-1")
    for line in re.findall(r"(?i)\r\nauthorization: ([^\r]*)", head):
        yield from re.findall(r"(?:Basic |Bearer |SharedKey \w+:|Signature=|response=\")([^\", \r]+)", line)
    yield from map(unquote, re.findall(r"[?&]sig=([^&\s]+)", head))
    yield from re.findall(r"(?i)\r\nx-amz-security-token: ([^\r]*)", head)
    if "/token" in request.target:
        words = r"(?:^|&)(?:client_secret|refresh_token|code|code_verifier|device_code|assertion)=([^&]+)"
        for word in map(unquote_plus, re.findall(words, body)):
            yield from word.split(".") if word.startswith("eyJ") else [word]  # of a JWT any part


def sessions_of(request):
    """The names of uploads that have begun: who has one can go on with it."""
    return map(unquote, re.findall(r"[?&](?:upload_id|uploadId)=([^&\s]+)", request.head.decode("latin-1").split("\r\n", 1)[0]))


def doors_of(proxy):
    return {word for request in proxy.requests for word in opens_doors(request)} - {jwt_head()}


def jwt_head():
    """The part of a JWT that says how it is signed."""
    return base64.urlsafe_b64encode(b'{"alg":"RS256","typ":"JWT","kid":"k1"}').decode().rstrip("=")


def echo(store, code):
    """The server's refusal, in the words of its kind, says what it was told."""
    def act(link, request):
        told = " ".join(["odd", *opens_doors(request), *sessions_of(request)])
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


def write_secrets(texts):
    for path, text in texts.items():
        path.write_text(text + "\n")
        path.chmod(0o600)


def refuse_session(tendd, case, data):
    """A large file whose upload has begun is refused in the middle, in words that name it."""
    refused = []

    def decide(request):
        if not any(sessions_of(request)) or not request.body:
            return None
        refused.append(request)
        return echo(case.store, 400)
    case.proxy.decide = decide
    (data / "large").write_bytes(os.urandom(LARGE))
    tendd.until(lambda: refused and (tendd.folder_part("data")["refused"] or tendd.folder_part("data")["trouble"]), "the refusal of a part")
    case.proxy.decide = lambda request: None


@pytest.fixture
def beside():
    with Proxy("http://127.0.0.1:1") as proxy:
        yield proxy


def test_no_secret_is_written_or_shown(tendd, case, beside):
    data = tendd.folder("data")
    (data / "large").write_bytes(os.urandom(LARGE))
    (data / "small").write_text("small\n")
    beside.decide = lambda request: echo(None, 403)
    config = case.store.folder(data, more=QUICK) + BESIDE % (beside.address, tendd.folder("beside")) + service("sleeper", "sleep 1000")
    tendd.configure(config, tend="log_level = debug\n").start()
    harvest = Harvest(tendd)
    tendd.barrier("data")
    harvest.take("well")
    sessions = {word for request in case.proxy.requests for word in sessions_of(request)} if case.proxy else set()
    if sessions:
        refuse_session(tendd, case, data)
        harvest.take("refused in the middle")

    right = {path: path.read_text().strip() for path in case.files}
    write_secrets(case.files)
    case.withdraw()
    if not case.files:
        tendd.configure(config.replace("host = tend\n", "host = tend-stranger\n"), tend="log_level = debug\n")
    (data / "small").write_text("refused\n")
    assert tendd.reload().status == 200
    tendd.until(lambda: tendd.folder_part("data")["trouble"], "the refusal")
    harvest.take("refused")

    if case.proxy:
        write_secrets(right)
        case.allow()
        for code in case.codes:
            case.proxy.decide = answered_by(case.store, code)
            assert tendd.reload().status == 200
            harvest.take("%d" % code)
        case.proxy.shut()
        harvest.take("nobody there")
        case.secrets |= doors_of(case.proxy)
        sessions = {word for request in case.proxy.requests for word in sessions_of(request)}
    tendd.stop(signal.SIGQUIT)
    assert SESSION in doors_of(beside)
    harvest.judge(case.secrets | doors_of(beside) | {WRONG, ENVIRONMENT, SESSION}, sessions)


# ---- signing in ----

def test_signing_in_shows_no_secret(tmp_path):
    """By the browser, by a code, with a token made elsewhere, well and refused in words that repeat it: what is printed opens no door."""
    said = []
    with Ground(tmp_path) as ground, Proxy(ground.server.address) as proxy:
        scene = Scene(tmp_path, ground)
        scene.ini.write_text(scene.ini.read_text().replace(ground.server.address, proxy.address))
        ground.server.oauth.interval = 1
        store = Drive(tmp_path, ground)
        for code in (None, 400, 403):
            proxy.decide = lambda request, code=code: echo(store, code) if code and "/token" in request.target else None
            process = scene.begin("auth", "drive", "--no-browser")
            back = agree(page_of(process))
            said.append(end(process, "nonsense\n" + back + "\n"))
            assert (process.returncode == 0) == (code is None), said
            process = scene.begin("auth", "drive", "--device")
            until(lambda: ground.server.oauth.devices, "the question for a code")
            for device in ground.server.oauth.devices.values():
                device["state"] = ground.server.user
            said.append(end(process))
            assert (process.returncode == 0) == (code is None), said
            ground.server.oauth.devices.clear()
        pasted = {"access_token": "ya29.of-somebody", "refresh_token": "1//a-lasting-token-of-somebody"}
        said.append(scene.run("auth", "drive", "--paste", typed="{\"access_token\": \"ya29.of-somebody\"}\n", wanted=2))
        said.append(scene.run("auth", "drive", "--paste", typed=json.dumps(pasted) + "\n", wanted=5))
        tokens = {word for word in [*ground.server.oauth.access, *ground.server.oauth.refresh]}
        secrets = doors_of(proxy) | tokens | set(pasted.values()) | {ground.secret}
        assert any("code=" in request.body.decode("latin-1") for request in proxy.requests) and len(secrets) > 6, secrets
    assert not found_in("".join(said).encode(), secrets), said
    for path in tmp_path.rglob("*"):
        if path.is_file() and path not in (scene.token, scene.secret, store.secret, store.token):
            assert not found_in(path.read_bytes(), secrets), path


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
