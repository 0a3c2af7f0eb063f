#!/bin/bash
# Run as root in a booted container where tend is installed and configured by conf/paperspace-gpu.ini: a rented GPU. Called once a boot
# with the number of the boot.
set -u
boot=$1
export PATIENCE=120
# shellcheck source=tests/support/job.sh
. /job/job.sh

STEPS='driver cuda-keyring cuda-repository cuda pin-driver miniconda conda work'
state() { tend status "$1" 2>/dev/null | sed -n 's/^state *\([a-z]*\) for.*/\1/p'; }
is() { [ "$(state "$1")" = "$2" ]; }
done_all() { for step in $STEPS; do is "step:$step" 'done' || return 1; done; }
runs() { tend history -n 1000 | grep -c ' started'; }
jupyter_answers() { python3 -c 'import urllib.request as u; print(u.urlopen("http://127.0.0.1:8888/api").read())' | grep -q '"version"'; }
of_jupyter() { tend status --json service:jupyter | sed -n 's/.*"pid": \([0-9]*\),*$/\1/p'; }
blacklisted() { apt-config dump | grep -qF "Unattended-Upgrade::Package-Blacklist:: \"$1\""; }

if [ "$boot" = 1 ]; then
	# The driver wants it: this is the end of this boot.
	wanted 'a restart' false
fi

if [ "$boot" = 2 ]; then
	wanted 'every step is done' done_all
	check 'the driver was put in once, and asked nothing' [ "$(cat /srv/drivers)" = noninteractive ]
	check 'it is there' nvidia-smi
	check 'CUDA came after the restart' [ "$(cat /srv/cuda)" = 2 ]
	check 'from the archive that its keyring brought' [ "$(/usr/local/cuda/bin/nvcc)" = 'release 12.4' ]
	check 'cuDNN too' grep -q 'CUDNN_MAJOR 9' /usr/include/cudnn.h
	check 'updates leave all that alone' blacklisted nvidia- && blacklisted libnvidia- && blacklisted cuda-
	wanted 'jupyter is up' is service:jupyter up
	wanted 'it answers' jupyter_answers
	pid=$(of_jupyter)
	check 'as the person' [ "$(stat -c %U "/proc/$pid")" = ubuntu ]
	check 'with conda and CUDA on its path' grep -qz '^PATH=/home/ubuntu/miniconda3/bin:/usr/local/cuda/bin:' "/proc/$pid/environ"
	check 'the work was brought back' cmp /job/deep.bin /home/ubuntu/work/results/deep.bin
	check "it is the person's" [ "$(stat -c %U /home/ubuntu/work/results/deep.bin)" = ubuntu ]
	su ubuntu -c 'echo of today >~/work/notes.txt'
	check 'what is new is in the cloud' tend wait work --timeout 60s
	signals=$(tend why-awake | awk '/^SIGNAL/{on = 1; next} on{print $1}' | tr '\n' ' ')
	check 'it looks who uses it' [ "$signals" = 'ssh mosh tmux gpu>5% jupyter jobs sync ' ]

	# ---- the next start ----
	before=$(runs)
	check 'a restart of tend' systemctl restart tend
	wanted 'every step is done' done_all
	check 'and nothing was run' [ "$(runs)" = "$before" ]
	check 'nor fetched' [ "$(grep -c keyring /srv/asked)" = 1 ]
	exit 0
fi
fail 'a boot too many'
