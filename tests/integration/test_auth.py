"""Signing in to Google Drive: by the browser, by a device code, with a token made elsewhere, with a service account; and what is said
when Google takes it back."""

import json
import os
import re
import stat
import subprocess
import urllib.error
import urllib.parse
import urllib.request

import pytest
from drive_ground import Ground
from tend import until

TEND = os.path.join(os.environ["TEND_BIN"], "tend")


class Scene:
    def __init__(self, folder, ground):
        self.folder, self.ground = folder, ground
        self.ini, self.token, self.secret = folder / "tend.ini", folder / "kept/token", folder / "google.json"
        self.secret.write_text(json.dumps({"installed": {"client_id": ground.client, "client_secret": ground.secret}}))
        self.secret.chmod(0o600)
        self.write()

    def write(self, more="", login=None):
        login = login or "client_secret_file = %s\ntoken_file = %s\n" % (self.secret, self.token)
        self.ini.write_text("[tend]\nstate_dir = %s/state\nruntime_dir = %s/run\n[remote drive]\ntype = gdrive\nendpoint = %s\n%s%s" % (
            self.folder, self.folder, self.ground.server.address, login, more))

    def words(self, *words):
        return [TEND, "-c", self.ini, *words]

    def run(self, *words, typed="", wanted=0):
        ended = subprocess.run(self.words(*words), input=typed, capture_output=True, text=True, timeout=60, check=False)
        assert ended.returncode == wanted, ended.stdout + ended.stderr
        return ended.stdout + ended.stderr

    def begin(self, *words, **environment):
        return subprocess.Popen(self.words(*words), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                env={**os.environ, **environment} if environment else None)

    def kept(self):
        assert stat.S_IMODE(os.stat(self.token).st_mode) == 0o600
        assert sorted(os.listdir(self.token.parent)) == ["token"]
        return json.loads(self.token.read_text())


@pytest.fixture(name="scene")
def _scene(tmp_path):
    with Ground(tmp_path) as ground:
        yield Scene(tmp_path, ground)


def end(process, typed=""):
    """All that it said since, and its end. (communicate() would leave out what was read ahead.)"""
    try:
        process.stdin.write(typed)
        process.stdin.close()
    except BrokenPipeError:
        pass
    said = process.stdout.read()
    process.wait(timeout=60)
    return said


class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


def page_of(process):
    """The address that tend asks the person to open."""
    for line in process.stdout:
        if line.strip().startswith("http"):
            return line.strip()
    raise AssertionError("no page")


def agree(page):
    """What the browser does: the address that Google sends it to."""
    try:
        urllib.request.build_opener(Stay).open(page)
    except urllib.error.HTTPError as answer:
        return answer.headers["Location"]
    raise AssertionError("not sent on")


def visit(address):
    with urllib.request.urlopen(address) as answer:
        return answer.read().decode()


def test_by_browser(scene):
    process = scene.begin("auth", "drive", "--no-browser")
    page = page_of(process)
    asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(page).query))
    assert asked["code_challenge_method"] == "S256" and asked["access_type"] == "offline"
    assert asked["scope"] == "https://www.googleapis.com/auth/drive.file"
    back = agree(page)
    # Somebody else's answer is none.
    base = back.partition("?")[0]
    assert "not what tend asked for" in visit(base + "?code=4%2Fevil&state=guessed")
    assert "Nothing here" in visit(base + "favicon.ico")
    assert "let in" in visit(back)
    said = end(process)
    assert process.returncode == 0, said
    assert re.search(r"ssh -N -L \d+:127\.0\.0\.1:\d+ ", said)
    kept = scene.kept()
    assert scene.ground.server.oauth.refresh[kept["refresh_token"]].scope == asked["scope"]
    assert kept["refresh_token"] not in said and scene.ground.secret not in said
    assert "drive" in scene.run("remote", "check", "drive")


def desktop(folder):
    """A browser that writes down what it is to open, and what to set for it."""
    programs, opened = folder / "programs", folder / "opened"
    programs.mkdir()
    (programs / "xdg-open").write_text("#!/bin/sh\nprintf '%%s\\n' \"$#\" \"$1\" >'%s.new' && mv '%s.new' '%s'\n" % ((opened,) * 3))
    (programs / "xdg-open").chmod(0o755)
    return opened, {"PATH": "%s:%s" % (programs, os.environ["PATH"]), "DISPLAY": "", "WAYLAND_DISPLAY": "", "TERM_PROGRAM": ""}


@pytest.mark.parametrize("screen", ["DISPLAY", "WAYLAND_DISPLAY"])
def test_the_browser_is_opened(scene, screen):
    opened, environment = desktop(scene.folder)
    process = scene.begin("auth", "drive", **{**environment, screen: ":7"})
    page = page_of(process)
    until(opened.exists, "the browser")
    assert opened.read_text() == "1\n%s\n" % page
    assert "let in" in visit(agree(page))
    said = end(process)
    assert process.returncode == 0 and "ssh -N" not in said, said
    assert scene.kept()["refresh_token"]


def test_without_a_screen_none_is_opened(scene):
    opened, environment = desktop(scene.folder)
    process = scene.begin("auth", "drive", **environment)
    assert "let in" in visit(agree(page_of(process)))
    said = end(process)
    assert process.returncode == 0 and re.search(r"ssh -N -L (\d+):127\.0\.0\.1:\1 ", said), said
    assert not opened.exists()


def test_the_address_is_pasted(scene):
    process = scene.begin("auth", "drive", "--no-browser")
    back = agree(page_of(process))
    said = end(process, "nonsense\n" + back + "\n")
    assert process.returncode == 0 and "not what tend asked for" in said, said
    assert scene.kept()["refresh_token"]


def test_no_is_said(scene):
    process = scene.begin("auth", "drive", "--no-browser")
    page = page_of(process)
    asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(page).query))
    visit(asked["redirect_uri"] + "?error=access_denied&state=" + asked["state"])
    said = end(process)
    assert process.returncode == 5 and "you said no" in said, said
    assert not scene.token.exists()


def test_device(scene):
    scene.ground.server.oauth.interval = 1
    process = scene.begin("auth", "drive", "--device")
    code = None
    for line in process.stdout:
        code = code or re.match(r"\s+(\S{4}-\S{4})$", line)
        if code:
            break
    device = next(iter(scene.ground.server.oauth.devices.values()))
    assert device["user_code"] == code.group(1)
    device["interval"] = 3  # one slow_down
    while device["asked"] == 0:
        pass
    device["interval"] = 1
    device["state"] = scene.ground.server.user
    said = end(process)
    assert process.returncode == 0, said
    assert scene.kept()["refresh_token"]


@pytest.mark.parametrize("state, says", [("denied", "you said no"), ("expired", "the code is too old: run tend auth drive again")])
def test_a_device_is_not_let_in(scene, state, says):
    scene.ground.server.oauth.interval = 1
    process = scene.begin("auth", "drive", "--device")
    until(lambda: scene.ground.server.oauth.devices, "the question for a code")
    device, = scene.ground.server.oauth.devices.values()
    device["state"] = state
    said = end(process)
    assert process.returncode == 5 and says in said and device["user_code"] in said, said
    assert not scene.token.exists()


def test_device_gives_no_more_than_its_own(scene):
    scene.write("scope = drive\n")
    assert "`scope = drive.file` only" in scene.run("auth", "drive", "--device", wanted=5)


def test_paste(scene):
    rclones = {"access_token": "ya29.old", "token_type": "Bearer", "expiry": "2020-01-01T00:00:00.123456789+01:00",
               "refresh_token": scene.ground.token["refresh_token"]}
    said = scene.run("auth", "drive", "--paste", typed="Paste the following --->\n%s\n<---End paste\n" % json.dumps(rclones))
    assert "signed in" in said
    assert scene.kept()["refresh_token"] == rclones["refresh_token"]
    assert "take all from { to }" in scene.run("auth", "drive", "--paste", typed="ya29.only\n", wanted=2)
    assert scene.kept()["refresh_token"] == rclones["refresh_token"]


def test_not_signed_in_and_withdrawn(scene):
    assert "run tend auth drive" in scene.run("remote", "check", "drive", wanted=5)
    scene.run("auth", "drive", "--paste", typed=json.dumps(scene.ground.token))
    scene.ground.server.oauth.access.clear()
    scene.ground.server.oauth.refresh.clear()
    said = scene.run("remote", "check", "drive", wanted=5)
    assert "withdrawn the token: run tend auth drive" in said and "\"Testing\": publish it" in said, said


def test_a_wrong_client_is_told(scene):
    scene.run("auth", "drive", "--paste", typed=json.dumps(scene.ground.token))
    scene.secret.write_text("wrong\n")
    scene.write(login="client_id = %s\nclient_secret_file = %s\ntoken_file = %s\n" % (scene.ground.client, scene.secret, scene.token))
    kept = scene.kept()
    kept["expiry"] = "2020-01-01T00:00:00.000Z"
    scene.token.write_text(json.dumps(kept))
    assert "correct `client_id` and `client_secret_file`" in scene.run("remote", "check", "drive", wanted=5)


def account(scene, **more):
    key = subprocess.run(["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"], check=True,
                         capture_output=True, text=True).stdout
    public = subprocess.run(["openssl", "pkey", "-pubout"], input=key, check=True, capture_output=True, text=True).stdout
    scene.ground.server.add_service_account("robot@example.iam", public, **more)
    place = scene.folder / "robot.json"
    place.write_text(json.dumps({"type": "service_account", "client_email": "robot@example.iam", "private_key": key,
                                 "private_key_id": "k1", "token_uri": scene.ground.server.address + "/token"}))
    place.chmod(0o600)
    return "service_account_file = %s\n" % place


def test_service_account(scene):
    login = account(scene, may_be=[scene.ground.server.user])
    scene.write(login=login)
    assert "no storage of its own" in scene.run("remote", "check", "drive", wanted=1)
    assert "nobody has to sign in" in scene.run("auth", "drive", wanted=2)
    scene.ground.server.drive.add_shared_drive("Team", ["robot@example.iam"])
    scene.write("shared_drive = Nowhere\n", login)
    assert "no shared drive 'Nowhere'" in scene.run("remote", "check", "drive", wanted=2)
    scene.write("shared_drive = Team\nfolder = backups\n", login)
    scene.run("remote", "check", "drive")
    scene.write("impersonate = %s\n" % scene.ground.server.user, login)
    scene.run("remote", "check", "drive")
    scene.write("impersonate = boss@example.org\n", login)
    assert "may not act for 'boss@example.org'" in scene.run("remote", "check", "drive", wanted=5)
