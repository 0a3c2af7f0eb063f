#!/usr/bin/python3
"""10,000 files of 1 to 16 KiB to a real S3 (Ceph RGW in memory): wall against a bare loop of keep-alive PUTs of the same objects, CPU
against the best of rclone's --transfers 8, 32, 64."""

import os
import shutil
import subprocess
import sys

from bench import ROOT, best, make_files, middle, room, say, tend_once, timed

PARALLEL = 32


def server_start(base, store="memstore"):
    subprocess.run([ROOT / "tests/support/start-rgw", base / "rgw", "0", store], check=True, stdout=subprocess.DEVNULL)
    return dict(zip(("endpoint", "access", "secret", "region", "bucket"), (base / "rgw/server").read_text().split("\n")))


def bare_once(base, server, source, name):
    binary = base / "put_loop"
    if not binary.exists():
        subprocess.run(
            ["cc", "-O2", "-o", binary, ROOT / "tests/bench/put_loop.c", "-lcurl", "-lcrypto"], check=True
        )
    environment = dict(os.environ, ACCESS=server["access"], SECRET=server["secret"], REGION=server["region"])
    return timed(
        [binary, server["endpoint"], server["bucket"], name, str(source), str(PARALLEL)], env=environment
    )


def s3_section(base, server, prefix):
    """[remote cloud] in a folder of one's own; its secret goes to base."""
    secret = base / "secret"
    secret.write_text(server["secret"])
    secret.chmod(0o600)
    return (
        "[remote cloud]\ntype = s3\nendpoint = %s\nbucket = %s\nregion = %s\nprefix = %s\naccess_key_id = %s\n"
        "secret_access_key_file = %s\n"
        % (server["endpoint"], server["bucket"], server["region"], prefix, server["access"], secret)
    )


def rclone_remote(server, prefix):
    return ":s3,provider=Ceph,env_auth=false,access_key_id='%s',secret_access_key='%s',endpoint='%s':%s/%s" % (
        server["access"],
        server["secret"],
        server["endpoint"],
        server["bucket"],
        prefix,
    )


def rclone_once(server, source, name, transfers):
    return timed(
        ["rclone", "copy", "--config", "/dev/null", "--transfers", str(transfers), str(source), rclone_remote(server, name)]
    )


def main(count):
    base = room()
    try:
        server = server_start(base)
        source = base / "source"
        make_files(source, count, 1024, 16384)
        bare, tend, peer = [], [], []
        for i in range(3):
            bare.append(bare_once(base, server, source, "bare%d" % i))
            ini = "[folder all]\npath = %s\nremote = cloud:\nmax_transfers = %d\n" % (source, PARALLEL)
            tend.append(tend_once(base / "tend", s3_section(base, server, "tend%d" % i) + ini))
            peer.append([rclone_once(server, source, "rclone%d-%d" % (i, n), n) for n in (8, 32, 64)])
        say("s3", "wall", "s", middle(tend, 0), middle(bare, 0), "bare PUT loop", 1.15, files=count)
        say("s3", "cpu", "s", middle(tend, 1), best(peer, 1), "rclone copy, best of 8/32/64", 0.25, files=count,
            bare_loop=round(middle(bare, 1), 2))
    finally:
        subprocess.run([ROOT / "tests/support/stop-server", base / "rgw"])
        shutil.rmtree(base, ignore_errors=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10000)
