#!/bin/bash
# Run as root on a booted kernel where tend is installed, once in each life of the machine, whose number the kernel was told. What it
# says on the serial line is heard outside.
set -u
# shellcheck source=tests/support/job.sh
. /job/job.sh
life=$(sed 's/.*tend\.life=\([0-9]*\).*/\1/' /proc/cmdline)

begun() { [ -e /run/seen ]; }
unsent() { tend status folder:large --json | grep -q '"pending": [1-9]'; }
write() { # NAME: a file, and outside is told what it should hold
	head -c 8192 /dev/urandom >"/data/work/run/$1"
	say "wrote $1 $(sha256sum <"/data/work/run/$1" | cut -d' ' -f1)"
}

wanted 'tend is up' active
wanted 'the service has begun' begun
say "seen: $(gzip -c /run/seen | base64 -w 0)"

case $life in
1) # The first machine of all.
	tar -xpf /srv/seed.tar -C /data/work
	say 'all is written'
	rm /run/busy
	;;
2) # Another one, with an empty disk.
	say "diary: $(cat /data/work/diary)"
	mkdir /data/work/run
	truncate -s 340M /data/large/huge # does not go through the line before the end
	wanted 'the large file is on its way' unsent
	for ((n = 1;; n++)); do
		write "step-$n"
		if [ $((n % 5)) = 0 ]; then
			tend wait work && say "waited $n"
		fi
	done
	;;
3) # The disk is there again, as it was when the plug was pulled.
	rm -f /data/large/huge
	check 'all is stored' tend wait
	check 'verify' tend verify work --read
	check 'verify of the other' tend verify large
	say "verified: $(tend verify work)"
	check 'nothing is wrong' tend status
	rm /run/busy
	;;
esac
