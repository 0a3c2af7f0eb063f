#!/bin/bash
# Run as root in a booted machine without tend: the life of its Debian package, from /job/first.deb to a purge.
set -u
# shellcheck source=tests/support/job.sh
. /job/job.sh
export DEBIAN_FRONTEND=noninteractive
install() { dpkg -i "$1"; }

# ---- installed: it runs, with nothing to do ----
check 'installed' install /job/first.deb
wanted 'it runs' active
check 'it starts at boot' [ "$(systemctl is-enabled tend tend-services | sort -u)" = enabled ]
check 'the group is there' getent group tend
check 'the socket is its' [ "$(stat -c %a:%G /run/tend/tend.sock)" = 660:tend ]
check 'secrets are closed' [ "$(stat -c %a:%U /etc/tend/secrets)" = 700:root ]
check 'what ships is valid' tendd --check
# As one who has just installed it finds it: what to do next, and an example of everything.
tend status >/job/status
check 'status says so, and what to do' grep -q "^nothing is configured yet: 'tend init' asks" /job/status
check 'only that is missing' [ "$(tail -n +2 /job/status | grep -vc '^nothing is\|^UNIT\|^network ')" = 0 ]
check 'it names its file' grep -q '^tendd .*, /etc/tend/tend.ini$' /job/status
check 'with examples to edit' [ "$(grep -c '^; \[\(remote\|folder\|service\) ' /etc/tend/tend.ini)" -ge 5 ]
systemctl status tend >/job/unit
check 'the unit names its pages' grep -q 'man:tend.ini(5)' /job/unit
tend doctor >/job/doctor
check 'the doctor finds the unit' grep -q '^good .*tend.service is enabled' /job/doctor
check 'and nothing that needs a person' [ "$(grep -c '^person' /job/doctor)" = 0 ]

# ---- configured by three answers; the comments stay above ----
printf '/srv/data\ndirectory:/srv/remote\n/srv/only one\n' >/job/answers
check 'init' sh -c 'tend init </job/answers >/job/init'
check 'and what is next' grep -q "^then let tendd read it: tend reload$" /job/init
check 'what shipped is still there' grep -q '^; The configuration of tend' /etc/tend/tend.ini
sed -i 's/^remote = cloud:data/&\nsettle = 100ms/' /etc/tend/tend.ini
check 'reload' systemctl reload tend
wanted 'the service runs' another one 0
wanted 'the folder is synced' same file
echo key >/etc/tend/secrets/key

# ---- upgraded: the daemon is another, the service the same, the configuration a person's ----
before=$(pid one) was=$(main) kept=$(keeper)
check 'upgraded' install /job/newer.deb
wanted 'another daemon' is_new main "$was"
wanted 'it answers' active
check 'the service did not notice' lives one "$before"
check 'nor did what holds it' [ "$(keeper)" = "$kept" ]
check 'the configuration was kept' grep -q '^command = /srv/only one' /etc/tend/tend.ini
systemctl disable tend 2>/dev/null
check 'once more' install /job/newer.deb
check 'what a person disabled stays so' [ "$(systemctl is-enabled tend)" = disabled ]
wanted 'it answers' active
check 'enabled again' systemctl enable tend

# ---- removed: all is stopped, after a flush; what was made stays ----
echo last >/srv/data/last
check 'removed' dpkg -r tend
check 'the last of it was flushed' same last
gone() { ! kill -0 "$1" 2>/dev/null; }
wanted 'the service has ended' gone "$before"
check 'no daemon' [ ! -e /run/tend/tend.sock ]
check 'no program' [ ! -e /usr/bin/tend ]
check 'the configuration stays' [ -e /etc/tend/tend.ini ]
check 'the state stays' [ -e /var/lib/tend/ledger.db ]

# ---- installed again: it goes on where it was ----
check 'again' install /job/first.deb
wanted 'it runs' active
wanted 'and its service' another one "$before"
mkdir -p /var/lib/tend/trash
echo old >/var/lib/tend/trash/file

# ---- purged: what tend made here is gone, and nothing else ----
check 'purged' dpkg -P tend
check 'no configuration' [ ! -e /etc/tend/tend.ini ]
check 'no logs' [ ! -e /var/log/tend ]
check 'no state' [ ! -e /var/lib/tend/ledger.db ]
check 'what was put aside for a person stays' [ "$(cat /var/lib/tend/trash/file)" = old ]
check 'and his secrets' [ "$(cat /etc/tend/secrets/key)" = key ]
check 'and what is in the cloud' same file
check 'and here' [ "$(cat /srv/data/last)" = last ]
check 'no unit is left' [ -z "$(systemctl list-unit-files --no-legend 'tend*')" ]
exit 0
