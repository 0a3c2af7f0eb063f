"""cmake --install into a DESTDIR: what lies where, with which rights, and that it fits together."""

import os
import plistlib
import re
import shutil
import stat
import subprocess

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.dirname(os.environ["TEND_BIN"])
PROGRAMS = ["tend", "tend-keeper", "tendd"]
UNITS = ["tend-services.service", "tend.service"]


def install(dest, prefix):
    got = subprocess.run(["cmake", "--install", BUILD, "--prefix", prefix], env=dict(os.environ, DESTDIR=str(dest)),
                         capture_output=True, text=True, timeout=600)
    assert got.returncode == 0, got.stderr


@pytest.fixture(scope="module")
def usr(tmp_path_factory):
    dest = tmp_path_factory.mktemp("dest")
    install(dest, "/usr")
    return dest


def files_below(path):
    return sorted(os.path.relpath(os.path.join(folder, name), path)
                  for folder, _, names in os.walk(path) for name in names)


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


def test_everything_has_its_place(usr):
    assert files_below(usr) == sorted(
        ["etc/tend/tend.ini", "usr/lib/sysusers.d/tend.conf", "usr/share/man/man1/tend.1",
         "usr/share/man/man5/tend.ini.5", "usr/share/man/man8/tendd.8", "usr/share/man/man8/tend-keeper.8", "usr/share/bash-completion/completions/tend",
         "usr/share/zsh/site-functions/_tend", "usr/share/fish/vendor_completions.d/tend.fish"]
        + ["usr/bin/" + name for name in PROGRAMS]
        + ["usr/lib/systemd/%s/%s" % (side, name) for side in ("system", "user") for name in UNITS]
        + ["usr/share/doc/tend/examples/" + name for name in os.listdir(os.path.join(SOURCE, "conf"))
           if name.endswith((".ini", ".rules.yml")) and name != "tend.ini"])


def test_rights(usr):
    for name in files_below(usr):
        expected = 0o755 if name.startswith("usr/bin/") else 0o644
        assert mode(usr / name) == expected, name
    assert mode(usr / "etc/tend/secrets") == 0o700
    assert mode(usr / "etc/tend") == 0o755


def test_installed_programs_run(usr):
    for name in ("tend", "tendd"):
        got = subprocess.run([usr / "usr/bin" / name, "--version"], capture_output=True, text=True, timeout=60)
        assert got.returncode == 0 and got.stdout.startswith(name + " ")
    # A build folder must not be needed any more.
    for name in PROGRAMS:
        got = subprocess.run(["readelf", "-d", usr / "usr/bin" / name], capture_output=True, text=True)
        assert "RPATH" not in got.stdout and "RUNPATH" not in got.stdout


def test_what_ships_as_tend_ini_is_a_valid_configuration(usr, tmp_path):
    ini = tmp_path / "tend.ini"
    shutil.copy(usr / "etc/tend/tend.ini", ini)
    ini.chmod(0o644)
    got = subprocess.run([usr / "usr/bin/tendd", "--check", "-c", ini], capture_output=True, text=True, timeout=60,
                         env=dict(os.environ, HOME=str(tmp_path)))
    assert (got.returncode, got.stderr) == (0, "")


def test_a_persons_configuration_is_not_written_over(tmp_path):
    install(tmp_path, "/usr")
    ini = tmp_path / "etc/tend/tend.ini"
    ini.write_text("; mine\n")
    install(tmp_path, "/usr")
    assert ini.read_text() == "; mine\n"


@pytest.mark.parametrize("prefix, etc", [("/usr", "/etc"), ("/usr/local", "/etc"), ("/opt/tend", "/opt/tend/etc")])
def test_units_name_the_installed_programs(tmp_path, prefix, etc):
    install(tmp_path, prefix)
    assert os.path.exists("%s%s/tend/tend.ini" % (tmp_path, etc))
    named = set()
    for side in ("system", "user"):
        for name in UNITS:
            with open("%s%s/lib/systemd/%s/%s" % (tmp_path, prefix, side, name)) as file:
                text = file.read()
            assert "@" not in re.sub(r"^#.*$", "", text, flags=re.M)
            programs = re.findall(r"^Exec[A-Za-z]*=[-+!:]*(/\S+)", text, re.M)
            assert programs
            named.update(programs)
    assert named == {"%s/bin/%s" % (prefix, name) for name in PROGRAMS}
    for program in named:
        assert os.access("%s%s" % (tmp_path, program), os.X_OK)


@pytest.mark.parametrize("side", ["system", "user"])
def test_systemd_takes_the_units(usr, side):
    units = [str(usr / "usr/lib/systemd" / side / name) for name in UNITS]
    words = ["systemd-analyze", "verify", "--man=no"] + (["--user"] if side == "user" else []) + units
    got = subprocess.run(words, capture_output=True, text=True, timeout=120)
    # The programs it names are not installed on this machine: that is the only thing it may say.
    said = [line for line in (got.stdout + got.stderr).splitlines()
            if re.search(r"tend(-services)?\.service", line) and "is not executable" not in line]
    assert said == []


def test_plists_name_the_installed_programs(tmp_path):
    for name in ("tend.daemon.plist", "tend.agent.plist"):
        with open(os.path.join(SOURCE, "launchd", name)) as file:
            text = file.read().replace("@PREFIX@", "/usr/local")
        assert plistlib.loads(text.encode())["ProgramArguments"] == ["/usr/local/bin/tendd"]
