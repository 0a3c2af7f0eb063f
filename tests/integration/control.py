"""What the tests of the API share: two services, a folder, and the fields that its answers have."""

import json
import re
from pathlib import Path

FIELDS = json.loads((Path(__file__).parent.parent / "data" / "api_fields.json").read_text())
MOMENT = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")

SERVICES = """
[service first]
command = sleep 1000
network = no
[service second]
command = sleep 1000
network = no
requires = service:first
"""


def sync_ini(tendd):
    tendd.folder("data")
    tendd.folder("remote")
    return ("[remote disk]\ntype = directory\npath = %s/remote\n"
            "[folder data]\npath = %s/data\nremote = disk:data\nsettle = 100ms\n" % (tendd.root, tendd.root))


def pid_of(tendd, name):
    return tendd.service_part(name)["pid"]
