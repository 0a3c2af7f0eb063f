"""Reload touches only what changed, and a bad configuration changes nothing."""

import grp
import os
import pwd
import re

import pytest

from tend import is_alive


class Ini:
    """Sections of which a test changes one thing at a time."""

    def __init__(self, tendd):
        for name in ("data", "more", "remote", "remote2"):
            tendd.folder(name)
        self.tendd = tendd
        self.tend = ""
        self.sections = {
            "remote disk": {"type": "directory", "path": "%s/remote" % tendd.root},
            "folder data": {"path": "%s/data" % tendd.root, "remote": "disk:data", "settle": "100ms"},
            "service a": {"command": "sleep 1000", "network": "no"},
            "service b": {"command": "sleep 1000", "network": "no"},
            "notify n": {"command": "true"},
            "idle": {"dry_run": "yes"},
        }

    def set(self, section, **keys):
        self.sections.setdefault(section, {}).update(keys)
        return self

    def write(self, order=lambda items: items):
        text = ""
        for name, keys in order(list(self.sections.items())):
            text += "[%s]\n" % name + "".join("%s = %s\n" % item for item in order(list(keys.items())))
        self.tendd.configure(text, tend=self.tend)
        return self


@pytest.fixture
def ini(tendd):
    """Written and running: two services and a folder."""
    ini = Ini(tendd).write()
    tendd.start()
    tendd.until_idle("data")
    for name in ("a", "b"):
        tendd.until_state("service:" + name, "ready")
    return ini


def pid_of(tendd, name):
    return tendd.service_part(name)["pid"]


def everything(tendd):
    return {"a": pid_of(tendd, "a"), "b": pid_of(tendd, "b"), "scans": tendd.folder_part("data")["scans"]}


def changes(tendd, dry_run=False):
    answer = tendd.reload(dry_run)
    assert answer.status == 200, answer
    return answer["changes"]


def test_nothing_changed(tendd, ini):
    """SERVICES.md §8, trap 12: another order is no change."""
    before = everything(tendd)
    ini.write(order=lambda items: items[::-1])
    assert changes(tendd) == []
    ini.set("folder data", rescan="360m").write()  # the default, in other words
    assert changes(tendd) == []
    assert everything(tendd) == before


def test_one_service(tendd, ini):
    before = everything(tendd)
    ini.set("service a", command="sleep 2000").write()
    assert changes(tendd) == ["service:a restart (command)"]
    tendd.until(lambda: pid_of(tendd, "a") not in (None, before["a"]), "a new pid")
    tendd.until_state("service:a", "ready")
    assert not is_alive(before["a"])
    after = everything(tendd)
    assert (after["b"], after["scans"]) == (before["b"], before["scans"])
    assert tendd.service_part("a")["command"] == "sleep 2000"


def test_live_keys(tendd, ini):
    before = everything(tendd)
    ini.set("service a", stop_timeout="3s", restart_delay="1s").set("folder data", settle="200ms").write()
    assert sorted(changes(tendd)) == ["folder:data live (settle)", "service:a live (restart_delay, stop_timeout)"]
    assert everything(tendd) == before


def test_dry_run(tendd, ini):
    before = everything(tendd)
    ini.set("service a", command="sleep 2000").write()
    assert changes(tendd, dry_run=True) == ["service:a restart (command)"]
    assert everything(tendd) == before
    assert tendd.service_part("a")["command"] == "sleep 1000"
    assert changes(tendd) == ["service:a restart (command)"]


def test_services_come_and_go(tendd, ini):
    before = everything(tendd)
    ini.set("service c", command="sleep 1000", network="no")
    del ini.sections["service a"]
    ini.write()
    lines = changes(tendd)
    assert "service:a removed" in lines and len(lines) == 2
    tendd.until_state("service:c", "ready")
    tendd.until(lambda: not is_alive(before["a"]), "the end of a")
    tendd.until(lambda: tendd.get("/v1/units/service:a").status == 404, "a forgotten")
    assert pid_of(tendd, "b") == before["b"]


def test_new_name(tendd, ini):
    before = everything(tendd)
    ini.sections["service z"] = ini.sections.pop("service a")
    ini.write()
    lines = changes(tendd)
    assert lines[0] == "service:a removed"
    assert lines[1].startswith("service:z added (was service:a")
    tendd.until_state("service:z", "ready")
    tendd.until(lambda: not is_alive(before["a"]), "the end of a")


def test_switched_off_and_on(tendd, ini):
    before = everything(tendd)
    ini.set("service a", enabled="no").write()
    changes(tendd)
    tendd.until_state("service:a", "down")
    assert not is_alive(before["a"])
    assert tendd.unit("service:a")["enabled"] is False
    ini.set("service a", enabled="yes").write()
    changes(tendd)
    tendd.until_state("service:a", "ready")
    assert pid_of(tendd, "b") == before["b"]


def test_folders_come_and_go(tendd, ini):
    (tendd.root / "more" / "file").write_text("x")
    ini.set("folder more", path="%s/more" % tendd.root, remote="disk:more", settle="100ms").write()
    scans = tendd.folder_part("data")["scans"]
    assert changes(tendd) == ["folder:more added"]
    tendd.until(lambda: (tendd.root / "remote" / "more" / "file").exists(), "the file")
    assert tendd.folder_part("data")["scans"] == scans
    del ini.sections["folder more"]
    ini.write()
    assert changes(tendd) == ["folder:more removed"]
    assert tendd.get("/v1/units/folder:more").status == 404
    # Nothing at the remote is deleted for it.
    assert (tendd.root / "remote" / "more" / "file").exists()


def test_folder_to_another_remote_path(tendd, ini):
    (tendd.root / "data" / "file").write_text("x")
    tendd.barrier("data")
    ini.set("folder data", remote="disk:elsewhere").write()
    assert changes(tendd) == ["folder:data rebuild (remote)"]
    tendd.until(lambda: (tendd.root / "remote" / "elsewhere" / "file").exists(), "the file at its new place")
    tendd.barrier("data")
    assert (tendd.root / "remote" / "data" / "file").exists()


def test_folder_of_another_path(tendd, ini):
    (tendd.root / "data" / "old").write_text("x")
    tendd.barrier("data")
    (tendd.root / "more" / "new").write_text("y")
    ini.set("folder data", path="%s/more" % tendd.root).write()
    assert changes(tendd) == ["folder:data rebuild (path)"]
    # The remote is another folder's: a person has to say so, nothing is sent or deleted until then.
    unit = tendd.until(lambda: (lambda u: u if u["needs_person"] else None)(tendd.unit("folder:data")), "the question")
    assert "kept by %s/data" % tendd.root in unit["folder"]["trouble"]["text"]
    assert (tendd.root / "remote" / "data" / "old").exists()
    assert not (tendd.root / "remote" / "data" / "new").exists()
    (tendd.root / "remote" / ".tend" / "owner" / "data").unlink()
    assert tendd.tend("sync", "data").returncode == 0
    tendd.until(lambda: (tendd.root / "remote" / "data" / "new").exists(), "the file of the new folder")
    # What only the remote has is not deleted: there is no base for it.
    tendd.until_idle("data")
    assert (tendd.root / "remote" / "data" / "old").exists()


def test_remote_elsewhere(tendd, ini):
    (tendd.root / "data" / "file").write_text("x")
    tendd.barrier("data")
    pids = pid_of(tendd, "a"), pid_of(tendd, "b")
    ini.set("remote disk", path="%s/remote2" % tendd.root).write()
    assert changes(tendd) == ["remote:disk rebuild (path)", "folder:data rebuild (remote:disk)"]
    tendd.until(lambda: (tendd.root / "remote2" / "data" / "file").exists(), "the file at the new remote")
    assert (pid_of(tendd, "a"), pid_of(tendd, "b")) == pids


def test_environment_of_all(tendd, ini):
    before = everything(tendd)
    ini.tend = "environment = COLOUR=green"
    ini.write()
    assert changes(tendd) == ["tend restart (environment): all services restart"]
    for name in ("a", "b"):
        tendd.until(lambda n=name: pid_of(tendd, n) not in (None, before[n]), "a new pid")
        with open("/proc/%d/environ" % pid_of(tendd, name)) as environ:
            assert "COLOUR=green" in environ.read().split("\0")


def test_what_needs_a_restart_of_tendd(tendd, ini):
    before = everything(tendd)
    ini.tend = "workers = 7"
    ini.write()
    assert changes(tendd) == ["tend rebuild (workers): holds from the next start of tendd"]
    assert everything(tendd) == before


@pytest.mark.parametrize("spoil, wanted", [
    ({"service a": {"bogus": "1"}}, "unknown key 'bogus'"),
    ({"service a": {"after": "service:nobody"}}, "unknown unit 'service:nobody'"),
    ({"folder data": {"remote": "nowhere:data"}}, "unknown remote 'nowhere'"),
    ({"remote disk": {"path": "{root}/data/remote"}}, "lie in each other"),
])
def test_bad_configuration_changes_nothing(tendd, ini, spoil, wanted):
    before = everything(tendd)
    ini.set("service b", command="sleep 3000")  # good, but in bad company
    for section, keys in spoil.items():
        ini.set(section, **{key: value.replace("{root}", str(tendd.root)) for key, value in keys.items()})
    ini.write()
    answer = tendd.reload()
    assert answer.status == 422
    assert wanted in answer["lines"][0] and re.match(r"^%s:\d+: " % re.escape(str(tendd.ini)), answer["lines"][0])
    assert answer["error"]["text"] == answer["lines"][0]
    assert everything(tendd) == before
    configuration = tendd.get("/v1/status")["configuration"]
    assert configuration["error"] == answer["lines"][0]
    ended = tendd.tend("reload")
    assert ended.returncode == 2 and wanted in ended.stderr


def test_command(tendd, ini):
    ini.set("service a", command="sleep 2000").write()
    ended = tendd.tend("reload")
    assert (ended.returncode, ended.stdout) == (0, "service:a restart (command)\n")
    ended = tendd.tend("reload")
    assert (ended.returncode, ended.stdout) == (0, "nothing changed\n")


# ---- every key has the effect that its table says ----

# Only root may give a service to somebody else.
USER = "nobody" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
GROUP = "nogroup" if os.geteuid() == 0 else grp.getgrgid(os.getegid()).gr_name

# What each key is set to, another value than its own.
OTHER = {
    "service": {
        "command": "sleep 2000", "shell": "yes", "enabled": "no", "user": USER, "group": GROUP, "directory": "/",
        "environment": "A=b", "environment_file": "/dev/null", "path": "/opt", "umask": "077", "nice": "5",
        "limit_nofile": "512", "conda": "/opt/x", "memory_max": "1GiB", "cpu_max": "50%", "before_start": "true", "after_stop": "true",
        "on_preempt": "true", "restart": "on-failure", "restart_delay": "1s", "restart_max_delay": "30s",
        "healthy_after": "1s", "give_up_after": "5", "ok_exit": "3", "no_restart_exit": "4", "stop_signal": "INT",
        "stop_timeout": "3s", "log_max_size": "1MiB", "log_keep": "2", "log": "both", "after": "service:b", "requires": "service:b",
        "network": "yes", "ready": "tcp:1", "ready_timeout": "5s", "check": "tcp:1", "check_every": "5s",
        "check_failures": "5",
    },
    "folder": {
        "enabled": "no", "path": "{root}/more", "remote": "disk:other", "mode": "mirror", "include": "*.txt",
        "exclude": "*.tmp", "settle": "300ms", "max_settle": "1m", "rescan": "1h", "max_transfers": "3",
        "after": "service:b", "requires": "service:b", "keep": "10d", "max_delete": "30%", "verify": "1d",
        "verify_read": "5%", "pace": "20%", "sqlite": "skip", "symlinks": "skip", "restore": "never", "poll": "7s", "user": USER,
    },
    "idle": {
        "after": "40m", "min_uptime": "20m", "every": "40s", "active": "ssh cpu>20%", "jupyter_kernel_idle": "2h", "action": "true",
        "stop_billing": "none", "endpoint": "http://127.0.0.1:9", "warn": "1m", "max_uptime": "30d", "dry_run": "no", "force": "yes",
    },
    "notify": {"on": "folder.stopped", "command": "false", "webhook": "http://127.0.0.1:1/", "quiet": "1h", "behind": "1h"},
}


def table(tendd, kind):
    """Name to effect of all keys, as --help-config prints them."""
    text = tendd.run_to_end("--help-config").stdout
    section = re.split(r"^\[%s( NAME)?\]" % kind, text, flags=re.MULTILINE)[-1].split("\n[")[0]
    return dict(re.findall(r"^  (\S+) +\S.*? +(live|restart|rebuild) +", section, re.MULTILINE))


@pytest.mark.parametrize("kind, name", [("service", "a"), ("folder", "data"), ("notify", "n"), ("idle", "")])
def test_each_key_alone(tendd, ini, kind, name):
    keys = table(tendd, kind)
    assert keys.keys() == OTHER[kind].keys()
    section = ("%s %s" % (kind, name)).strip()
    for key, value in OTHER[kind].items():
        before = dict(ini.sections[section])
        ini.set(section, **{key: value.replace("{root}", str(tendd.root))}).write()
        assert changes(tendd, dry_run=True) == ["%s %s (%s)" % (section.replace(" ", ":"), keys[key], key)]
        ini.sections[section] = before


# A step is one thing: a key is tried on a step that has it.
STEPS = {
    "file": {"file": "{root}/file", "content": "a"},
    "link": {"link": "{root}/link", "target": "a"},
    "run": {"run": "true"},
    "git": {"git": "{root}/no", "to": "{root}/to", "enabled": "no"},
    # Known, never done: this machine is not the test's.
    "download": {"download": "http://127.0.0.1:9/a", "to": "{root}/to", "enabled": "no"},
    "packages": {"packages": "bash", "enabled": "no"},
    "user": {"user": "root", "enabled": "no"},
    "allow": {"allow": "22/tcp", "enabled": "no"},
}
STEP_KEYS = {
    "file": {"file": "{root}/other", "content": "b", "mode": "0600", "owner": USER, "as": USER, "environment": "A=b",
             "timeout": "1m", "retries": "1", "when": "boot", "after": "service:b", "requires": "service:b", "enabled": "no",
             "reboot": "if-required"},
    "link": {"link": "{root}/other", "target": "b"},
    "run": {"run": "true;true", "creates": "/x", "unless": "false"},
    "git": {"git": "{root}/other", "to": "{root}/another", "ref": "x"},
    "download": {"download": "http://127.0.0.1:9/b", "to": "{root}/another", "sha256": "0" * 64, "unpack": "yes"},
    "packages": {"packages": "bash dash", "update": "no", "upgrade": "yes"},
    "user": {"user": "nobody", "groups": "x", "shell": "/bin/x", "sudo": "yes", "authorized_keys": "/x"},
    "allow": {"allow": "23/tcp", "from": "192.0.2.1"},
}


def test_each_key_of_a_step_alone(tendd, ini):
    keys = table(tendd, "step")
    tried = {"source"}
    for kind, base in STEPS.items():
        if kind in ("packages", "user", "allow") and os.geteuid() != 0:
            tried |= set(STEP_KEYS[kind])
            continue
        section = "step " + kind
        ini.set(section, **{key: value.format(root=tendd.root) for key, value in base.items()}).write()
        changes(tendd)
        for key, value in STEP_KEYS[kind].items():
            if key in ("owner", "reboot") and os.geteuid() != 0:
                continue
            before = dict(ini.sections[section])
            ini.set(section, **{key: value.format(root=tendd.root)}).write()
            assert changes(tendd, dry_run=True) == ["step:%s %s (%s)" % (kind, keys[key], key)]
            ini.sections[section] = before
        tried |= set(STEP_KEYS[kind])
    assert tried == keys.keys()
    ini.sections["step file"] = {"file": "%s/file" % tendd.root, "source": "/etc/hostname"}
    ini.write()
    assert changes(tendd, dry_run=True) == ["step:file restart (content, source)"]


def test_steps_come_change_and_go(tendd, ini):
    before = everything(tendd)
    path = tendd.root / "file"
    ini.set("step f", file=str(path), content="one").write()
    assert changes(tendd) == ["step:f added"]
    tendd.until(lambda: path.exists() and path.read_text() == "one\n", "the file")
    ini.set("step f", content="two").write()
    assert changes(tendd) == ["step:f restart (content)"]
    tendd.until(lambda: path.read_text() == "two\n", "the new content")
    ini.set("step f", enabled="no").write()
    assert changes(tendd) == ["step:f live (enabled)"]
    tendd.until_state("step:f", "down")
    del ini.sections["step f"]
    ini.write()
    assert changes(tendd) == ["step:f removed"]
    tendd.until(lambda: tendd.get("/v1/units/step:f").status == 404, "its end")
    assert path.read_text() == "two\n"
    assert everything(tendd) == before
