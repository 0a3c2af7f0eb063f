"""Bad input: one clear line, exit 2, and nothing was started."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

REMOTE = "[remote disk]\ntype = directory\npath = {root}/remote\n"
FOLDER = "[folder data]\npath = {root}/data\nremote = disk:data\n"

# name: (text of the ini after [tend], what the line must say, the number of the line from the end of [tend], or None)
CASES = {
    "unknown key in tend": ("", "unknown key 'stat_dir' (did you mean 'state_dir'?)", "stat_dir = /x\n"),
    "unknown key in folder": (REMOTE + FOLDER + "settel = 1s\n", "unknown key 'settel' (did you mean 'settle'?)"),
    "unknown key in service": ("[service a]\ncommand = sleep 1\nuesr = x\n", "unknown key 'uesr' (did you mean 'user'?)"),
    "unknown section": ("[sevice a]\ncommand = sleep 1\n", "unknown section 'sevice' (did you mean 'service'?)"),
    "bad duration": (REMOTE + FOLDER + "settle = 1 fortnight\n", "'settle'"),
    "patterns side by side": (REMOTE + FOLDER + "include = *.ipynb *.py\n", "'*.ipynb *.py' is one pattern with a space"),
    "patterns with commas": (REMOTE + FOLDER + "exclude =\n    .git/\n    *.tmp, *.log\n", "'*.tmp, *.log' is one pattern with a space"),
    "less patience than quiet": (REMOTE + FOLDER + "settle = 1m\nmax_settle = 30s\n", "max_settle is shorter than settle: leave it out"),
    "a delay above its cap": ("[service a]\ncommand = sleep 1\nrestart_delay = 2m\nrestart_max_delay = 1m\n",
                              "restart_max_delay is shorter than restart_delay: leave it out"),
    "bad size": ("[service a]\ncommand = sleep 1\nlog_max_size = much\n", "'log_max_size'"),
    "bad boolean": ("[service a]\ncommand = sleep 1\nshell = maybe\n", "'shell'"),
    "bad word": (REMOTE + FOLDER + "mode = sideways\n", "'mode'"),
    "links that are followed": (REMOTE + FOLDER + "symlinks = follow\n", "'symlinks'"),
    "a metadata service that is no URL": ("[preempt]\nprovider = aws\nendpoint = 169.254.169.254\n", "is no URL"),
    "a metadata service of nobody's": ("[preempt]\nendpoint = http://127.0.0.1:1\n", "'endpoint' needs a `provider`"),
    "a cloud that is none": ("[preempt]\nprovider = hetzner\n", "'provider'"),
    "a budget that is none": ("[preempt]\nbudget = 10ms\n", "'budget'"),
    "an empty on_preempt": ("[service a]\ncommand = sleep 1\non_preempt = ''\n", "command is empty"),
    "a folder of a user that no step makes": (REMOTE + FOLDER + "user = no-such-user\n[step a]\nuser = another\n",
                                             "there is no user 'no-such-user'"),
    "a download that goes nowhere": ("[step a]\ndownload = https://example.org/x\n", "a download needs where it goes"),
    "an address that is a path": ("[step a]\ndownload = /etc/passwd\nto = /x\n", "'/etc/passwd' is no address"),
    "a digest that is none": ("[step a]\ndownload = https://example.org/x\nto = /x\nsha256 = 12\n", "'12' is no SHA-256"),
    "a digest of a repository": ("[step a]\ngit = x\nto = /x\nsha256 = 12\n", "'sha256' is for a step with 'download'"),
    "a package that is an option": ("[step a]\npackages = fish --allow\n", "'--allow' is no name of a package"),
    "a package with a shell's sign": ("[step a]\npackages = a;b\n", "'a;b' is no name of a package"),
    "a user of a strange name": ("[step a]\nuser = ../x\n", "'../x' is no name of a user"),
    "a group of a strange name": ("[step a]\nuser = soph\ngroups = -x\n", "'-x' is no name of a group"),
    "a key that is none": ("[step a]\nuser = soph\nauthorized_keys = AAAA\n", "neither a key nor a path"),
    "keys of a path at GitHub": ("[step a]\nuser = soph\nauthorized_keys = github:a/b\n", "neither a key nor a path"),
    "a port that is none": ("[step a]\nallow = 99999/tcp\n", "'99999/tcp' is no port"),
    "a range without its protocol": ("[step a]\nallow = 1:2\n", "'1:2' is no port"),
    "a range backwards": ("[step a]\nallow = 2:1/udp\n", "'2:1/udp' is no port"),
    "an address that is none": ("[step a]\nallow = 22\nfrom = 1.2.3.4/33\n", "'1.2.3.4/33' is no address"),
    "as for what root does": ("[step a]\nallow = 22\nas = nobody\n", "'as' is not for 'allow'"),
    "git that goes nowhere": ("[step a]\ngit = https://example.org/a.git\n", "git needs the folder"),
    "a ref that is an option": ("[step a]\ngit = x\nto = /x\nref = --upload-pack=x\n", "is no branch, tag or commit"),
    "a step that is nothing": ("[step a]\nas = root\n", "this step does nothing"),
    "a step that is two things": ("[step a]\nrun = true\nlink = /x\ntarget = /y\n", "a step is one thing"),
    "a key of another kind": ("[step a]\nrun = true\ntarget = /y\n", "'target' is for a step with 'link'"),
    "a mode of nothing": ("[step a]\nrun = true\nmode = 0600\n", "'mode' is for a step with 'file'"),
    "a link to nothing": ("[step b]\nlink = /x\n", "a link needs its `target`"),
    "a file of nothing": ("[step a]\nfile = /x\n", "a file has `content` or `source`"),
    "a file of two things": ("[step a]\nfile = /x\ncontent = a\nsource = /y\n", "a file has `content` or `source`"),
    "a bad environment of a step": ("[step a]\nrun = true\nenvironment = 1A=x\n", "is not NAME=value"),
    "web from outside": ("", "can be reached from outside", "web = 192.0.2.1:8390\n"),
    "web on every address": ("", "can be reached from outside", "web = [::]:8390\n"),
    "web without a port": ("", "is no address to listen on", "web = 127.0.0.1\n"),
    "web on a name": ("", "is no address to listen on", "web = example.org:8390\n"),
    "web on no port": ("", "is no address to listen on", "web = 127.0.0.1:0\n"),
    "no path": (REMOTE + "[folder data]\nremote = disk:data\n", "[folder data] has no 'path'"),
    "no remote": ("[folder data]\npath = {root}/data\n", "[folder data] has no 'remote'"),
    "no command": ("[service a]\nuser = root\n", "[service a] has no 'command'"),
    "relative path": (REMOTE + "[folder data]\npath = data\nremote = disk:data\n", "'path'"),
    "unknown remote": (REMOTE + "[folder data]\npath = {root}/data\nremote = disc:data\n",
                       "unknown remote 'disc' (did you mean 'disk'?)"),
    "remote without colon": (REMOTE + "[folder data]\npath = {root}/data\nremote = disk\n", "names no remote"),
    "unknown unit in after": ("[service a]\ncommand = sleep 1\nafter = service:b\n", "unknown unit 'service:b'"),
    "unknown unit, nearly right": ("[service first]\ncommand = sleep 1\n[service a]\ncommand = sleep 1\n"
                                   "after = service:frist\n", "(did you mean 'service:first'?)"),
    "unknown unit in requires": (REMOTE + FOLDER + "requires = folder:other\n", "unknown unit 'folder:other'"),
    "unit without kind": ("[service a]\ncommand = sleep 1\nafter = b\n", "unknown unit 'b'"),
    "unknown step in after": ("[service a]\ncommand = sleep 1\nafter = step:setup\n", "unknown unit 'step:setup'"),
    "circle through a step": ("[service a]\ncommand = sleep 1\nafter = step:b\n[step b]\nrun = true\nafter = service:a\n",
                              "step:b"),
    "circle": ("[service a]\ncommand = sleep 1\nafter = service:b\n"
               "[service b]\ncommand = sleep 1\nafter = service:a\n", "service:a"),
    "circle of one": ("[service a]\ncommand = sleep 1\nafter = service:a\n", "service:a"),
    "circle through a folder": (REMOTE + FOLDER + "after = service:a\n"
                                "[service a]\ncommand = sleep 1\nrequires = folder:data\n", "folder:data"),
    "key given twice": ("[service a]\ncommand = sleep 1\ncommand = sleep 2\n", "'command' is given twice"),
    "section given twice": ("[service a]\ncommand = sleep 1\n[service a]\ncommand = sleep 2\n",
                            "[service a] is given twice"),
    "folder holds its remote": ("[remote disk]\ntype = directory\npath = {root}/data/remote\n" + FOLDER,
                                "lie in each other"),
    "folder is its remote": ("[remote disk]\ntype = directory\npath = {root}\n" + FOLDER, "lie in each other"),
    "remote holds the folder": (
        "[remote disk]\ntype = directory\npath = {root}\n"
        "[folder data]\npath = {root}/remote/data\nremote = disk:remote\n", "lie in each other"),
    "folder holds its remote by a link": ("[remote disk]\ntype = directory\npath = {root}/link/remote\n" + FOLDER,
                                          "lie in each other"),
    "folder holds the state": (REMOTE + "[folder data]\npath = {root}/state\nremote = disk:data\n", "state_dir"),
    "folder holds everything": (REMOTE.replace("{root}/remote", "/tmp/tend-elsewhere") +
                                "[folder data]\npath = {root}\nremote = disk:data\n", "state_dir"),
    "folder holds the logs": (REMOTE + "[folder data]\npath = {root}/logs\nremote = disk:data\n", "log_dir"),
    "two folders on one remote path": (REMOTE + FOLDER + "[folder more]\npath = {root}/more\nremote = disk:data\n",
                                       "overlap at the remote path"),
    "two folders, one remote path in the other": (
        REMOTE + FOLDER + "[folder more]\npath = {root}/more\nremote = disk:data/more\n", "overlap at the remote path"),
    "two folders that overlap, on one remote path": (
        REMOTE + FOLDER + "[folder more]\npath = {root}/data/more\nremote = disk:data/more\n",
        "overlap at the remote path"),
    "two names of one remote": (
        REMOTE + FOLDER + "[remote same]\ntype = directory\npath = {root}/remote/data\n"
        "[folder more]\npath = {root}/more\nremote = same:\n", "overlap at the remote path"),
    "secret that others read": (
        "[remote cloud]\ntype = s3\nbucket = b\nendpoint = http://127.0.0.1:1\naccess_key_id = id\n"
        "secret_access_key_file = {root}/secret\n", "can be read by others"),
    "secret inline": (
        "[remote cloud]\ntype = s3\nbucket = b\nendpoint = http://127.0.0.1:1\naccess_key_id = id\n"
        "secret_access_key_file = hunter2hunter2\n", "never written in the ini"),
    "bad environment": ("", "is not NAME=value", "environment = PATH\n"),
    "missing include": ("", "no file", "include = nowhere.ini\n"),
    "name with a slash": ("[service a/b]\ncommand = sleep 1\n", "is no name"),
}


@pytest.mark.parametrize("case", CASES)
def test_bad_input(tendd, case):
    text, wanted, *more = CASES[case]
    tendd.folder("data")
    (tendd.root / "link").symlink_to("data")
    secret = tendd.root / "secret"
    secret.write_text("hunter2hunter2\n")
    secret.chmod(0o644)
    tendd.configure(text.replace("{root}", str(tendd.root)), tend=more[0] if more else "")
    for arguments in ((), ("--check",)):
        ended = tendd.run_to_end(*arguments)
        assert ended.returncode == 2, ended
        lines = ended.stderr.splitlines()
        assert len(lines) == 1, lines
        assert wanted in lines[0]
        assert lines[0].startswith("%s:" % tendd.ini), lines[0]
        assert lines[0].split(":")[1].isdigit(), lines[0]
        assert "hunter2" not in ended.stderr
        assert not tendd.state.exists() and not tendd.run.exists() and not tendd.logs.exists()


def test_all_errors_are_told(tendd):
    tendd.configure("[service a]\nuesr = x\n[folder b]\npath = /b\nremote = none:\n[bogus]\n")
    ended = tendd.run_to_end("--check")
    assert ended.returncode == 2
    assert "unknown key 'uesr'" in ended.stderr
    assert "unknown section 'bogus'" in ended.stderr
    assert "has no 'command'" in ended.stderr


def test_line_of_the_error(tendd):
    tendd.configure("[service a]\ncommand = sleep 1\nafter = service:b\n")
    number = tendd.ini.read_text().splitlines().index("after = service:b") + 1
    assert tendd.run_to_end("--check").stderr.startswith("%s:%d: " % (tendd.ini, number))


def test_good_input(tendd):
    tendd.folder("data")
    tendd.configure((REMOTE + FOLDER + "[service a]\ncommand = sleep 1\nafter = folder:data network\n")
                    .replace("{root}", str(tendd.root)))
    ended = tendd.run_to_end("--check")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert not tendd.state.exists()


def test_nothing_at_all_is_good(tendd):
    tendd.ini.write_text("")
    assert tendd.run_to_end("--check").returncode == 0


@pytest.mark.parametrize("arguments, wanted", [
    (["--bogus"], "usage:"),
    (["extra"], "takes no 'extra'"),
])
def test_bad_usage(tendd, arguments, wanted):
    tendd.configure("")
    ended = tendd.run_to_end(*arguments)
    assert ended.returncode == 2
    assert wanted in ended.stderr


def test_missing_file(tendd):
    ended = tendd.run_to_end()
    assert ended.returncode == 2
    assert ended.stderr == ("there is no '%s': 'tend init' writes one, or name another file with -c\n"
                            % tendd.ini)


def test_version_and_help(tendd):
    for argument, wanted in (("--version", "tendd 0."), ("--help", "usage:"), ("--help-config", "[folder NAME]")):
        ended = tendd.run_to_end(argument)
        assert ended.returncode == 0
        assert wanted in ended.stdout


def run_as(prefix, tendd):
    return subprocess.run([*prefix, *tendd.command("--check")], capture_output=True, text=True, env=tendd.environment)


def test_no_home(tendd):
    """A uid that no account has, and no HOME: tendd cannot know its folders."""
    tendd.ini.write_text("[service a]\ncommand = sleep 1\n")
    tendd.root.chmod(0o755)
    tendd.ini.chmod(0o644)
    if os.geteuid() == 0:
        somebody = ["setpriv", "--reuid=64321", "--regid=64321", "--clear-groups"]
    else:
        somebody = ["unshare", "--user", "--map-user=64321", "--map-group=64321"]
    ended = run_as([*somebody, "env", "-u", "HOME"], tendd)
    assert ended.returncode == 2
    assert "no home folder" in ended.stderr


# ---- who may write what root runs ----

@pytest.mark.parametrize("spoil", ["file", "folder", "owner", "include"])
def test_ini_that_others_may_write(tendd, spoil):
    # Whoever is not root plays it, in a namespace where all that is not theirs is somebody else's.
    root = [] if os.geteuid() == 0 else ["unshare", "--map-root-user"]
    place = tendd.folder("etc")
    tendd.ini = place / "tend.ini"
    more = place / "more.ini"
    more.write_text("")
    tendd.configure("", tend="include = more.ini\n")
    assert run_as(root, tendd).returncode == 0
    if spoil == "file":
        tendd.ini.chmod(0o666)
    elif spoil == "folder":
        place.chmod(0o777)
    elif spoil == "include":
        more.chmod(0o622)
    elif root:
        tendd.ini.unlink()
        tendd.ini.symlink_to("/etc/hosts")
    else:
        os.chown(tendd.ini, 12345, 12345)
    ended = run_as(root, tendd)
    assert ended.returncode == 2
    assert len(ended.stderr.splitlines()) == 1
    assert ("is not root's" if spoil == "owner" else "can be written by others") in ended.stderr


# ---- a second tendd ----

def test_second_tendd_says_who_holds_it(tendd):
    tendd.configure("").start()
    ended = tendd.run_to_end()
    assert ended.returncode == 2
    assert "another tendd (pid %d) holds" % tendd.pid in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
    assert tendd.get("/v1/status")["pid"] == tendd.pid


def test_socket_of_another_tendd(tendd):
    """Another state folder, the same socket."""
    tendd.configure("").start()
    other = tendd.root / "other.ini"
    other.write_text(tendd.ini.read_text().replace(str(tendd.state), str(tendd.root / "state2")))
    ended = subprocess.run([tendd.command()[0], "-c", str(other)], capture_output=True, text=True)
    assert ended.returncode == 2
    assert "another tendd (pid %d) holds '%s'" % (tendd.pid, tendd.socket) in ended.stderr
    assert tendd.get("/v1/status")["pid"] == tendd.pid


def has_open(pid, path):
    folder = Path("/proc/%d/fd" % pid)
    return any(os.readlink(fd) == str(path) for fd in folder.iterdir())


def test_lock_of_a_tendd_that_was_killed(tendd):
    """Its last threads, or a child of its own, hold the lock a moment longer: the next one waits for it."""
    tendd.configure("").start()
    tendd.kill()
    lock = tendd.state / "tendd.lock"
    with open(lock) as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        tendd.start(wait=False)
        tendd.until(lambda: has_open(tendd.pid, lock), "a look at the lock")
        assert tendd.process.poll() is None
    tendd.until(tendd.answers, "an answer of tendd")


def test_socket_of_a_tendd_that_was_killed(tendd):
    """A child of its own has the socket, and whoever made it is gone."""
    tendd.configure("").start()
    tendd.kill()
    tendd.socket.unlink()
    made = ("import os, socket, sys\ns = socket.socket(socket.AF_UNIX)\ns.bind(sys.argv[1])\ns.listen()\n"
            "if os.fork() == 0:\n    sys.stdin.read()\n")
    left, right = os.pipe()
    try:
        subprocess.run([sys.executable, "-c", made, str(tendd.socket)], check=True, stdin=left)
        tendd.start()
    finally:
        os.close(right)  # ends the child
        os.close(left)


def test_start_right_after_a_kill(tendd):
    tendd.configure("[service sleep]\ncommand = sleep 1000\nnetwork = no\n").start()
    for _ in range(10):
        killed = tendd.process
        killed.kill()
        tendd.process = None  # not waited for
        tendd.start()
        killed.wait()


def test_socket_path_too_long(tendd):
    deep = tendd.folder("d" * 100)
    tendd.run = deep
    tendd.configure("")
    ended = tendd.run_to_end()
    assert ended.returncode == 2
    assert "cannot be longer than" in ended.stderr


def test_a_place_that_cannot_be_made(tendd):
    """Something is in the way: which key to set is said."""
    tendd.state.write_text("")
    tendd.configure("")
    ended = tendd.run_to_end()
    assert ended.returncode == 2
    assert ended.stderr == ("'%s' is in the way: it is not a folder: let the daemon's user write there, or set 'state_dir' in "
                            "[tend]\n" % tendd.state)


def test_stale_socket_and_lock_are_taken_over(tendd):
    tendd.configure("").start()
    tendd.kill()
    assert tendd.socket.exists()
    tendd.start()
    assert tendd.stop() == 0
    assert not tendd.socket.exists()
