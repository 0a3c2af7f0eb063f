#!/bin/bash
# Run as root in a booted container where tend is installed and configured by conf/jupyter-vm.ini: the cloud machine of a person.
# Called once a boot with the number of the boot.
set -u
boot=$1
PATIENCE=90
# shellcheck source=tests/support/job.sh
. /job/job.sh

STEPS='tools ubuntu jupyter-port mosh tmux-conf foreign-env fish-conf miniconda conda notebooks'
state() { tend status "$1" 2>/dev/null | sed -n 's/^state *\([a-z]*\) for.*/\1/p'; }
is() { [ "$(state "$1")" = "$2" ]; }
steps_said() { tend history -n 1000 | grep -c " step:.*$1"; } # what is found to be so says nothing
done_all() { for step in $STEPS; do is "step:$step" 'done' || return 1; done; }
serves() { is service:jupyter up && is service:glances up; }
as_ubuntu() { su -s /bin/bash - ubuntu -c "$*"; }
token() { cat /home/ubuntu/.local/share/jupyter/runtime/nbserver-*.json | sed -n 's/.*"token": "\([^"]*\)".*/\1/p' | tail -n 1; }
contents() { # PATH [CURL-OPTION...]
	local path=$1
	shift
	curl -sS -f -H "Authorization: token $(token)" "$@" "http://127.0.0.1:8888/api/contents/$path"
}
notebooks() { contents '' | python3 -c 'import json, sys; print(*sorted(row["name"] for row in json.load(sys.stdin)["content"]))'; }
of_jupyter() { tend status --json service:jupyter | sed -n 's/.*"pid": \([0-9]*\),*$/\1/p'; }
jupyter_answers() { curl -sS -f http://127.0.0.1:8888/api | grep -q '"version"'; }
glances_answers() { curl -sS -f http://127.0.0.1:61208/api/3/cpu | grep -q '"total"'; }
restored() { cmp -s /job/first.ipynb /home/ubuntu/notebooks/first.ipynb && cmp -s /job/deep.bin /home/ubuntu/notebooks/deep/er/deep.bin; }
from() { # ADDRESS WHERE ANSWER: 000 is none
	[ "$(ip netns exec out curl -s -o /dev/null -w '%{http_code}' --connect-timeout 2 --interface "$1" "http://$2/api")" = "$3" ]
}
awake_by_ssh() { tend why-awake 2>/dev/null | grep -q '^ssh  *active .*ubuntu at pts/'; }

if [ "$boot" = 1 ]; then
	wanted 'every step is done' done_all
	wanted 'its services are up' serves

	# ---- the person: shell, keys, sudo ----
	check 'its programs' command -v fish tmux mosh-server ufw git curl bzip2 >/dev/null
	check 'a shell' [ "$(getent passwd ubuntu | cut -d: -f7)" = /usr/bin/fish ]
	check 'groups' [ "$(id -nG ubuntu)" = 'ubuntu sudo' ]
	check 'becomes root' [ "$(as_ubuntu sudo -n id -u)" = 0 ]
	check 'the key' cmp /job/key.pub /home/ubuntu/.ssh/authorized_keys
	as_ubuntu "echo 'export FROM_PROFILE=\"of bash\"' >~/.bash_profile"
	check 'fish reads the profile of bash' [ "$(su - ubuntu -c "echo \$FROM_PROFILE")" = 'of bash' ]
	check 'its conf of tmux' [ "$(cat /home/ubuntu/.tmux.conf)" = "$(printf '%s\n' 'set-option -g mouse on' \
		'set-option -g default-command /usr/bin/fish')" ]
	check 'which tmux takes' as_ubuntu tmux new-session -d
	in_fish() { [ "$(as_ubuntu tmux display -p "'#{pane_current_command}'")" = fish ]; }
	wanted 'fish in it' in_fish
	check 'the mouse too' [ "$(as_ubuntu tmux show -gv mouse)" = on ]
	as_ubuntu tmux kill-server
	check 'mosh' grep -q '^MOSH CONNECT' <(as_ubuntu LC_ALL=C.UTF-8 mosh-server new -i 127.0.0.1 2>&1)
	pkill mosh-server

	# ---- the firewall, seen from outside ----
	ip netns add out
	ip link add inside type veth peer name outside netns out
	ip addr add 192.0.2.1/24 dev inside
	ip addr add 198.51.100.1/24 dev inside
	ip link set inside up
	ip -n out addr add 192.0.2.2/24 dev outside
	ip -n out addr add 198.51.100.2/24 dev outside
	ip -n out link set outside up
	rules=$(ufw status)
	check 'ufw is up' grep -q 'Status: active' <<<"$rules"
	check 'mosh is let in' grep -qE '^60000:61000/udp +ALLOW +Anywhere' <<<"$rules"
	check 'jupyter from where it was said' grep -qE '^8888/tcp +ALLOW +192.0.2.0/24' <<<"$rules"
	wanted 'which it is' from 192.0.2.2 192.0.2.1:8888 200
	check 'not from elsewhere' from 198.51.100.2 198.51.100.1:8888 000
	check 'glances from nowhere' from 192.0.2.2 192.0.2.1:61208 000

	# ---- a login from outside: the key is good, logind knows of it, and it keeps the machine awake ----
	rm -f /run/utmp # newer systems have none
	mkfifo /run/typed
	ip netns exec out ssh -tt -i /job/key -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o BatchMode=yes \
		ubuntu@192.0.2.1 </run/typed >/run/shown 2>&1 &
	exec 8>/run/typed
	logged_in() { loginctl --no-legend list-sessions | grep -q ubuntu; }
	wanted 'a login from outside' logged_in
	# shellcheck disable=SC2016 # the other shell's
	echo 'echo "in "fish $FISH_VERSION' >&8
	wanted 'in fish' grep -q 'in fish [0-9]' /run/shown
	session=$(loginctl --no-legend list-sessions | awk '$3 == "ubuntu" { print $1; exit }')
	check 'logind calls it remote' [ "$(loginctl show-session -P Remote "$session")" = yes ]
	wanted 'why-awake names it' awake_by_ssh
	echo 'exit' >&8
	exec 8>&-
	logged_out() { ! loginctl show-session "$session" >/dev/null 2>&1; }
	wanted 'logged out' logged_out

	# ---- what it is for ----
	check 'jupyter answers' jupyter_answers
	check 'with the notebooks that were in the cloud' [ "$(notebooks)" = 'deep first.ipynb' ]
	check 'every byte of them' restored
	check 'and of what it gives' cmp <(contents first.ipynb | python3 -c 'import json, sys; json.dump(json.load(sys.stdin)["content"], sys.stdout)') \
		<(python3 -c 'import json; json.dump(json.load(open("/job/first.ipynb")), __import__("sys").stdout)')
	check 'not to anybody' [ "$(curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:8888/api/contents)" = 403 ]
	was=$(of_jupyter)
	check 'they were back before it started' grep -q 'back.*service:jupyter started' <(journalctl -u tend -o cat --no-pager |
		grep -E ' were brought back|service:jupyter started' | head -n 2 | tr '\n' ' ')
	check "they are the person's" [ -z "$(find /home/ubuntu ! -user ubuntu | tee /dev/stderr)" ]
	check 'glances answers' glances_answers
	check 'jupyter runs as the person' [ "$(stat -c %U "/proc/$was")" = ubuntu ]
	check 'in its conda' grep -qzx CONDA_DEFAULT_ENV=base "/proc/$was/environ"
	check 'a notebook is saved' contents second.ipynb -o /dev/null -X PUT -H 'Content-Type: application/json' \
		-d '{"type": "notebook", "format": "json", "content": {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}}'
	check 'and is in the cloud' tend wait notebooks --timeout 60s
	check 'at its first try' [ -z "$(journalctl -u tend -o cat --no-pager | grep 'not so after')" ]
	check 'each step ran once' [ "$(steps_said ' done: ')" = "$(wc -w <<<"$STEPS")" ]
	steps_said '' >/srv/said
	exit 133
fi

if [ "$boot" = 2 ]; then
	wanted 'every step is done' done_all
	wanted 'its services are up' serves
	wanted 'jupyter answers' jupyter_answers
	wanted 'glances answers' glances_answers
	check 'no step was run' [ "$(steps_said '')" = "$(cat /srv/said)" ]
	check 'nor the world asked again' [ "$(grep -c Miniconda /srv/asked)" = 1 ]
	check 'with all notebooks' [ "$(notebooks)" = 'deep first.ipynb second.ipynb' ]
	was=$(of_jupyter)
	sed -i 's/^\tset-option -g mouse on/&\n\tset-option -g status off/' /etc/tend/tend.ini
	check 'another line in one step' systemctl reload tend
	wanted 'is in its file' grep -q 'status off' /home/ubuntu/.tmux.conf
	wanted 'every step is done' done_all
	check 'only that one ran' [ "$(steps_said '')" = $(($(cat /srv/said) + 1)) ]
	check 'it was that one' grep -q 'step:tmux-conf .*written' <(tend history -n 1)
	check 'jupyter noticed nothing' [ "$(of_jupyter)" = "$was" ]
	tend wait notebooks --timeout 60s || fail 'the notebooks are not in the cloud'
	exit 0
fi
fail 'a boot too many'
