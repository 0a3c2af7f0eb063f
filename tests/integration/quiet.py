"""Does anything run while nothing happens? Told by the system calls of tendd and the keeper."""

import contextlib
import subprocess
import time

from tend import until

SETTLED_SECONDS = 5
QUIET_SECONDS = 60  # the window that is measured; it begins two minutes after the last transfer at the latest


class Trace:
    def __init__(self, calls):
        self.calls = calls

    def silence(self):
        """Seconds in which each thread waited in a call that began before; the file grows when one does anything."""
        return time.time() - self.calls.stat().st_mtime

    def until_quiet(self, seconds=QUIET_SECONDS):
        until(lambda: self.silence() > seconds, "%d s without a call" % seconds, patience=120 + seconds,
              say=lambda: self.calls.read_text()[-4000:])


@contextlib.contextmanager
def traced(tendd, calls):
    tracer = subprocess.Popen(
        ["strace", "-f", "-tt", "-o", calls, "-p", str(tendd.pid), "-p", str(tendd.keeper_pid())],
        stderr=subprocess.DEVNULL)
    try:
        until(lambda: calls.exists() and calls.stat().st_size, "the tracer")
        yield Trace(calls)
    finally:
        tracer.terminate()
        tracer.wait()
