"""README's words alone, on a machine that systemd boots: the package, three answers, the S3 section with its ini block as it stands,
and what a person types there. Nothing is known but what the reader knows: bucket, key, endpoint.

servers: s3_rgw
one build
"""

import re
import shutil
import tempfile
import textwrap
from pathlib import Path

import pytest

from booted import SOURCE, SUPPORT, bare, boot, put
from mirrored import seen_from_inside
from stores import S3
from test_box import LATER, THERE
from test_package import JOB, package  # noqa: F401

README = (SOURCE / "README.md").read_text()
LINE = """import importlib, signal
importlib.import_module("box-mirror").outside(9000, "/job/s3")
signal.pause()
"""
# An editor that does what step 3 says: takes the `;` off, fills in what is the reader's own, adds what the block has more.
EDITOR = """import re, sys
text, block = open(sys.argv[-1]).read(), open("/job/block").read()
for section in re.split(r"^(?=\\[)", block, flags=re.M):
    head = section.split("\\n", 1)[0]
    if not head:
        continue
    there = re.search(r"^" + re.escape(head) + r"\\n(?:(?!\\[).*\\n?)*", text, re.M)
    if not there:
        text += "\\n" + section
        continue
    body = there.group()
    for line in section.splitlines()[1:]:
        key = line.split(" = ")[0]
        if line:
            body, found = re.subn(r"^(; )?" + key + " = .*$", lambda _: line, body, flags=re.M)
            body = body if found else body.rstrip("\\n") + "\\n" + line + "\\n\\n"
    text = text.replace(there.group(), body)
open(sys.argv[-1], "w").write(text)
"""


def section(name):
    return re.search(r"^## %s\n(.*?)^## " % re.escape(name), README, re.M | re.S).group(1)


def commands(text):
    """What is to be typed: lines of their own, and words in backticks, in order. As root `sudo` is left out, as README says."""
    found = re.findall(r"^ {4,}(sudo [^#\n,]*?)(?: +#.*|, paste it.*)?$|`(sudo [^`]*)`", text, re.M)
    return [re.sub(r"\bsudo ", "", line or word) for line, word in found]


@pytest.fixture
def job():
    place = Path(tempfile.mkdtemp(prefix="tend-new-"))  # short: a socket lies in it
    yield place
    shutil.rmtree(place)


def test_the_words_of_the_readme(job, tmp_path, package):  # noqa: F811
    store = S3("s3_rgw", tmp_path)
    s3 = section("An S3 bucket")
    block = textwrap.dedent(re.search(r"^ +```ini\n(.*?)^ +```", s3, re.M | re.S).group(1).expandtabs())
    for word, own in (("BUCKET", store.bucket), ("https://s3.example.org", "http://127.0.0.1:9000"), ("KEY", store.access)):
        assert block.count(word) == 1, block
        block = block.replace(word, own)
    block = block.replace("[step tools]", "region = %s\nprefix = %s\n\n[step tools]" % (store.region, store.prefix))
    answers = re.search(r"`(~/Documents)`, `(s3:BUCKET)` and `(glances -w)`", s3).groups()
    typed = commands(section("Install it"))[1:5] + commands(s3)
    assert typed == ["apt install ./build/release/tend_*.deb", "tend init", "tend reload && tend doctor", "tend status --watch",
                     "install -m 600 /dev/stdin /etc/tend/secrets/s3", "tend edit", "tend remote check cloud", "tend wait"], typed
    put(job / "block", block)
    put(job / "answers", "\n".join(answers).replace("BUCKET", store.bucket) + "\n")
    put(job / "secret", store.secret + "\n")
    put(job / "editor.py", EDITOR)
    put(job / "line.py", LINE)
    put(job / "typed", "\n".join(typed) + "\n")
    shutil.copy(SUPPORT / "box-mirror.py", job)
    shutil.copy(SUPPORT / "newcomer-job.sh", job / "run.sh")
    shutil.copy(SUPPORT / "job.sh", job)
    shutil.copy(package, job / package.name)
    with bare(THERE, LATER) as root, seen_from_inside(store.server, job / "s3"):
        for path in (root / "etc/apt/sources.list.d").iterdir():
            path.unlink()
        put(root / "etc/apt/sources.list", "deb [trusted=yes] file:/srv/apt ./\n")
        put(root / "root/Documents/letter", "from the newcomer\n")
        put(root / "etc/systemd/system/job.service", JOB)
        wants = root / "etc/systemd/system/default.target.wants"
        wants.mkdir(parents=True, exist_ok=True)
        (wants / "job.service").symlink_to("../job.service")
        boot(root, job, times=1)
    assert store.read("documents/letter") == b"from the newcomer\n"
    assert store.read("documents/later") == b"later\n"
