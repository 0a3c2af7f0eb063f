#!/bin/bash
# Run as root in a booted container where tend is installed: a bare machine brings itself up by its steps. Called once a boot with the
# number of the boot.
set -u
boot=$1
PATIENCE=90
# shellcheck source=tests/support/job.sh
. /job/job.sh

state() { tend status "step:$1" 2>/dev/null | sed -n 's/^state *\([a-z]*\) for.*/\1/p'; }
is() { [ "$(state "$1")" = "$2" ]; }
runs() { tend history -n 1000 | grep -c ' started'; }
done_all() { for step in probe third soph ssh ports some late conf; do is "$step" 'done' || return 1; done; }
lets_in() { # ADDRESS PORT: a closed port answers at once, one behind the firewall does not
	ip netns exec out timeout 2 bash -c "exec 3<>/dev/tcp/$1/$2" 2>/tmp/said && return 0
	grep -q refused /tmp/said
}
keeps_out() { ! lets_in "$@"; }

if [ "$boot" = 1 ]; then
	# The last step asks for a reboot: this is the end of this boot.
	wanted 'a reboot' false
fi

if [ "$boot" = 2 ]; then
	wanted 'all steps are done' done_all
	wanted 'the one after the reboot too' is after 'done'
	check 'it was once' [ "$(cat /srv/after)" = after ]
	check 'packages' [ "$(tend-probe)" = 'probe 1' ]
	check 'of both steps' [ "$(tend-third)" = third ]
	check 'its scripts asked nothing' grep -qx noninteractive /srv/frontend
	check 'an id' id soph
	check 'groups' [ "$(id -nG soph)" = 'soph sudo makers' ]
	check 'shell' [ "$(getent passwd soph | cut -d: -f7)" = /bin/bash ]
	check 'becomes root' [ "$(su soph -c 'sudo -n id -u')" = 0 ]
	check 'the file that lets it is closed' [ "$(stat -c %a:%U /etc/sudoers.d/tend-soph)" = 440:root ]
	check 'keys' [ "$(cat /home/soph/.ssh/authorized_keys)" = "$(printf '%s\n' 'ssh-ed25519 AAAAone soph@here' 'ssh-rsa AAAAtwo two' 'ssh-ed25519 AAAAhub')" ]
	check 'GitHub was asked once' [ "$(grep -c soph-hub /srv/asked)" = 1 ]
	check 'without keys nobody comes in' is nobody-there failed
	check 'closed to others' [ "$(stat -c %a:%U:%G /home/soph/.ssh /home/soph/.ssh/authorized_keys)" = "$(printf '%s\n' 700:soph:soph 600:soph:soph)" ]
	check 'a file of its own' [ "$(stat -c %a:%U /home/soph/.tmux.conf)" = 644:soph ]
	ip netns add out
	ip link add inside type veth peer name outside netns out
	ip addr add 192.0.2.1/24 dev inside
	ip addr add 198.51.100.1/24 dev inside
	ip link set inside up
	ip -n out addr add 192.0.2.2/24 dev outside
	ip -n out addr add 198.51.100.2/24 dev outside
	ip -n out link set outside up
	check 'ufw is up' grep -q 'Status: active' <(ufw status)
	wanted 'ssh is let in where it listens' lets_in 192.0.2.1 2222
	check 'a port' lets_in 192.0.2.1 8888
	check 'not another one' keeps_out 192.0.2.1 8889
	check 'from an address that was named' lets_in 192.0.2.1 7777
	check 'not from another one' keeps_out 198.51.100.1 7777
	before=$(runs) rules=$(ufw status numbered)
	check 'a second start' systemctl restart tend
	wanted 'all is done' done_all
	check 'and nothing was run' [ "$(runs)" = "$before" ]
	check 'the rules are the same' [ "$(ufw status numbered)" = "$rules" ]
	# ---- another definition: only that step runs; what is not wanted any more goes, what is somebody's stays ----
	ufw allow 4444/tcp >/dev/null
	sed -i 's/^allow = 8888.*/allow = 8889\/tcp/' /etc/tend/tend.ini
	sed -i 's/^packages = tend-probe.*/packages = tend-probe tend-second/' /etc/tend/tend.ini
	sed -i 's/^sudo = yes/sudo = no/' /etc/tend/tend.ini
	check 'reload' systemctl reload tend
	wanted 'the new port' lets_in 192.0.2.1 8889
	wanted 'the other package' command -v tend-second
	wanted 'all is done' done_all
	check 'the old port' keeps_out 192.0.2.1 8888
	check 'a rule of somebody stays' lets_in 192.0.2.1 4444
	check 'ssh stays' lets_in 192.0.2.1 2222
	wanted 'root no more' [ ! -e /etc/sudoers.d/tend-soph ]
	check 'three steps ran' [ "$(runs)" = $((before + 3)) ]
	# ---- a package that another hand removed comes back; one that is not there fails ----
	check 'removed' dpkg --purge tend-probe
	check 'a start' systemctl restart tend
	wanted 'it comes back' command -v tend-probe
	wanted 'all is done' done_all
	sed -i 's/^packages = tend-probe.*/packages = tend-nothing\nretries = 0/' /etc/tend/tend.ini
	check 'reload' systemctl reload tend
	wanted 'it fails' is probe failed
	check 'and says why' grep -q 'tend-nothing' <(tend logs step:probe)
	exit 0
fi
fail "a boot too many"
