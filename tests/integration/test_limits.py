"""memory_max and cpu_max where nobody gives us the controllers; what they do with them is tests/support/boot-job.sh's."""

import pytest

KEYS = "memory_max = 64MiB\n", "cpu_max = 50%\n"


@pytest.mark.parametrize("keys, says", [(KEYS[0], "memory_max has"), (KEYS[1], "cpu_max has"),
                                        (KEYS[0] + KEYS[1], "memory_max and cpu_max have")])
def test_without_controllers_it_runs_and_that_is_said(tendd, keys, says):
    tendd.environment["TEND_WITHOUT"] = "controllers"
    text = says + " no effect here: the keeper was given no cgroup v2 controller for it"
    tendd.configure("[service a]\nnetwork = no\ncommand = sleep 1000\n" + keys +
                    "[service b]\nnetwork = no\ncommand = sleep 1000\n").start()
    unit = tendd.until_state("service:a", "ready")
    assert unit["detail"] == unit["service"]["degraded"] == text
    assert tendd.unit("service:b")["service"]["degraded"] is None
    assert text in tendd.tend("status").stdout
    assert tendd.tend("status").returncode == 0
    assert tendd.said.count(text) == 1
    pid = unit["service"]["pid"]
    tendd.kill()  # the keeper still knows
    tendd.start()
    tendd.until(lambda: tendd.service_part("a")["degraded"] == text, "the keeper's word")
    assert tendd.service_part("a")["pid"] == pid
    # Written without the limits again, there is nothing to say.
    tendd.configure("[service a]\nnetwork = no\ncommand = sleep 1000\n[service b]\nnetwork = no\ncommand = sleep 1000\n")
    assert tendd.reload()["changes"][0].startswith("service:a restart (")
    tendd.until(lambda: tendd.service_part("a")["pid"] not in (None, pid), "a new pid")
    assert tendd.service_part("a")["degraded"] is None
