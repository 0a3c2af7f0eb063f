"""tend doctor: with tendd and without, in good days and bad ones; each finding that is not good has its cure."""

import json
import os
import stat
import subprocess

import pytest

from control import FIELDS
from tend import bin_folder


@pytest.fixture
def home(tendd):
    """A configuration with a folder in a directory, not started."""
    tendd.folder("docs")
    tendd.folder("cloud")
    tendd.configure("""
[remote cloud]
type = directory
path = %s/cloud

[folder docs]
path = %s/docs
remote = cloud:docs
""" % (tendd.root, tendd.root))
    tendd.environment["HOME"] = str(tendd.root)
    return tendd


def findings(tendd, code=None):
    """Those that `--json` tells, by check; the exit code follows from the worst."""
    got = tendd.tend("doctor", "--json")
    answer = json.loads(got.stdout)
    for finding in answer["findings"]:
        assert sorted(finding) == sorted(FIELDS["finding"])
        assert (finding["cure"] is None) == (finding["level"] == "good"), finding
    levels = {finding["level"] for finding in answer["findings"]}
    worst = [level for level in ("person", "wrong", "advice", "good") if level in levels][0]
    assert answer["worst"] == worst
    assert got.returncode == {"person": 5, "wrong": 1}.get(worst, 0)
    assert code is None or got.returncode == code, answer
    by_check = {}
    for finding in answer["findings"]:
        by_check.setdefault(finding["check"], []).append(finding)
    return by_check


def test_a_good_day(home):
    home.start()
    home.until_idle("docs")
    found = findings(home, 0)
    for check in ("tendd", "configuration", "state", "folders", "inotify", "files", "remotes"):
        assert [finding["level"] for finding in found[check]] == ["good"], found[check]
    assert "%s/docs" % home.root in found["folders"][0]["text"]
    said = home.tend("doctor")
    assert said.returncode == 0 and "good    remotes        remote 'cloud': " in said.stdout


def test_without_tendd(home):
    found = findings(home, 1)
    assert found["tendd"][0]["level"] == "wrong" and str(home.ini) in found["tendd"][0]["cure"]
    assert found["remotes"][0]["level"] == "good" and found["folders"][0]["level"] == "good"
    said = home.tend("doctor").stdout
    assert "wrong   tendd          tendd is not running: start it with 'tendd -c " in said
    assert said.splitlines()[-1].startswith("1 wrong, 0 that wait for a person")


def test_bad_days_with_tendd(home):
    home.start()
    home.until_idle("docs")
    (home.root / "cloud").rename(home.root / "elsewhere")
    os.rename(home.root / "docs", home.root / "away")
    found = findings(home, 1)
    assert found["remotes"][0]["level"] == "wrong" and found["remotes"][0]["cure"] == "tend remote check cloud"
    assert found["folders"][0]["level"] == "advice"
    # A configuration that was not taken, and one that others can write.
    with home.ini.open("a") as file:
        file.write("bogus = 1\n")
    assert home.tend("reload").returncode == 2
    home.ini.chmod(0o646)
    found = findings(home, 5)
    assert "unknown key 'bogus'" in found["tendd"][1]["text"] and found["tendd"][1]["cure"].endswith("tend reload")
    assert found["configuration"][0]["cure"] == "chmod go-w %s" % home.ini


def test_bad_days_without_tendd(home):
    secret = home.root / "key"
    secret.write_text("key\n")
    secret.chmod(0o644)
    with home.ini.open("a") as file:
        file.write("[remote far]\ntype = s3\nbucket = b\naccess_key_id = k\nsecret_access_key_file = %s\n"
                   "endpoint = http://127.0.0.1:1\n" % secret)
    found = findings(home, 5)
    assert found["secrets"] == [{
        "check": "secrets", "level": "person", "cure": "chmod 600 %s" % secret,
        "text": "[remote far] secret_access_key_file: '%s' can be read by others (mode 0644)" % secret}]
    # What tendd itself says against it.
    assert any("can be read by others" in finding["text"] for finding in found["configuration"])
    assert stat.S_IMODE(secret.stat().st_mode) == 0o644  # it only looks
    # Nor is such a remote asked by another command: its secret was passed over.
    got = home.tend("remote", "check", "far")
    assert got.returncode == 2 and "tend.ini:" in got.stderr and "can be read by others" in got.stderr
    secret.chmod(0o600)
    found = findings(home, 1)
    assert {finding["level"] for finding in found["remotes"]} == {"good", "wrong"}
    assert found["secrets"][0]["level"] == "good"


def test_without_a_configuration(tendd):
    found = findings(tendd, 5)
    assert found["configuration"] == [{"check": "configuration", "level": "person", "cure": "tend init",
                                       "text": "there is no configuration yet"}]
    assert "remotes" not in found


def test_it_asks_while_tendd_ends(home):
    """An end of tendd waits for what is being looked at, and hangs on none of it."""
    home.start()
    home.until_idle("docs")
    asked = [subprocess.Popen([str(bin_folder() / "tend"), "-c", str(home.ini), "doctor", "--json"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(3)]
    assert home.stop() == 0
    for process in asked:
        out, _ = process.communicate(timeout=60)
        assert json.loads(out)["findings"] and process.returncode in (0, 1)
