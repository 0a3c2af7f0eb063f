# shellcheck shell=bash
# Words for a job that runs as root in a booted machine where tend is installed. The first failed check ends it; what it says stands in
# the test's output. $PATIENCE: seconds that a condition may take to come.
say() { printf '%s %s\n' "$(date +%T.%N | cut -c1-12)" "$*"; }
fail() {
	say "FAILED: $*"
	systemctl --no-pager status tend tend-services
	journalctl --no-pager -n 80 -u tend -u tend-services
	exit 1
}
# wanted WHAT COMMAND...: waits until it succeeds
wanted() {
	local what=$1 end=$((SECONDS + ${PATIENCE:-40}))
	shift
	until "$@"; do
		[ $SECONDS -lt $end ] || fail "$what"
		sleep 0.05
	done
	say "ok: $what"
}
check() {
	local what=$1
	shift
	"$@" || fail "$what"
	say "ok: $what"
}
main() { systemctl show -P MainPID tend; }
keeper() { systemctl show -P MainPID tend-services; }
pid() { cat "/srv/pid.$1" 2>/dev/null; }
is_new() { [ "$("$1")" != "$2" ] && [ "$("$1")" != 0 ]; }
another() { [ -n "$(pid "$1")" ] && [ "$(pid "$1")" != "$2" ] && kill -0 "$(pid "$1")"; }
lives() { [ "$(pid "$1")" = "$2" ] && kill -0 "$2"; }
answers() { tend status >/dev/null 2>&1 || [ $? = 1 ]; } # a folder without its server counts as failed
active() { [ "$(systemctl is-active tend)" = active ] && answers; }
same() { cmp -s "/srv/data/$1" "/srv/remote/data/$1"; }
restart_kept() { # COMMAND... brings tend back; the services do not notice
	local was=$1 before
	before=$(pid one)
	shift
	"$@" || fail "$*"
	wanted "tend back after: $*" is_new main "$was"
	wanted 'it answers' active
	check 'the service kept its pid' lives one "$before"
}
