"""A machine that trains, whole: a bare Debian, tend, and conf/training.ini, in a container that systemd boots, until it is taken away.

What differs from the shipped file is where the bucket is, a real S3 server of the tests, and who says that the machine goes. Everything
else is as a person has it: python3-venv, tmux and mosh come by apt, pip builds a real venv from an index in the tree. What that holds
is a stand-in for TensorBoard, which lists the folder it is given.

servers: s3_rgw
one build
"""

import shutil
import subprocess
import tempfile
import threading
import time
import zipfile
from pathlib import Path

import pytest

from booted import SOURCE, SUPPORT, furnish, installed, put
from metadata_server import Metadata
from mirrored import adapted, boot, make_mirror, seen_from_inside
from stores import S3
from test_systemd import JOB

THERE = "python3,ca-certificates,curl"
LATER = "python3-venv,tmux,mosh"

BOARD = """import argparse, functools, http.server

def main():
	words = argparse.ArgumentParser()
	for name in ("logdir", "host", "port"):
		words.add_argument("--" + name)
	words = words.parse_args()
	handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=words.logdir)
	http.server.ThreadingHTTPServer((words.host, int(words.port)), handler).serve_forever()
"""
# Saves each checkpoint beside its place first, breaks down once in the middle of one, half of which stays, and goes on where it was.
TRAIN = """import os, signal, sys, time

def save(name, body):
	aside = "checkpoints/%s.%d.tmp" % (name, os.getpid())
	with open(aside, "wb") as file:
		file.write(body[:len(body) // 2])
		file.flush()
		if name == "best-3.pt" and not os.path.exists("broken"):
			open("broken", "w").close()
			sys.exit(1)
		file.write(body[len(body) // 2:])
	os.rename(aside, "checkpoints/" + name)

def ends(number, frame):
	save("last.pt", b"last")
	print("saved")
	sys.exit(0)

assert sys.argv[1:] == ["--resume"] and os.environ["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"
import kit
signal.signal(signal.SIGTERM, ends)
done = max([int(name[5:-3]) for name in os.listdir("checkpoints") if name.startswith("best-") and name.endswith(".pt")], default=0)
print("goes on after", done)
for epoch in range(done + 1, 6):
	with open("logs/log.csv", "a") as log:
		log.write("%d,%f\\n" % (epoch, 1 / epoch))
	with open("logs/events.out.tfevents", "ab") as events:
		events.write(os.urandom(1000))
	save("best-%d.pt" % epoch, os.urandom(200000))
print("waits")
while True:
	time.sleep(0.1)
"""


def make_wheel(index, name, text, scripts=""):
    """A package on an index as pip asks for it."""
    place = index / "simple" / name
    place.mkdir(parents=True)
    info = name + "-1.0.dist-info/"
    files = {name + "/__init__.py": text, info + "METADATA": "Metadata-Version: 2.1\nName: %s\nVersion: 1.0\n" % name,
             info + "WHEEL": "Wheel-Version: 1.0\nGenerator: a\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
             info + "entry_points.txt": scripts}
    files[info + "RECORD"] = "".join("%s,,\n" % path for path in [*files, info + "RECORD"])
    wheel = name + "-1.0-py3-none-any.whl"
    with zipfile.ZipFile(place / wheel, "w") as packed:
        for path, body in files.items():
            packed.writestr(path, body)
    (place / "index.html").write_text("<!DOCTYPE html><html><body><a href='%s'>%s</a></body></html>\n" % (wheel, wheel))


def example(store):
    return adapted(
        (SOURCE / "conf/training.ini").read_text(),
        ("bucket = my-training", "bucket = %s\nprefix = %s\nendpoint = http://127.0.0.1:9000" % (store.bucket, store.prefix)),
        ("region = us-east-1", "region = " + store.region),
        ("provider = auto", "provider = aws\nendpoint = http://127.0.0.1:9001"))


def furnish_person(root):
    """What somebody brought to the machine before."""
    home = root / "home/ubuntu"
    subprocess.run(["chroot", root, "useradd", "-m", "-s", "/bin/bash", "ubuntu"], check=True)
    put(home / "run/train.py", TRAIN)
    put(home / "run/requirements.txt", "kit==1.0\n")
    subprocess.run(["chroot", root, "chown", "-R", "ubuntu:", "/home/ubuntu/run"], check=True)


@pytest.fixture
def job():
    place = Path(tempfile.mkdtemp(prefix="tend-run-"))  # short: sockets lie in it
    yield place
    shutil.rmtree(place)


def tells(job, metadata, ends):
    """Half a minute from when the job asks for the end."""
    while not ends.is_set() and not (job / "enough").exists():
        time.sleep(0.05)
    metadata.terminate(30)


def test_the_training(job, tmp_path):
    store = S3("s3_rgw", tmp_path)
    for name in ("training-job.sh", "job.sh"):
        shutil.copy(SUPPORT / name, job / name.replace("training-job", "run"))
    with installed(THERE, LATER) as root, Metadata() as metadata:
        with seen_from_inside(store.server, job / "s3"), seen_from_inside(metadata.url, job / "notices"):
            furnish(root, example(store), JOB)
            put(root / "root/.aws/credentials", "[training]\naws_access_key_id = %s\naws_secret_access_key = %s\n" % (
                store.access, store.secret), 0o600)
            put(root / "etc/pip.conf", "[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n")
            index = make_mirror(root, "pypi.org") / "pypi.org"
            make_wheel(index, "tensorboard", BOARD, "[console_scripts]\ntensorboard = tensorboard:main\n")
            make_wheel(index, "kit", "")
            furnish_person(root)
            ends = threading.Event()
            teller = threading.Thread(target=tells, args=(job, metadata, ends))
            teller.start()
            try:
                boot(root, job)
            finally:
                ends.set()
                teller.join()
        run = root / "home/ubuntu/run"
        assert store.read("run/checkpoints/last.pt") == b"last"
        assert sorted(store.keys("run/checkpoints")) == ["best-%d.pt" % i for i in range(1, 6)] + ["last.pt"]
        assert len(list((run / "checkpoints").glob("best-3.pt.*.tmp"))) == 1
        for name in ("checkpoints", "logs"):
            store.judge(run / name, "run/" + name, excluded=["*.tmp"])
