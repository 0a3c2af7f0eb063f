"""What a service gets: its whole environment, a conda environment in it, and `tend env`, which tells it without starting anything."""

import json
import os
import re
import stat
import subprocess

import pytest

from tend import bin_folder

SHOW = "command = sh -c 'tr \"\\\\0\" \"\\\\n\" </proc/self/environ; echo end; exec sleep 1000'\n"


def environment_of(tendd, name):
    """What the service itself found, by its log."""
    log = tendd.logs / (name + ".log")

    def lines():
        found = [line.split(" ", 1)[1] for line in log.read_text().split("\n")[:-1]]
        return found[:-1] if found and found[-1] == "end" else None
    # Beside what a script of conda's may complain about.
    return dict(line.split("=", 1) for line in tendd.until(lines, "the environment of " + name) if re.match(r"\w+=", line))


def told(tendd, name, **options):
    got = tendd.tend("env", name, **options)
    assert got.returncode == 0, got.stderr
    return dict(line.split("=", 1) for line in got.stdout.splitlines())


def as_user(tendd, uid, *words, **environment):
    return subprocess.run(["setpriv", "--reuid", str(uid), "--regid", str(uid), "--clear-groups", str(bin_folder() / "tend"),
                           "-c", str(tendd.ini), *words], capture_output=True, text=True,
                          env=dict(tendd.environment, **environment))


def conda(root, name, state=None, packages=None, scripts=None):
    """An environment as conda lays it out, of a conda in `root`."""
    prefix = root if name == "base" else root / "envs" / name
    (root / "conda-meta").mkdir(parents=True, exist_ok=True)
    (root / "bin").mkdir(exist_ok=True)
    (root / "bin" / "conda").write_text("#!/bin/sh\nexit 1\n")
    (prefix / "conda-meta").mkdir(parents=True, exist_ok=True)
    (prefix / "bin").mkdir(exist_ok=True)
    program = prefix / "bin" / "which-one"
    program.write_text("#!/bin/sh\necho program of %s\nexec sleep 1000\n" % name)
    program.chmod(0o755)
    if state is not None:
        (prefix / "conda-meta" / "state").write_text(json.dumps({"version": 1, "env_vars": state}))
    for folder, files in ("env_vars.d", packages), ("activate.d", scripts):
        place = prefix / "etc" / "conda" / folder
        for file, text in (files or {}).items():
            place.mkdir(parents=True, exist_ok=True)
            (place / file).write_text(text)
    return prefix


def same(left, right):
    """But for the name of the run, which is another at each start."""
    return dict(left, TEND_RUN="") == dict(right, TEND_RUN="")


def test_env_tells_what_the_service_gets(tendd):
    (tendd.root / "env").write_text("A=file\nB=\"two words\"\n")
    tendd.configure("[service a]\nnetwork = no\nenvironment_file = %s\nenvironment = A=own\n  C=c d\npath = /opt/x/bin\n%s" %
                    (tendd.root / "env", SHOW), tend="environment = T=tend\npath = /opt/tend/bin\n").start()
    got = told(tendd, "a")
    assert same(got, environment_of(tendd, "a"))
    assert (got["A"], got["B"], got["C"], got["T"], got["TEND_UNIT"]) == ("own", "two words", "c d", "tend", "service:a")
    assert len(got["TEND_RUN"]) == 32
    assert tendd.stop() == 0
    assert same(told(tendd, "service:a"), got)  # nobody is asked
    answer = json.loads(tendd.tend("env", "a", "--json").stdout)
    assert same(answer["environment"], got)


def test_env_of_one_that_speaks(tendd):
    tendd.configure("[service a]\nnetwork = no\ncheck = notify\ncheck_every = 7s\n" + SHOW).start()
    got, real = told(tendd, "a"), environment_of(tendd, "a")
    assert got["WATCHDOG_USEC"] == "7000000" and got["NOTIFY_SOCKET"].endswith("/notify.sock")
    assert real.pop("WATCHDOG_PID") and same(got, real)


def test_env_says_what_would_fail(tendd):
    tendd.configure("[service a]\ncommand = sleep 1\nenvironment_file = /no/such/file\n"
                    "[service b]\ncommand = sleep 1\ndirectory = /no/such/folder\n")
    for name, text in ("a", "cannot open environment_file '/no/such/file'"), ("b", "'/no/such/folder'"):
        got = tendd.tend("env", name)
        assert got.returncode == 1 and text in got.stderr and got.stdout == ""
    got = tendd.tend("env", "c")
    assert got.returncode == 2 and "there is no service 'c'" in got.stderr


def test_env_of_another_user(tendd):
    os.chmod(tendd.root, 0o755)
    tendd.configure("[service a]\ncommand = sleep 1\nuser = games\n")
    got = told(tendd, "a")
    assert (got["USER"], got["HOME"]) == ("games", "/usr/games")
    tendd.ini.chmod(0o644)
    denied = as_user(tendd, 65534, "env", "a")
    assert denied.returncode == 1 and "'a' runs as user 'games': ask as that user, or as root" in denied.stderr


def test_conda_is_activated_without_a_shell(tendd):
    """By its name, found beside `path`: PATH, CONDA_*, and the values of packages and of `conda env config vars set`."""
    root = tendd.root / "conda"
    prefix = conda(root, "ml", state={"OWN": "yes", "BOTH": "state", "GONE": "***unset***", "1bad": "x"},
                   packages={"b.json": '{"BOTH": "package", "PACKAGE": "p"}', "broken.json": "{"})
    tendd.configure("[service a]\nnetwork = no\nconda = ml\npath = %s/bin\n%s" % (root, SHOW) +
                    "[service b]\nnetwork = no\nconda = %s\ncommand = which-one\nenvironment = OWN=mine\n" % prefix).start()
    got = environment_of(tendd, "a")
    assert same(told(tendd, "a"), got)
    assert got["PATH"].startswith("%s/bin:%s/bin:/usr/local/bin:" % (root, prefix))
    assert (got["CONDA_PREFIX"], got["CONDA_DEFAULT_ENV"], got["CONDA_SHLVL"]) == (str(prefix), "ml", "1")
    assert got["CONDA_EXE"] == "%s/bin/conda" % root
    assert (got["OWN"], got["BOTH"], got["PACKAGE"]) == ("yes", "state", "p")
    assert "GONE" not in got and "1bad" not in got
    tendd.until(lambda: "program of ml" in (tendd.logs / "b.log").read_text(), "the program of the environment")
    assert told(tendd, "b")["OWN"] == "mine"


def test_conda_scripts_of_packages(tendd):
    """activate.d: what they set is there, in their order; they end nothing, and the service is their process."""
    prefix = conda(tendd.root / "c", "x", scripts={
        "a.sh": "export FIRST=1 BOTH=a\nset -- other words\nfunction f() { :; }\ndeclare -a LIST=(1 2)\n",
        "b.sh": "export BOTH=b$FIRST; no-such-command-here\n", "c.fish": "exit 9\n"})
    tendd.configure("[service a]\nnetwork = no\nconda = %s\n%s" % (prefix, SHOW)).start()
    got = environment_of(tendd, "a")
    assert "no-such-command-here: command not found" in (tendd.logs / "a.log").read_text()
    assert same(told(tendd, "a"), got)
    assert (got["FIRST"], got["BOTH"]) == ("1", "b1")
    assert not {"SHLVL", "PWD", "OLDPWD", "_", "tend_script"} & got.keys()
    pid = tendd.service_part("a")["pid"]
    with open("/proc/%d/cmdline" % pid) as cmdline:
        assert cmdline.read().split("\0")[:2] == ["sleep", "1000"]


def test_conda_of_another_user(tendd):
    """Found in the user's home and looked at with the user's rights: what only root may read stays root's."""
    os.chmod(tendd.root, 0o755)
    prefix = conda(tendd.root / "away", "own", state={"OWN": "yes"})
    secret = tendd.root / "secret"
    secret.write_text('{"version": 1, "env_vars": {"SECRET": "root"}}')
    secret.chmod(0o600)
    other = conda(tendd.root / "away", "sly", state={})
    (other / "conda-meta" / "state").unlink()
    (other / "conda-meta" / "state").symlink_to(secret)
    closed = conda(tendd.root / "closed", "base")
    closed.chmod(stat.S_IRWXU)
    tendd.configure("".join("[service %s]\nnetwork = no\nuser = games\nconda = %s\ncommand = sleep 1000\n" % pair for pair in (
        ("own", prefix), ("sly", other), ("closed", closed))))
    assert told(tendd, "own")["OWN"] == "yes"
    assert "SECRET" not in told(tendd, "sly")
    got = tendd.tend("env", "closed")
    assert got.returncode == 1 and str(closed) in got.stderr


@pytest.mark.parametrize("where", ["usual", "list"])
def test_conda_by_its_name_in_the_home(tendd, where):
    """Of a user without an entry in passwd, whose home is HOME."""
    os.chmod(tendd.root, 0o755)
    home = tendd.folder("home")
    prefix = conda(home / "miniforge3" if where == "usual" else tendd.root / "elsewhere", "ml")
    if where == "list":
        (home / ".conda").mkdir()
        (home / ".conda" / "environments.txt").write_text("/no/such/ml\n%s\n" % prefix)
    tendd.configure("[service a]\nconda = ml\ncommand = sleep 1\n")
    tendd.ini.chmod(0o644)
    got = as_user(tendd, 54321, "env", "a", HOME=str(home))
    assert got.returncode == 0, got.stderr
    assert "CONDA_PREFIX=%s\n" % prefix in got.stdout and "CONDA_DEFAULT_ENV=ml\n" in got.stdout


def test_conda_that_is_not_there(tendd):
    tendd.configure("[service a]\nnetwork = no\nconda = nowhere\ncommand = sleep 1\nrestart_delay = 1h\n"
                    "restart_max_delay = 1h\n").start()
    unit = tendd.until_state("service:a", "failed")
    assert "there is no conda environment 'nowhere'" in unit["detail"]
    assert unit["service"]["exit"]["class"] == "exec_error"


def test_environment_file_of_systemd(tendd):
    """`credential:NAME`, as in remotes."""
    folder = tendd.folder("credentials")
    (folder / "db").write_text("PASSWORD=secret\n")
    tendd.configure("[service a]\nnetwork = no\nenvironment_file = credential:db\n%s" % SHOW)
    got = tendd.run_to_end("--check")
    assert got.returncode == 2 and "LoadCredential=db:PATH" in got.stderr
    tendd.environment["CREDENTIALS_DIRECTORY"] = str(folder)
    tendd.start()
    assert environment_of(tendd, "a")["PASSWORD"] == "secret"
