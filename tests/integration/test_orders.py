"""Orders over the API: services started and stopped, the end of the daemon, and the history of who ordered what."""

import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from control import FIELDS, MOMENT, SERVICES, pid_of, sync_ini
from tend import PATIENCE, bin_folder, is_alive, until


def test_start_stop_restart(tendd):
    tendd.configure(SERVICES).start()
    tendd.until_state("service:second", "ready")
    first, second = pid_of(tendd, "first"), pid_of(tendd, "second")

    answer = tendd.post("/v1/units/service:second/restart", {"wait": True})
    assert answer["unit"]["state"] == "ready"
    assert answer["unit"]["service"]["pid"] not in (None, second)
    assert not is_alive(second)
    assert pid_of(tendd, "first") == first

    answer = tendd.post("/v1/units/service:second/stop", {"wait": True})
    assert answer["unit"]["state"] == "down" and answer["unit"]["service"]["pid"] is None
    answer = tendd.post("/v1/units/service:second/start", {"wait": True})
    assert answer["unit"]["state"] == "ready"
    # Started again: nothing to do, and said at once.
    again = tendd.post("/v1/units/service:second/start", {"wait": True})
    assert again["unit"]["service"]["pid"] == answer["unit"]["service"]["pid"]


def test_an_order_against_an_order(tendd):
    """Whoever waits for a stop is told when somebody starts it again meanwhile; and the other way round."""
    end = tendd.root / "end"
    tendd.configure("[service slow]\ncommand = sh -c 'trap \"\" TERM; echo armed; while [ ! -e %s ]; do sleep 0.05; done'\n"
                    "stop_timeout = 1m\nnetwork = no\n" % end).start()
    tendd.until_state("service:slow", "ready")
    tendd.until_armed("slow")
    with ThreadPoolExecutor() as pool:
        stop = pool.submit(tendd.post, "/v1/units/service:slow/stop", {"wait": True})
        tendd.until_state("service:slow", "stopping")
        restart = pool.submit(tendd.post, "/v1/units/service:slow/restart", {"wait": True})
        refused = stop.result(60)
        assert refused.status == 409 and refused["error"]["text"] == "service:slow was told to start meanwhile"
        stop = pool.submit(tendd.post, "/v1/units/service:slow/stop", {"wait": True})
        refused = restart.result(60)
        assert refused.status == 409 and refused["error"]["text"] == "service:slow was told to stop meanwhile"
        end.touch()
        assert stop.result(60)["unit"]["state"] == "down"


def test_what_requires_it_goes_along(tendd):
    tendd.configure(SERVICES).start()
    tendd.until_state("service:second", "ready")
    assert tendd.unit("service:first")["dependents"] == ["service:second"]
    first, second = pid_of(tendd, "first"), pid_of(tendd, "second")
    answer = tendd.post("/v1/units/service:first/restart", {"wait": True})
    assert answer["unit"]["service"]["pid"] != first
    tendd.until(lambda: pid_of(tendd, "second") not in (None, second), "a new second")
    assert not is_alive(second)

    tendd.until_state("service:second", "ready")
    tendd.post("/v1/units/service:first/stop", {"wait": True})
    assert tendd.unit("service:second")["state"] == "down"


def test_only_leaves_the_others(tendd):
    tendd.configure(SERVICES).start()
    tendd.until_state("service:second", "ready")
    second = pid_of(tendd, "second")
    tendd.post("/v1/units/service:first/stop", {"wait": True, "only": True})
    assert pid_of(tendd, "second") == second and is_alive(second)


def test_a_stop_by_hand_is_remembered(tendd):
    tendd.configure(SERVICES).start()
    tendd.until_state("service:second", "ready")
    first = pid_of(tendd, "first")
    tendd.post("/v1/units/service:second/stop", {"wait": True})
    tendd.kill()
    tendd.start()
    tendd.until_state("service:first", "ready")
    assert pid_of(tendd, "first") == first
    assert tendd.unit("service:second")["state"] == "down"
    assert tendd.post("/v1/units/service:second/start", {"wait": True})["unit"]["state"] == "ready"


def test_wait_ends_when_it_cannot_start(tendd):
    tendd.configure("[service bad]\ncommand = /nowhere/program\nnetwork = no\n").start()
    tendd.until_state("service:bad", "failed")
    answer = tendd.post("/v1/units/service:bad/start", {"wait": True})
    assert answer["unit"]["state"] == "failed"
    assert "cannot run" in answer["unit"]["detail"]


# ---- the end ----

@pytest.mark.parametrize("services", [None, "stop", "keep"])
def test_stop_by_the_api(tendd, services):
    tendd.configure(SERVICES).start()
    tendd.until_state("service:second", "ready")
    pid, keeper = pid_of(tendd, "first"), tendd.keeper_pid()
    answer = tendd.post("/v1/stop", {"services": services} if services else {})
    assert answer.status == 202
    assert tendd.wait() == 0
    assert is_alive(pid) == (services == "keep")
    if services == "keep":
        tendd.start()
        tendd.until_state("service:first", "ready")
        assert pid_of(tendd, "first") == pid
    else:
        until(lambda: not is_alive(keeper), "the end of the keeper")


# ---- history ----

def test_the_history_says_who_ordered_what(tendd):
    tendd.configure(sync_ini(tendd) + SERVICES).start()
    tendd.until_state("service:second", "ready")
    assert tendd.post("/v1/units/service:second/stop", {"wait": True}).status == 200
    tendd.post("/v1/units/folder:data/pause")
    tendd.post("/v1/units/folder:data/resume")
    tendd.post("/v1/sync", {"folders": ["data"]})
    tendd.reload()
    by = "by uid %d" % os.getuid()
    events = tendd.get("/v1/history")["events"]
    for event in events:
        assert sorted(event) == sorted(FIELDS["event"])
        assert MOMENT.match(event["time"])
    ids = [event["id"] for event in events]
    assert ids == sorted(ids, reverse=True)
    orders = [(event["unit"], event["text"]) for event in reversed(events) if event["event"] == "ordered"]
    assert orders == [("service:second", "stop " + by), ("folder:data", "pause " + by), ("folder:data", "resume " + by),
                      ("folder:data", "sync " + by), ("tendd", "reload " + by)]
    assert "stop of service:second asked " + by in tendd.said
    # Refused orders are none.
    assert tendd.post("/v1/units/folder:data/start").status == 400
    assert tendd.post("/v1/units/folder:data/approve", {"upto": 1}).status != 200
    assert len([event for event in tendd.get("/v1/history?limit=1000")["events"] if event["event"] == "ordered"]) == 5
    # Of one unit, and no more than asked for.
    events = tendd.get("/v1/history?unit=service:second")["events"]
    assert {event["unit"] for event in events} == {"service:second"}
    assert {"started", "ended", "ordered"} <= {event["event"] for event in events}
    assert len(tendd.get("/v1/history?limit=2")["events"]) == 2
    for limit in ("0", "1001", "x", "-1"):
        assert tendd.get("/v1/history?limit=" + limit).status == 400
    # Not older than asked for.
    moment = next(event for event in events if event["event"] == "ordered")["time"]
    later = tendd.get("/v1/history?unit=service:second&since=" + moment)["events"]
    assert later[-1]["event"] == "ordered" and len(later) < len(tendd.get("/v1/history?unit=service:second")["events"])
    assert tendd.get("/v1/history?since=2100-01-01T00:00:00Z")["events"] == []
    assert tendd.get("/v1/history?since=yesterday").status == 400
    # The command, and over a restart.
    tendd.kill()
    tendd.start()
    said = tendd.tend("history", "second").stdout.splitlines()
    assert "service:second  ordered: stop " + by in " | ".join(said)
    assert said.index([line for line in said if "started" in line][0]) < said.index([line for line in said if "ordered" in line][0])
    assert len(tendd.tend("history", "-n", "3").stdout.splitlines()) == 3
    assert json.loads(tendd.tend("--json", "history", "folder:data").stdout)["events"][0]["text"] == "sync " + by
    assert tendd.tend("history", "nobody").returncode == 2
    assert tendd.tend("history", "--folder", "data").stdout == tendd.tend("history", "folder:data").stdout != ""
    assert tendd.tend("history", "--folder", "second").returncode == 2
    assert tendd.tend("history", "second", "--folder", "data").returncode == 2
    assert tendd.tend("history", "--since", "2h ago", "second").stdout.splitlines() == said
    assert tendd.tend("history", "--since", "soon").returncode == 2
    assert tendd.tend("history", "-n", "0").returncode == 2


def test_the_history_names_others_of_the_group(tendd):
    """Who of those that the socket lets in: not whoever started tendd. Outside the group nobody orders anything."""
    tendd.configure(SERVICES).start()
    tendd.until_state("service:second", "ready")
    tendd.root.chmod(0o711)

    def order(group, *words):
        return subprocess.run(["setpriv", "--reuid=65534", "--regid=%d" % group, "--clear-groups", str(bin_folder() / "tend"),
                               "-c", str(tendd.ini), *words], capture_output=True, text=True, timeout=PATIENCE)
    ended = order(os.stat(tendd.socket).st_gid, "stop", "second")
    assert ended.returncode == 0, ended
    said = [event["text"] for event in tendd.get("/v1/history?unit=service:second")["events"] if event["event"] == "ordered"]
    assert said == ["stop by uid 65534"]
    ended = order(65534, "start", "second")
    assert ended.returncode == 1 and "a member of the group that owns it" in ended.stderr, ended
    assert tendd.unit("service:second")["state"] == "down"
