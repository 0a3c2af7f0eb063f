"""Two machines that share one remote, for tests of `two-way` and `fetch`."""

import os

import pytest

from drive_ground import Drive, Ground
from stores import S3, Azure, Directory, Sftp, WebDav
from tend import Tendd

QUICK = "settle = 50ms\nmax_settle = 2s\npoll = 1s\npace = 100%\n"


class Pair:
    """Two machines that share one remote."""

    def __init__(self, store, modes=("two-way", "two-way"), more=""):
        self.store = store
        self.modes = modes
        self.more = more
        self.machines = [Tendd(), Tendd()]

    def start(self):
        for machine, mode in zip(self.machines, self.modes):
            self.configure(machine, mode)
            machine.start()
        return self

    def configure(self, machine, mode, more=""):
        data = machine.folder("data")
        machine.configure(self.store.folder(data, more=QUICK + "mode = %s\n" % mode + self.more + more))

    def data(self, number):
        return self.machines[number].root / "data"

    def wait(self, *numbers):
        for number in numbers or (0, 1):
            self.machines[number].barrier("data")

    def meet(self):
        """Both have what both had."""
        def alike():
            self.wait(0, 1)
            self.wait(0)
            return contents(self.data(0)) == contents(self.data(1))
        try:
            self.machines[0].until(alike, "both sides alike")
        except AssertionError as error:
            left, right = contents(self.data(0)), contents(self.data(1))
            differ = sorted(set(left.items()) ^ set(right.items()), key=str)[:20]
            parts = [machine.folder_part("data") for machine in self.machines]
            stand = [{name: part[name] for name in ("state", "pending", "refused", "trouble", "troubles", "deletions")}
                     for part in parts]
            raise AssertionError("%s\n%s\n%s\n%s" % (differ, stand, self.machines[1].said[-4000:], error)) from None

    def close(self):
        for machine in self.machines:
            machine.close()


def contents(data):
    """Kinds, bytes and targets; not times, which some remotes do not keep."""
    found = {}
    for folder, folders, files in os.walk(data):
        for name in folders + files:
            path = os.path.join(folder, name)
            short = os.path.relpath(path, data)
            if ".tend-tmp." in name:
                continue
            try:
                if os.path.islink(path):
                    found[short] = ("link", os.readlink(path))
                elif os.path.isdir(path):
                    found[short] = ("folder",)
                else:
                    with open(path, "rb") as file:
                        found[short] = ("file", file.read())
            except FileNotFoundError:
                pass
    return found


def trash(machine):
    return {os.path.relpath(os.path.join(folder, name), machine.state / "trash" / "data").split("/", 1)[1]:
            open(os.path.join(folder, name), "rb").read()
            for folder, _, files in os.walk(machine.state / "trash" / "data") for name in files}


def conflicts(data):
    return sorted(name for _, _, files in os.walk(data) for name in files if "(conflict " in name)


@pytest.fixture
def directory(tmp_path):
    return Directory(tmp_path / "remote")


@pytest.fixture(params=["directory", "s3_rgw", "dav_apache", "sftp_sshd"])
def any_store(tmp_path, request):
    make = {"directory": lambda: Directory(tmp_path / "remote"), "s3_rgw": lambda: S3("s3_rgw", tmp_path),
            "dav_apache": lambda: WebDav("dav_apache", tmp_path), "sftp_sshd": lambda: Sftp("tend")}
    return make[request.param]()


@pytest.fixture
def pair(directory):
    pair = Pair(directory)
    yield pair
    pair.close()


@pytest.fixture
def any_pair(any_store):
    pair = Pair(any_store)
    yield pair
    pair.close()


@pytest.fixture(params=["gdrive", "azure_azurite"])
def other_store(tmp_path, request):
    """Clouds where a look costs more: a story or two each."""
    if request.param == "gdrive":
        with Ground(tmp_path, tls=True) as ground:
            yield Drive(tmp_path, ground)
    else:
        yield Azure("azure_azurite", tmp_path)


@pytest.fixture
def other_pair(other_store):
    pair = Pair(other_store)
    yield pair
    pair.close()
