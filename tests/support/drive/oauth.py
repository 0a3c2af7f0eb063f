"""Who may do what: the authorization, token and device endpoints, and service accounts."""
import base64
import hashlib
import json
import subprocess
import tempfile
import time
import urllib.parse

from . import errors
from .model import new_id

SCOPE = "https://www.googleapis.com/auth/"
DEVICE_SCOPES = {SCOPE + "drive.file", SCOPE + "drive.appdata"}
KNOWN_SCOPES = {SCOPE + name for name in ("drive", "drive.file", "drive.readonly", "drive.appdata", "drive.metadata",
                                          "drive.metadata.readonly")}


class Login:
    """What an access token stands for."""

    def __init__(self, user, client, scope):
        self.user, self.client, self.scope = user, client, scope
        self.full = SCOPE + "drive" in scope.split()
        self.may_write = self.full or SCOPE + "drive.file" in scope.split()


class Client:
    def __init__(self, client_id, secret):
        self.id, self.secret = client_id, secret


def unpad(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class OAuth:
    def __init__(self):
        self.clients = {}
        self.accounts = {}  # service accounts: email -> (public key PEM, may impersonate)
        self.access, self.refresh, self.codes, self.devices = {}, {}, {}, {}
        self.token_seconds = 3600
        self.refreshes = 0
        self.interval = 5

    def login(self, header, given):
        token = header[7:] if header and header.startswith("Bearer ") else given.get("access_token")
        entry = self.access.get(token)
        if not entry or entry[1] < time.time():
            raise errors.no_login()
        return entry[0]

    def grant(self, login, refresh=True):
        token = "ya29." + new_id("")
        self.access[token] = (login, time.time() + self.token_seconds)
        out = {"access_token": token, "expires_in": self.token_seconds, "scope": login.scope, "token_type": "Bearer"}
        if refresh:
            kept = "1//" + new_id("")
            self.refresh[kept] = login
            out["refresh_token"] = kept
        return out

    def client(self, form):
        client = self.clients.get(form.get("client_id"))
        if not client:
            raise errors.oauth("invalid_client", "The OAuth client was not found.", 401)
        if form.get("client_secret") != client.secret:
            raise errors.oauth("invalid_client", "Unauthorized", 401)
        return client

    # ---- the browser's side ----

    def authorize(self, given, user):
        """Where the browser is sent after the person has agreed."""
        client = self.clients.get(given.get("client_id"))
        if not client:
            raise errors.oauth("invalid_client", "The OAuth client was not found.", 401)
        where = urllib.parse.urlsplit(given.get("redirect_uri", ""))
        if where.scheme != "http" or where.hostname not in ("127.0.0.1", "::1", "localhost") or not where.port:
            raise errors.oauth("redirect_uri_mismatch", "Only loopback addresses are allowed for this client.")
        if given.get("response_type") != "code" or not set(given.get("scope", "").split()) <= KNOWN_SCOPES or not given.get("scope"):
            raise errors.oauth("invalid_request", "response_type and scope are needed.")
        if given.get("code_challenge") and given.get("code_challenge_method") != "S256":
            raise errors.oauth("invalid_request", "Only S256 is supported.")
        code = "4/" + new_id("")
        self.codes[code] = (Login(user, client.id, given["scope"]), given["redirect_uri"], given.get("code_challenge"),
                            given.get("access_type") == "offline")
        query = {"code": code, "scope": given["scope"]}
        if "state" in given:
            query["state"] = given["state"]
        return given["redirect_uri"] + "?" + urllib.parse.urlencode(query)

    # ---- tokens ----

    def token(self, form):
        kind = form.get("grant_type")
        if kind == "urn:ietf:params:oauth:grant-type:jwt-bearer":
            return self.from_jwt(form.get("assertion", ""))
        client = self.client(form)
        if kind == "authorization_code":
            return self.from_code(client, form)
        if kind == "refresh_token":
            self.refreshes += 1
            login = self.refresh.get(form.get("refresh_token"))
            if not login or login.client != client.id:
                raise errors.oauth("invalid_grant", "Token has been expired or revoked.")
            return self.grant(login, refresh=False)
        if kind == "urn:ietf:params:oauth:grant-type:device_code":
            return self.from_device(client, form.get("device_code"))
        raise errors.oauth("unsupported_grant_type", f"Invalid grant_type: {kind}")

    def from_code(self, client, form):
        login, redirect, challenge, offline = self.codes.pop(form.get("code"), (None, None, None, None))
        if not login or login.client != client.id:
            raise errors.oauth("invalid_grant", "Malformed auth code.")
        if form.get("redirect_uri") != redirect:
            raise errors.oauth("redirect_uri_mismatch", "Bad Request")
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if challenge and base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != challenge:
            raise errors.oauth("invalid_grant", "Invalid code verifier.")
        return self.grant(login, refresh=offline)

    # ---- devices: RFC 8628 ----

    def device(self, form):
        client = self.clients.get(form.get("client_id"))
        if not client:
            raise errors.oauth("invalid_client", "The OAuth client was not found.", 401)
        scope = form.get("scope", "")
        if not scope or not set(scope.split()) <= DEVICE_SCOPES:
            raise errors.oauth("invalid_scope", f"Invalid device flow scope: {scope}")
        code = "AH-" + new_id("")
        self.devices[code] = {"client": client.id, "scope": scope, "state": "pending", "asked": 0, "interval": self.interval,
                              "user_code": new_id("")[:4].upper() + "-" + new_id("")[:4].upper()}
        return {"device_code": code, "user_code": self.devices[code]["user_code"], "expires_in": 1800, "interval": self.interval,
                "verification_url": "https://www.google.com/device"}

    def from_device(self, client, code):
        device = self.devices.get(code)
        if not device or device["client"] != client.id:
            raise errors.oauth("invalid_grant", "Malformed device code.")
        asked, device["asked"] = device["asked"], time.monotonic()
        if asked and time.monotonic() - asked < device["interval"] * 0.9:
            raise errors.oauth("slow_down", "Polling too frequently", 403)
        if device["state"] == "pending":
            raise errors.oauth("authorization_pending", "Precondition Required", 428)
        del self.devices[code]
        if device["state"] == "denied":
            raise errors.oauth("access_denied", "Forbidden", 403)
        if device["state"] == "expired":
            raise errors.oauth("expired_token", "The device code has expired.")
        return self.grant(Login(device["state"], client.id, device["scope"]))

    # ---- service accounts: RFC 7523 ----

    def from_jwt(self, assertion):
        try:
            head, body, signature = assertion.split(".")
            header, claims, signature = json.loads(unpad(head)), json.loads(unpad(body)), unpad(signature)
        except ValueError:
            raise errors.oauth("invalid_grant", "Invalid JWT: Failed to parse the JWT.") from None
        account = self.accounts.get(claims.get("iss"))
        if header.get("alg") != "RS256" or not account:
            raise errors.oauth("invalid_grant", "Invalid JWT Signature." if account else "Invalid grant: account not found")
        if not verify(account["key"], f"{head}.{body}".encode(), signature):
            raise errors.oauth("invalid_grant", "Invalid JWT Signature.")
        now, begun, ends = time.time(), claims.get("iat", 0), claims.get("exp", 0)
        if begun > now + 60 or ends < now or ends - begun > 3600:
            raise errors.oauth("invalid_grant", "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable "
                               "timeframe. Check your iat and exp values in the JWT claim.")
        if claims.get("aud") not in account["audience"]:
            raise errors.oauth("invalid_grant", "Invalid JWT audience.")
        if not set(claims.get("scope", "").split()) <= KNOWN_SCOPES or not claims.get("scope"):
            raise errors.oauth("invalid_scope", "Invalid OAuth scope or ID token audience provided.")
        user = claims.get("sub", claims["iss"])
        if user != claims["iss"] and user not in account["may_be"]:
            raise errors.oauth("unauthorized_client", "Client is unauthorized to retrieve access tokens using this method, or client "
                               "not authorized for any of the scopes requested.", 401)
        return self.grant(Login(user, claims["iss"], claims["scope"]), refresh=False)


def verify(public_pem, text, signature):
    """RS256, by openssl."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in (("key", public_pem.encode()), ("text", text), ("signature", signature)):
            with open(f"{folder}/{name}", "wb") as file:
                file.write(content)
        done = subprocess.run(["openssl", "dgst", "-sha256", "-verify", f"{folder}/key", "-signature", f"{folder}/signature",
                               f"{folder}/text"], capture_output=True, check=False)
        return done.returncode == 0
