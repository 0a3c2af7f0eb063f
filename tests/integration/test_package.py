"""The Debian package and the source archive: what is in them, what lintian says, and the package's life on a booted machine.

one build
"""

import gzip
import re
import shutil
import subprocess
import tarfile

import pytest

from booted import ONLY, RELEASE, SOURCE, SUPPORT, bare, boot, put

JOB = """[Unit]
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/bin/sh -c '/job/run.sh >>/job/out 2>&1; echo $$? >/job/rc; systemctl --no-block poweroff'
"""


def run(*words, **options):
    got = subprocess.run(list(map(str, words)), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, **options)
    assert got.returncode == 0, got.stdout + got.stderr
    return got.stdout


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    place = tmp_path_factory.mktemp("package")
    run("cpack", "--config", RELEASE / "CPackConfig.cmake", "-B", place)
    [path] = place.glob("*.deb")
    assert re.fullmatch(r"tend_\d+\.\d+\.\d+-1_[a-z0-9]+\.deb", path.name)
    return path


@pytest.fixture(scope="module")
def tree(package, tmp_path_factory):
    place = tmp_path_factory.mktemp("tree")
    run("dpkg-deb", "-R", package, place)
    return place


def test_lintian_finds_no_errors(package):
    said = run("lintian", "--fail-on", "error", "--allow-root", "--no-cfg", package)
    assert not re.search(r"^E:|no-manual-page", said, re.M), said


def test_what_is_in_it(tree):
    control = (tree / "DEBIAN/control").read_text()
    for library in ("libcurl4", "libuv1", "libsqlite3-0", "libmicrohttpd12"):
        assert re.search(r"^Depends: .*\b%s " % library, control, re.M), control
    conffiles = (tree / "DEBIAN/conffiles").read_text().split()
    assert sorted("/" + str(path.relative_to(tree)) for path in (tree / "etc").rglob("*") if path.is_file()) == sorted(conffiles)
    for page in ("man1/tend.1", "man5/tend.ini.5", "man8/tendd.8", "man8/tend-keeper.8"):
        assert gzip.open(tree / ("usr/share/man/%s.gz" % page), "rt").read() == (
            SOURCE / "conf" / page.split("/")[1]).read_text()
    assert {path.name for path in (tree / "usr/share/doc/tend/examples").iterdir()} == {
        path.name for path in (SOURCE / "conf").glob("*.ini") if path.name != "tend.ini"} | {"tend.rules.yml"}
    assert (tree / "usr/share/doc/tend/README.Debian").read_text() == (SOURCE / "systemd/debian/README.Debian").read_text()
    for name in ("bash-completion/completions/tend", "zsh/vendor-completions/_tend", "fish/vendor_completions.d/tend.fish"):
        assert (tree / "usr/share" / name).is_file()
    for side in ("system", "user"):
        for unit in ("tend.service", "tend-services.service"):
            assert "/usr/bin/tend" in (tree / "usr/lib/systemd" / side / unit).read_text()
    assert "g tend" in (tree / "usr/lib/sysusers.d/tend.conf").read_text()
    assert "override_rc" in (tree / "etc/needrestart/conf.d/tend.conf").read_text()
    words = " ".join((SOURCE / "LICENSE").read_text().partition("Permission is")[2].split())
    assert words in " ".join((tree / "usr/share/doc/tend/copyright").read_text().replace("\n .\n", "\n").split())


def test_the_archive_of_sources_holds_all_that_is_tracked(tmp_path):
    run("cpack", "--config", RELEASE / "CPackSourceConfig.cmake", "-B", tmp_path)
    [path] = tmp_path.glob("*.tar.xz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"CMakeLists.txt", "README.md", "LICENSE", "lib/base/base.h", "systemd/debian/postinst", "tests/run"} <= names
    assert not [name for name in names if name.startswith(("build/", ".git/")) or "__pycache__" in name]
    listed = subprocess.run(["git", "-c", "safe.directory=*", "-C", str(SOURCE), "ls-files"], capture_output=True, text=True,
                            check=False)
    if listed.returncode == 0:  # an unpacked archive is no repository
        there = {name for name in listed.stdout.splitlines() if (SOURCE / name).exists() and not name.startswith(".git")}
        assert there - names == set()


def newer(tree, place):
    """The same as a later version of the package."""
    copy = place / "newer"
    shutil.copytree(tree, copy, symlinks=True)
    control = copy / "DEBIAN/control"
    control.write_text(re.sub(r"^(Version: .*)-1$", r"\1-2", control.read_text(), flags=re.M))
    run("dpkg-deb", "--root-owner-group", "-b", copy, place / "newer.deb")
    shutil.rmtree(copy)


def test_its_life(package, tree, tmp_path):
    """Installed, configured, upgraded, removed, installed again and purged, where systemd runs."""
    job = tmp_path
    shutil.copy(package, job / "first.deb")
    newer(tree, job)
    shutil.copy(SUPPORT / "package-job.sh", job / "run.sh")
    shutil.copy(SUPPORT / "job.sh", job)
    with bare() as root:
        put(root / "srv/only", ONLY, 0o755)
        put(root / "srv/data/file", "file\n")
        (root / "srv/remote").mkdir()
        put(root / "etc/systemd/system/job.service", JOB)
        wants = root / "etc/systemd/system/default.target.wants"
        wants.mkdir(parents=True, exist_ok=True)
        (wants / "job.service").symlink_to("../job.service")
        boot(root, job, times=1)
