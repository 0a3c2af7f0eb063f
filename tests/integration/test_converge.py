"""10,000 random steps on two machines that share one remote, on six kinds of them together, and both are killed now and then.

servers: azure_azurite s3_rgw dav_apache sftp_sshd
"""

import os
import random
import shutil

from two_machines import Pair, any_store, contents, other_store  # noqa: F401


def step(chance, data, number):
    """One thing that a person may do."""
    paths = sorted(path for path in contents(data) if not path.startswith("own "))
    files = [path for path in paths if (data / path).is_file()]
    folders = [path for path in paths if (data / path).is_dir() and not (data / path).is_symlink()]
    what = chance.random()
    try:
        if what < 0.35 or not files:
            folder = chance.choice(folders + [""])
            (data / folder / ("f%d" % chance.randrange(40))).write_text("%d\n" % number + "+" * (1000 + number))
        elif what < 0.6:
            # SFTP tells times by the second: edits of one size within it would look alike.
            (data / chance.choice(files)).write_text("edit %d\n" % number + "." * number)
        elif what < 0.72:
            (data / chance.choice(files)).unlink()
        elif what < 0.82:
            (data / chance.choice(folders + [""]) / ("d%d" % chance.randrange(8))).mkdir(exist_ok=True)
        elif what < 0.92:
            to = data / chance.choice(folders + [""]) / ("f%d" % chance.randrange(40))
            if not to.exists():
                (data / chance.choice(files)).rename(to)
        elif folders:
            shutil.rmtree(data / chance.choice(folders))
    except OSError:
        pass  # the daemon was faster


def test_they_converge_whatever_happens(any_store):
    converge(any_store)


def test_they_converge_on_other_clouds_too(other_store):
    converge(other_store)


def converge(store):
    """What was written last by one alone is never lost. By hand: TEND_STEPS=10000, on each."""
    pair = Pair(store, more="max_delete = none\n")
    seed = int(os.environ.get("TEND_SEED", random.randrange(10**9)))
    print("TEND_SEED=%d" % seed)
    chance = random.Random(seed)
    kept = {}
    try:
        pair.start()
        (pair.data(0) / "own stays").write_text("a remote that is wholly empty asks a person\n")
        pair.meet()
        for number in range(int(os.environ.get("TEND_STEPS", "1700"))):
            side = chance.randrange(2)
            step(chance, pair.data(side), number)
            if number % 12 == 0:  # nobody else touches these
                name = "own %d %d" % (side, number)
                (pair.data(side) / name).write_text("kept %d\n" % number)
                kept[name] = "kept %d\n" % number
            if chance.random() < 0.04:
                machine = pair.machines[chance.randrange(2)]
                machine.kill()
                machine.start()
            if chance.random() < 0.05:
                pair.wait(side)
        pair.meet()
        for name, text in kept.items():
            assert (pair.data(1) / name).read_text() == text
        for number in range(2):
            assert not [name for name in contents(pair.data(number)) if ".tend-tmp." in name]
        pair.wait()
        before = [machine.folder_part("data") for machine in pair.machines]
        pair.wait()
        for machine, part in zip(pair.machines, before):
            now = machine.folder_part("data")
            for name in ("sent_files", "brought_files", "removed", "removed_here", "set_only"):
                assert now[name] == part[name], (name, part[name], now[name])
    finally:
        pair.close()
