"""tend init and tend edit: how a person without a configuration gets one that works, and changes it."""

import json
import os
import pty
import select
import stat
import subprocess
import time

import pytest

from tend import bin_folder, until

ROOT = os.geteuid() == 0


class Typing:
    """A command on a terminal, with a person at it."""

    def __init__(self, place, *words, **environment):
        self.said = ""
        self.leader, follower = pty.openpty()
        self.process = subprocess.Popen([str(bin_folder() / "tend"), "-c", str(place / "tend.ini"), *words],
                                        stdin=follower, stdout=follower, stderr=follower, start_new_session=True,
                                        env=dict(os.environ, HOME=str(place), **environment))
        os.close(follower)

    def read(self, seconds):
        if not select.select([self.leader], [], [], seconds)[0]:
            return False
        try:
            piece = os.read(self.leader, 4096)
        except OSError:  # EIO: nobody has the other side any more
            return False
        self.said += piece.decode().replace("\r\n", "\n")
        return bool(piece)

    def until(self, words):
        end = time.monotonic() + 60
        while words not in self.said:
            assert time.monotonic() < end, (words, self.said)
            self.read(0.2)

    def answer(self, question, text):
        self.until(question)
        os.write(self.leader, (text + "\n").encode())

    def end(self):
        while self.read(60):
            pass
        os.close(self.leader)
        return self.process.wait(60)


def tend(place, *words, answers=None, **environment):
    return subprocess.run([str(bin_folder() / "tend"), "-c", str(place / "tend.ini"), *words],
                          input=answers or "", capture_output=True, text=True, timeout=60,
                          env=dict(os.environ, HOME=str(place), **environment))


def is_good(place):
    got = subprocess.run([str(bin_folder() / "tendd"), "--check", "-c", str(place / "tend.ini")], capture_output=True,
                         text=True, timeout=60, env=dict(os.environ, HOME=str(place)))
    assert got.returncode == 0, got.stderr
    return (place / "tend.ini").read_text()


def left_beside(place):
    return [path for path in place.iterdir() if path.name.startswith(".tend.ini")]


# ---- init ----


def test_three_answers_on_a_terminal(tmp_path):
    typing = Typing(tmp_path, "init")
    typing.answer("Which folder is to be in the cloud? [~/Documents] ", "~/My Photos")
    typing.answer("Where to? ", "s3")
    typing.answer("write s3:BUCKET\n", "sftp:me@box.example.org:backup/photos")
    typing.answer("kept running? Enter: none [none] ", "sleep 1000")
    assert typing.end() == 0, typing.said
    text = is_good(tmp_path)
    assert "[folder my-photos]\npath = ~/My Photos\nremote = cloud:my-photos\n" in text
    assert "type = sftp\nhost = box.example.org\nuser = me\npath = backup/photos\n" in text
    assert "[service sleep]\ncommand = sleep 1000\n" in text
    assert "ssh-copy-id" in typing.said and "tend doctor" in typing.said
    assert stat.S_IMODE((tmp_path / "tend.ini").stat().st_mode) == (0o644 if ROOT else 0o600)
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700
    assert left_beside(tmp_path) == []


@pytest.mark.parametrize("where, expected", [
    ("directory:/srv/disk", "type = directory\npath = /srv/disk\n"),
    ("s3:photos", "type = s3\nbucket = photos\n"),
    ("gdrive", "type = gdrive\nclient_secret_file = {}/secrets/google.json\n"),
    ("webdav:https://me@cloud.example.org/dav", "url = https://cloud.example.org/dav\nuser = me\npassword_file = {}/secrets/webdav\n"),
    ("azure:account/box", "account = account\ncontainer = box\nkey_file = {}/secrets/azure\n")])
def test_each_kind_of_cloud_by_a_pipe(tmp_path, where, expected):
    got = tend(tmp_path, "init", answers="/srv/data\n%s\n\n" % where)
    assert got.returncode == 0, got.stderr
    text = is_good(tmp_path)
    assert expected.format(tmp_path) in text
    assert "[folder data]\npath = /srv/data\n" in text and "[service" not in text


@pytest.mark.parametrize("answers, cause", [
    ("", "there was no answer"), ("~/x\n", "there was no answer"), ("~/x\nftp:host\n\n", "none of directory, s3"),
    ("~/x\nsftp:host\n\n", "sftp:USER@HOST:PATH"), ("~/x\nazure:account\n\n", "azure:ACCOUNT/CONTAINER"),
    ("~/x\nwebdav:cloud\n\n", "webdav:https://"), ("~/x\ndirectory:disk\n\n", "directory:/mnt/disk"),
    ("x\ns3:b\n\n", "that would not do: ")])
def test_answers_that_make_no_configuration(tmp_path, answers, cause):
    got = tend(tmp_path, "init", answers=answers)
    assert got.returncode == 2 and cause in got.stderr, got.stderr
    assert not (tmp_path / "tend.ini").exists() and left_beside(tmp_path) == []


def test_the_defaults_work(tendd):
    got = tend(tendd.root, "init", "--yes")
    assert got.returncode == 0, got.stderr
    (tendd.root / "Documents").mkdir()
    (tendd.root / "Documents" / "letter").write_text("dear\n")
    with tendd.ini.open("a") as file:
        file.write("[tend]\nstate_dir = %s\nruntime_dir = %s\nlog_dir = %s\n" % (tendd.state, tendd.run, tendd.logs))
    tendd.environment["HOME"] = str(tendd.root)
    tendd.start()
    tendd.until_idle("documents")
    assert (tendd.root / "tend-cloud" / "documents" / "letter").read_text() == "dear\n"
    # A second time it is somebody's work.
    before = tendd.ini.read_bytes()
    got = tend(tendd.root, "init", "--yes")
    assert got.returncode == 2 and "is there already" in got.stderr and "tend edit" in got.stderr
    assert tendd.ini.read_bytes() == before


def test_a_bucket_whose_key_comes_later(tendd):
    """What init writes of a bucket starts, and says what is missing: also where there is no HOME, as below systemd."""
    assert tend(tendd.root, "init", answers="%s\ns3:bucket\nsleep 1000\n" % tendd.folder("data")).returncode == 0
    written = tendd.ini.read_text().replace("\n; endpoint = https://s3.example.org", "\nendpoint = http://127.0.0.1:1")
    tendd.configure(written)
    for name in [name for name in tendd.environment if name == "HOME" or name.startswith("AWS_")]:
        del tendd.environment[name]
    tendd.environment["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = "http://127.0.0.1:1"
    tendd.start()
    trouble = tendd.until(lambda: tendd.folder_part("data")["trouble"], "a trouble")
    assert trouble["text"].startswith("no credentials: set `access_key_id`"), trouble
    assert "no role of this machine answers" in trouble["text"]
    tendd.until_state("service:sleep", "ready")


def test_comments_alone_stay_above(tmp_path):
    (tmp_path / "tend.ini").write_text("; what a package brings\n\n# and more\n")
    (tmp_path / "tend.ini").chmod(0o640)
    assert tend(tmp_path, "init", "--yes").returncode == 0
    text = is_good(tmp_path)
    assert text.startswith("; what a package brings\n\n# and more\n\n; Made by 'tend init'")
    assert stat.S_IMODE((tmp_path / "tend.ini").stat().st_mode) == 0o640


def test_its_folders_are_made(tmp_path):
    got = subprocess.run([str(bin_folder() / "tend"), "--user", "init", "--yes"], capture_output=True, text=True, timeout=60,
                         env=dict(os.environ, HOME=str(tmp_path), XDG_CONFIG_HOME=str(tmp_path / "a" / "b"),
                                  XDG_RUNTIME_DIR=str(tmp_path)))
    assert got.returncode == 0, got.stderr
    assert (tmp_path / "a" / "b" / "tend" / "tend.ini").exists()


# ---- edit ----


@pytest.fixture
def place(tmp_path):
    assert tend(tmp_path, "init", answers="~/Documents\n\nsleep 1000\n").returncode == 0
    (tmp_path / "tend.ini").chmod(0o640)
    return tmp_path


def editor(place, *versions):
    """An editor that makes these of what is there, one a call: sed's words."""
    program = place / "editor"
    cases = "".join("%d) sed -i '%s' \"$2\" ;;\n" % (i + 1, words) for i, words in enumerate(versions))
    program.write_text("#!/bin/sh\necho x >>'%s/calls'\n[ \"$1\" = --wait ] || exit 9\ncase $(wc -l <'%s/calls') in\n%sesac\n"
                       % (place, place, cases))
    program.chmod(0o755)
    return "%s --wait" % program


def test_a_good_edit_takes_its_place(place):
    inode = (place / "tend.ini").stat().st_ino
    got = tend(place, "edit", VISUAL=editor(place, "s/sleep 1000/sleep 2000/"), EDITOR="false")
    assert got.returncode == 0 and "when it is started" in got.stdout, got.stderr
    assert "command = sleep 2000\n" in is_good(place)
    assert (place / "tend.ini").stat().st_ino != inode  # beside and renamed, never written in place
    assert stat.S_IMODE((place / "tend.ini").stat().st_mode) == 0o640
    assert left_beside(place) == []


def test_a_bad_edit_is_offered_again(place):
    typing = Typing(place, "edit", EDITOR=editor(place, "s/^command/comand/", "s/^comand/command/;s/1000/3000/"), VISUAL="")
    line = (place / "tend.ini").read_text().splitlines().index("command = sleep 1000") + 1
    typing.answer("edit it again? [Y/n] ", "")
    assert typing.end() == 0, typing.said
    assert "tend: %s/tend.ini:%d: unknown key 'comand'" % (place, line) in typing.said
    assert "command = sleep 3000\n" in is_good(place)
    assert left_beside(place) == []


@pytest.mark.parametrize("terminal", [True, False])
def test_a_bad_edit_is_kept_beside(place, terminal):
    before = (place / "tend.ini").read_bytes()
    words = editor(place, "s/^command/comand/")
    if terminal:
        typing = Typing(place, "edit", EDITOR=words, VISUAL="")
        typing.answer("edit it again? [Y/n] ", "n")
        code, said = typing.end(), typing.said
    else:
        got = tend(place, "edit", EDITOR=words, VISUAL="")
        code, said = got.returncode, got.stderr
    assert code == 2, said
    assert (place / "tend.ini").read_bytes() == before
    kept = left_beside(place)
    assert len(kept) == 1 and "comand = sleep" in kept[0].read_text()
    assert "what you wrote is kept in '%s'" % kept[0] in said


def look(place):
    """Is it the same file, unwritten? Reading it is no harm."""
    stat = (place / "tend.ini").stat()
    return stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


def test_nothing_changed_and_editors_that_fail(place):
    before = look(place)
    got = tend(place, "edit", EDITOR="true", VISUAL="")
    assert (got.returncode, got.stdout) == (0, "nothing was changed\n")
    got = tend(place, "edit", EDITOR="false", VISUAL="")
    assert got.returncode == 1 and "did not end well" in got.stderr
    assert look(place) == before and left_beside(place) == []
    (place / "tend.ini").unlink()
    got = tend(place, "edit", EDITOR="true", VISUAL="")
    assert got.returncode == 2


def test_another_hand_is_not_overwritten(place):
    other = place / "other"
    other.write_text("#!/bin/sh\necho '; theirs' >>'%s/tend.ini'\necho '; ours' >>\"$1\"\n" % place)
    other.chmod(0o755)
    got = tend(place, "edit", EDITOR=str(other), VISUAL="")
    assert got.returncode == 1 and "changed by somebody else meanwhile" in got.stderr
    assert (place / "tend.ini").read_text().endswith("; theirs\n")
    assert left_beside(place)[0].read_text().endswith("; ours\n")


def test_an_edit_is_reloaded(tendd):
    tendd.configure("[service one]\ncommand = sleep 1000\ndirectory = /\n").start()
    tendd.until_state("service:one", "ready")
    # A link leads to the file: that one is replaced.
    real = tendd.root / "real.ini"
    tendd.ini.rename(real)
    tendd.ini.symlink_to(real)
    got = tend(tendd.root, "edit", EDITOR=editor(tendd.root, "s/service one/service two/"), VISUAL="")
    assert got.returncode == 0 and "two" in got.stdout, got.stderr
    assert tendd.ini.is_symlink()
    until(lambda: tendd.unit("service:two")["state"] == "ready", "the new service")
    assert json.loads(tend(tendd.root, "status", "two", "--json").stdout)["unit"]["name"] == "two"
