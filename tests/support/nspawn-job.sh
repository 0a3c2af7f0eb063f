#!/bin/bash
# Run as root in a booted container where tend is installed: what systemd and tend do to each other. The first failed check ends it;
# what it says stands in the test's output. Called once a boot with the number of the boot.
set -u
boot=$1
# shellcheck source=tests/support/job.sh
. /job/job.sh

drop_in() {
	mkdir -p /run/systemd/system/tend.service.d
	printf '[Service]\n%s\n' "$2" >"/run/systemd/system/tend.service.d/$1.conf"
	systemctl daemon-reload
}
no_drop_in() {
	rm "/run/systemd/system/tend.service.d/$1.conf"
	systemctl daemon-reload
}

if [ "$boot" = 2 ]; then
	wanted 'up by itself after the reboot' active
	wanted 'its service runs' another one 0
	check 'it runs once' [ ! -e /srv/twice ]
	check 'what was written last before the reboot was flushed' same last
	check 'the stop was an orderly one' [ "$(cat /srv/remote/data/said)" = 'bye' ]
	exit 0
fi

# ---- start ----
check 'started at boot' active
wanted 'the service runs' another one 0
wanted 'the folder is synced' same file
check 'it is a unit of its own that holds the services' grep -q tend-services.service/ "/proc/$(pid one)/cgroup"
check 'the socket is 0660' [ "$(stat -c %a:%U /run/tend/tend.sock)" = 660:root ]
check 'its group is tend' [ "$(stat -c %G /run/tend/tend.sock)" = tend ]
check 'state and logs 0700' [ "$(stat -c %a /var/lib/tend /var/log/tend | uniq)" = 700 ]
check 'no state or log for others' [ -z "$(find /var/lib/tend /var/log/tend -type f -perm /007)" ]

# ---- a folder of somebody else's, from within the unit's sandbox ----
refused() { tend status folder:theirs 2>&1 | grep -q "'roots'.*Permission denied"; }
wanted "the user's file is synced" cmp -s /srv/theirs/mine /srv/remote/theirs/mine
wanted "what is root's is refused" refused
check "and not sent" [ ! -e /srv/remote/theirs/roots ]

# ---- credentials ----
check 'the credential is the only place of the secret' [ ! -e /etc/tend/secrets/key ]
wanted 'its folder asks the server that is not there' grep -q 'refused' <(tend status folder:away 2>&1)
check 'no service sees it' [ -z "$(tr '\0' '\n' <"/proc/$(pid one)/environ" | grep -E 'CREDENTIALS|NOTIFY|WATCHDOG')" ]

# ---- reload ----
was=$(main) before=$(pid one)
cat /etc/tend/more >>/etc/tend/tend.ini
check 'reload' systemctl reload tend
wanted 'the new service runs' another two 0
check 'the old one kept its pid' lives one "$before"
cp /etc/tend/tend.ini /etc/tend/good
echo 'bogus = 1' >>/etc/tend/tend.ini
line=$(wc -l </etc/tend/tend.ini)
systemctl reload tend && fail 'a bad configuration was taken'
journalctl --no-pager -u tend | grep -q "/etc/tend/tend.ini:$line: unknown key 'bogus'" || fail 'no file:line in the journal'
tend reload
check 'exit code 2' [ $? = 2 ]
check 'the daemon is the same' [ "$(main)" = "$was" ]
check 'active in spite of it' active
cp /etc/tend/good /etc/tend/tend.ini
check 'reload of the good one' systemctl reload tend

# ---- a package puts other programs in the place of these, and restarts the daemon alone ----
log=/var/log/tend/count.log
counted() { [ "$(wc -l <"$log")" -gt "$1" ] && head -n -1 "$log" | awk '$2 != "n" NR-1 { exit 1 }'; }
wanted 'lines' counted 100
of_keeper=$(keeper) program=$(readlink "/proc/$(main)/exe") before=$(stat -Lc %i "/proc/$(main)/exe")
for file in "$program" "$(readlink "/proc/$of_keeper/exe")" "$(command -v tend)"; do
	cp -p "$file" "$file.dpkg-new" || fail 'the new program'
	mv "$file.dpkg-new" "$file"
done
systemctl daemon-reload
restart_kept "$(main)" systemctl restart tend
check 'it is the new program' [ "$(stat -Lc %i "/proc/$(main)/exe")" != "$before" ]
check 'the keeper is the one it was' [ "$(keeper)" = "$of_keeper" ]
wanted 'no line is lost' counted $(($(wc -l <"$log") + 100))

# ---- kill, watchdog, restart ----
restart_kept "$(main)" kill -KILL "$(main)"
restart_kept "$(main)" systemctl restart tend
drop_in watchdog 'WatchdogSec=4'
restart_kept "$(main)" systemctl restart tend
was=$(main)
restart_kept "$was" kill -STOP "$was"
journalctl --no-pager -u tend | grep -q 'Watchdog timeout' || fail 'no watchdog timeout in the journal'
no_drop_in watchdog
restart_kept "$(main)" systemctl restart tend
before=$(pid one) was=$(keeper)
kill -KILL "$was"
wanted 'another keeper' is_new keeper "$was"
wanted 'the service starts again' another one "$before"
check 'the old one is gone' [ ! -e "/proc/$before" ]
check 'never twice' [ ! -e /srv/twice ]
wanted 'it answers' active

# ---- stop while a flush runs ----
drop_in stop 'TimeoutStopSec=3'
for i in $(seq 60); do echo "$i" >"/srv/data/trickle $i"; done # 10 a second: twice TimeoutStopSec
check 'stop' systemctl stop tend
check 'it was not cut' [ "$(systemctl show -P Result tend)" = success ]
for i in $(seq 60); do same "trickle $i" || fail "'trickle $i' was not flushed"; done
wanted 'the services were stopped' [ ! -e "/proc/$(pid one)" ]
check 'start' systemctl start tend
wanted 'it answers' active
wanted 'the service runs' another one 0
echo again >/srv/data/again
wanted 'the folder is synced' same again
mv /srv/remote /srv/gone
echo stuck >/srv/data/stuck
began=$SECONDS
systemctl stop tend
check 'a stop that does not move ends by shutdown_timeout' [ $((SECONDS - began)) -lt 20 ]
check 'by itself' [ "$(systemctl show -P Result tend)" = exit-code ]
mv /srv/gone /srv/remote
no_drop_in stop
systemctl reset-failed tend
check 'start' systemctl start tend
wanted 'it answers' active
wanted 'what was stuck goes' same stuck

# ---- reboot ----
echo last >/srv/data/last
exit 133
