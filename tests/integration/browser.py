"""A real browser for tests: Chromium without a window, told what to do by WebDriver (JSON over HTTP to chromedriver)."""

import base64
import contextlib
import http.client
import json
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from tend import PATIENCE, until
from web import free_port

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


class Browser:
    """One Chromium with a profile of its own; `log` is what its console said."""

    def __init__(self):
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="tend-browser-", dir="/tmp"))
        # A group of its own: what chromedriver leaves behind ends with it.
        self.driver = subprocess.Popen(
            ["chromedriver", "--port=%d" % self.port, "--log-path=%s/driver.log" % self.folder], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
            env=dict(os.environ, HOME=str(self.folder), TMPDIR=str(self.folder)))
        self.session = None
        try:
            until(lambda: self.call("GET", "/status")["ready"], "chromedriver")
            self.session = self.call("POST", "/session", {"capabilities": {"alwaysMatch": {
                "goog:loggingPrefs": {"browser": "ALL"},
                "goog:chromeOptions": {"args": [
                    "--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--no-first-run",
                    "--disable-background-networking", "--disable-extensions", "--user-data-dir=%s/profile" % self.folder,
                    "--window-size=1280,900", "--lang=en-GB"]}}}})["sessionId"]
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def close(self):
        if self.session:
            with contextlib.suppress(OSError, AssertionError, http.client.HTTPException):
                self.call("DELETE", "/session/" + self.session)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.driver.pid, signal.SIGKILL)
        self.driver.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def call(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE * 2)
        try:
            connection.request(method, path, None if body is None else json.dumps(body), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            value = json.loads(answer.read())["value"]
            assert answer.status == 200, value
            return value
        finally:
            connection.close()

    def do(self, method, path, body=None):
        return self.call(method, "/session/%s/%s" % (self.session, path), body)

    def go(self, url):
        self.do("POST", "url", {"url": url})

    def run(self, script, *arguments):
        """The value of a function's body in the page."""
        return self.do("POST", "execute/sync", {"script": script, "args": list(arguments)})

    def protocol(self, command, **parameters):
        """A command of Chromium's own protocol."""
        return self.do("POST", "goog/cdp/execute", {"cmd": command, "params": parameters})

    # ---- what a person does ----

    def find(self, css, text=None):
        """The element that is seen, whose text or label has `text`; waits for it."""
        script = """return [...document.querySelectorAll(arguments[0])].find(e => e.checkVisibility() && !e.disabled && (arguments[1] === null ||
            (e.getAttribute("aria-label") || "").includes(arguments[1]) || e.textContent.includes(arguments[1]))) || null"""
        return self.until(lambda: self.run(script, css, text), "%s with %r" % (css, text))[ELEMENT]

    def click(self, css, text=None):
        element = self.find(css, text)
        # Not behind the head of the page, which stays where it is.
        self.run("arguments[0].scrollIntoView({block: 'center'})", {ELEMENT: element})
        self.do("POST", "element/%s/click" % element, {})

    def type(self, css, text):
        element = self.find(css)
        self.do("POST", "element/%s/clear" % element, {})
        self.do("POST", "element/%s/value" % element, {"text": text})

    def press(self, key):
        self.do("POST", "actions", {"actions": [{"type": "key", "id": "keys", "actions": [
            {"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]}]})

    @property
    def text(self):
        return self.run("return document.body.innerText")

    def until(self, holds, what):
        return until(holds, what, say=lambda: self.run("return document.body.innerText") + "\n%s" % self.console())

    def until_text(self, text, css="body"):
        """Also what lies outside of the window and is not drawn."""
        self.until(lambda: text in self.run("return document.querySelector(arguments[0])?.textContent || ''", css), repr(text))

    def console(self):
        """Since the last time it was asked."""
        return self.do("POST", "se/log", {"type": "browser"})

    # ---- how it looks ----

    def size(self, width, height, mobile=False):
        self.protocol("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile)

    def dark(self, on):
        self.protocol("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if on else "light"}])

    def picture(self, path):
        Path(path).write_bytes(base64.b64decode(self.do("GET", "screenshot")))
