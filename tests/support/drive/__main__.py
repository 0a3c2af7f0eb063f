"""Runs the server until it is ended: prints its address, a client and tokens as JSON in one line.

usage: python3 -m drive [--port N] [--tls CERT KEY] [--scope drive.file|drive] [--leave DIR]

With --leave the secret and the token are files in DIR, and DIR/server names them."""
import argparse
import json
import pathlib
import signal

from .server import Server

parser = argparse.ArgumentParser()
parser.add_argument("--port", type=int, default=0)
parser.add_argument("--tls", nargs=2)
parser.add_argument("--scope", default="drive")
parser.add_argument("--leave", type=pathlib.Path)
given = parser.parse_args()
server = Server(given.port, given.tls).start()
client, secret = server.add_client()
token = server.sign_in(client, given.scope)
if given.leave:
    (given.leave / "secret").write_text(secret + "\n")
    (given.leave / "token").write_text(json.dumps(token))
    (given.leave / "own").write_text(json.dumps(server.sign_in(client, "drive.file")))
    for name in ("secret", "token", "own"):
        (given.leave / name).chmod(0o600)
    ready = given.leave / "server.new"
    ready.write_text(f"{server.address}\n{client}\n{given.leave}/secret\n{given.leave}/token\n{given.leave}/own\n")
    ready.rename(given.leave / "server")
else:
    print(json.dumps({"address": server.address, "client_id": client, "client_secret": secret, "user": server.user,
                      "token": token}), flush=True)
signal.sigwait({signal.SIGTERM, signal.SIGINT})
server.stop()
