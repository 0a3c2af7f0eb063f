#!/bin/bash
# Run as root on a booted kernel where tend is installed: with controllers enabled below the unit of the services, whatever dies comes
# up again. A unit whose group has controllers below it cannot be entered (219/CGROUP), and a container would not show it.
set -u
# shellcheck source=tests/support/job.sh
. /job/job.sh
unit=/sys/fs/cgroup/system.slice/tend-services.service
limit=268435456

group() { echo "/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$(pid one)/cgroup")"; }
never_219() { ! journalctl --no-pager -u tend -u tend-services | grep -q '219/CGROUP'; }
keeper_active() { [ "$(systemctl is-active tend-services)" = active ]; }
limited() { [ "$(cat "$(group)/memory.max")" = $limit ]; }
half() { [ "$(cat "$(group)/cpu.max")" = '50000 100000' ]; }
tells() { tend status "service:$1" | grep -q "$2"; }
keeper_dies() { # COMMAND... that ends it
	local before was
	before=$(pid one) was=$(keeper)
	"$@" || fail "$*"
	wanted 'another keeper' is_new keeper "$was"
	wanted 'its unit is active' keeper_active
	wanted 'the service starts again' another one "$before"
	check 'the old one is gone' [ ! -e "/proc/$before" ]
	check 'never twice' [ ! -e /srv/twice ]
	wanted 'it answers' active
	check 'no 219/CGROUP' never_219
}

wanted 'started at boot' active
wanted 'the service runs' another one 0
wanted 'the folder is synced' same file
check 'the kernel has the controllers' grep -q memory "$unit/cgroup.controllers"
check 'the service has a group below the unit' [ "$(dirname "$(group)")" = "$unit" ]

# ---- memory_max, cpu_max: the kernel counts and limits by group ----
check 'its memory is limited' limited
check 'half a processor is its' half
check 'the controllers are below the unit' grep -q memory "$unit/cgroup.subtree_control"
silent() { ! tells one degraded; }
check 'nothing is without effect' silent
wanted 'what takes more than it may is ended, and that is told' tells hungry 'out of memory: the kernel ended it (memory_max is 32'
check 'as its class' tells hungry 'last exit .*out of memory'
all_told() {
	tells hungry 'out of memory: the kernel ended it (memory_max is 32' && tells hungry 'last exit .*out of memory' &&
		tells family 'out of memory: the kernel ended 1 of its processes (memory_max is 32' &&
		tells shell 'exit code 9; out of memory: the kernel ended others of its processes (memory_max is 32'
}
wanted 'also where it was a child, whether main goes on or not' all_told
of_family=$(pid family)
systemctl kill -s KILL --kill-who=main tend
wanted 'the next tendd tells all that, too' all_told
check 'the family goes on' [ "$(pid family)" = "$of_family" ]

# ---- the trap itself, so that it is known to be here ----
cat >/run/trap <<'TRAP'
group=/sys/fs/cgroup$(sed -n 's/^0:://p' /proc/self/cgroup)
mkdir -p "$group/own" "$group/left"
sleep 1000 &
echo $! >"$group/left/cgroup.procs"
echo $$ >"$group/own/cgroup.procs"
echo +memory >"$group/cgroup.subtree_control"
touch /run/trapped
exec sleep 1000
TRAP
trapped() { journalctl --no-pager -u trap | grep -q 'status=219/CGROUP'; }
systemd-run -q --unit=trap -p Delegate=yes -p KillMode=process -p Restart=always sh /run/trap
wanted 'a unit with controllers below it' [ -e /run/trapped ]
systemctl kill -s KILL --kill-who=main trap
wanted 'what is left of it keeps it from starting again: 219/CGROUP' trapped
systemctl kill -s KILL trap
systemctl stop trap
systemctl reset-failed trap

# ---- the daemon ----
for _ in 1 2; do
	restart_kept "$(main)" kill -KILL "$(main)"
	check 'the limit is the same' limited
done
restart_kept "$(main)" systemctl restart tend
check 'the limit is the same' limited
check 'no 219/CGROUP' never_219

# ---- the keeper ----
for _ in 1 2; do
	keeper_dies kill -KILL "$(keeper)"
	wanted 'the limit is there again' limited
done
keeper_dies systemctl restart tend-services
wanted 'the limit is there again' limited

# ---- both ----
was=$(main)
keeper_dies kill -KILL "$(keeper)" "$was"
wanted 'another daemon' is_new main "$was"
wanted 'it answers' active
echo last >/srv/data/last
wanted 'the folder is synced' same last
check 'no unit failed' [ -z "$(systemctl --failed --no-legend)" ]
check 'no 219/CGROUP' never_219
