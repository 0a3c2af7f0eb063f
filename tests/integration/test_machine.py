"""A bare machine that builds itself: packages, a user, a firewall, a reboot in the middle; in a container that systemd boots.

one build
"""

import gzip
import hashlib
import shutil
import subprocess

from booted import SUPPORT, boot, furnish, installed, put
from test_systemd import JOB

INI = """
[step probe]
packages = tend-probe a-probe

# Beside the first: both want apt's locks.
[step third]
packages = tend-third

[step soph]
user = soph
groups = sudo makers
shell = /bin/bash
sudo = yes
authorized_keys =
	ssh-ed25519 AAAAone soph@here
	github:soph-hub
	/etc/tend/keys
requires = step:probe service:hub

[step nobody-there]
user = other
authorized_keys = github:none
retries = 0
requires = service:hub

[service hub]
command = perl /srv/hub
ready = tcp:8099
network = no

[step ssh]
run =
	mkdir -p /etc/ssh/sshd_config.d
	echo 'Port 2222' >/etc/ssh/sshd_config.d/port.conf
	systemctl restart ssh

[step ports]
allow = 8888/tcp 60000:61000/udp
requires = step:ssh

[step some]
allow = 7777/tcp
from = 192.0.2.0/24 2001:db8::/32
requires = step:ssh

[step conf]
file = ~/.tmux.conf
as = soph
content = set-option -g mouse on
requires = step:soph

[step late]
run = touch /run/reboot-required
reboot = if-required
requires = step:probe step:third step:soph step:ports step:some step:conf

[step after]
run = echo after >>/srv/after
requires = step:late
"""

# What GitHub says of who is there, and of who is not.
HUB = """use IO::Socket::INET;
my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1:8099', Listen => 5, ReuseAddr => 1) or die;
while (my $peer = $listener->accept) {
	my $line = <$peer> // '';
	while (my $header = <$peer>) { last if $header =~ /^\\r?$/ }
	open(my $log, '>>', '/srv/asked'); print $log $line; close $log;
	my $body = $line =~ m{^GET /soph-hub.keys } ? "ssh-ed25519 AAAAhub\\nssh-rsa AAAAtwo two\\n" : '';
	printf $peer "HTTP/1.1 %s\\r\\nContent-Length: %d\\r\\nConnection: close\\r\\n\\r\\n%s", $body ? '200 OK' : '404 No',
		length $body, $body;
	close $peer;
}
"""

# Made here, so that nothing is fetched: what is tried is apt's own way from a list to a program.
PACKAGES = {
    "tend-probe": ("Provides: a-probe\n", "#!/bin/sh\necho probe 1\n"),
    "tend-third": ("", "#!/bin/sh\necho third\n"),
    "tend-second": ("", "#!/bin/sh\necho second\n"),
}


def make_archive(root, work):
    """A repository of packages in the tree, and apt that knows only it."""
    archive = root / "srv/apt"
    archive.mkdir(parents=True)
    stanzas = ""
    for name, (more, program) in PACKAGES.items():
        tree = work / name
        control = ("Package: %s\nVersion: 1\nArchitecture: all\nMaintainer: a <a@example.org>\n%s"
                   "Description: for a test\n" % (name, more))
        put(tree / "DEBIAN/control", control)
        put(tree / "DEBIAN/postinst", "#!/bin/sh\necho \"$DEBIAN_FRONTEND\" >/srv/frontend\n", 0o755)
        put(tree / "usr/bin" / name, program, 0o755)
        file = archive / (name + ".deb")
        subprocess.run(["dpkg-deb", "--root-owner-group", "-b", tree, file], check=True, capture_output=True)
        stanzas += "%sFilename: ./%s\nSize: %d\nSHA256: %s\n\n" % (
            control, file.name, file.stat().st_size, hashlib.sha256(file.read_bytes()).hexdigest())
    (archive / "Packages.gz").write_bytes(gzip.compress(stanzas.encode()))
    for path in (root / "etc/apt/sources.list.d").iterdir():
        path.unlink()
    put(root / "etc/apt/sources.list", "deb [trusted=yes] file:/srv/apt ./\n")


def test_a_bare_machine_builds_itself(tmp_path):
    job, work = tmp_path / "job", tmp_path / "work"
    job.mkdir()
    with installed("sudo,ufw,openssh-server,git,iproute2") as root:
        furnish(root, INI, JOB)
        make_archive(root, work)
        put(root / "srv/hub", HUB)
        put(root / "etc/systemd/system/tend.service.d/test.conf", "[Service]\nEnvironment=TEND_GITHUB=http://127.0.0.1:8099\n")
        put(root / "etc/tend/keys", "# two\nssh-rsa AAAAtwo two\n")
        shutil.copy(SUPPORT / "machine-job.sh", job / "run.sh")
        shutil.copy(SUPPORT / "job.sh", job)
        boot(root, job, times=3, patience=400)
        assert (job / "boots").read_text().strip() == "2"
