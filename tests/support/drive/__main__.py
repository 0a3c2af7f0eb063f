"""Runs the server until it is ended: prints its address, a client and tokens as JSON in one line.

usage: python3 -m drive [--port N] [--tls CERT KEY] [--scope drive.file|drive]"""
import argparse
import json
import signal

from .server import Server

parser = argparse.ArgumentParser()
parser.add_argument("--port", type=int, default=0)
parser.add_argument("--tls", nargs=2)
parser.add_argument("--scope", default="drive")
given = parser.parse_args()
server = Server(given.port, given.tls).start()
client, secret = server.add_client()
print(json.dumps({"address": server.address, "client_id": client, "client_secret": secret, "user": server.user,
                  "token": server.sign_in(client, given.scope)}), flush=True)
signal.sigwait({signal.SIGTERM, signal.SIGINT})
server.stop()
