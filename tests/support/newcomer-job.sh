#!/bin/bash
# Run as root in a booted machine without tend: what README says, as it says it (/job/typed, a command a line).
set -u
PATIENCE=60
# shellcheck source=tests/support/job.sh
. /job/job.sh
export DEBIAN_FRONTEND=noninteractive HOME=/root
cd /root || exit 1
mkdir -p build/release
cp /job/*.deb build/release
(cd /job && exec python3 line.py) &
mapfile -t typed </job/typed
# What a person answers, pastes or edits at a command; the rest is typed as it stands.
type_it() {
	say "# $1"
	case $1 in
	'apt install '*) bash -c "apt-get update -q && apt-get ${1#apt } --yes" ;;
	'tend init') bash -c "$1" </job/answers ;;
	'install '*) bash -c "$1" </job/secret ;;
	'tend edit') EDITOR='python3 /job/editor.py' bash -c "$1" ;;
	'tend status --watch') # until Ctrl-C
		timeout 2 bash -c "$1"
		[ $? = 124 ]
		;;
	*' && tend doctor') # it finds that there is no key yet
		bash -c "${1%% && *}" || return
		bash -c "${1##* && }"
		[ $? -ne 2 ]
		;;
	*) bash -c "$1" ;;
	esac
}
for line in "${typed[@]}"; do check "$line" type_it "$line"; done
glances_answers() { python3 -c 'import urllib.request as r; print(r.urlopen("http://127.0.0.1:61208/api/3/cpu").read())' 2>/dev/null | grep -q '"total"'; }
wanted 'glances answers' glances_answers
echo later >Documents/later
check 'what is written later is stored as well' tend wait
check 'all is as wanted' tend status
exit 0
