#!/bin/bash
# Run as root in a booted container where tend is installed and configured by conf/training.ini: a machine that trains, until it is taken
# away.
set -u
export PATIENCE=120
# shellcheck source=tests/support/job.sh
. /job/job.sh

state() { tend status "$1" 2>/dev/null | sed -n 's/^state *\([a-z]*\) for.*/\1/p'; }
is() { [ "$(state "$1")" = "$2" ]; }
done_all() { for step in python environment folders; do is "step:$step" 'done' || return 1; done; }
said() { tend logs -n 1000 train | grep -q "$1"; }
shows() { curl -sS -f "http://127.0.0.1:6006/" | grep -q events.out.tfevents; }
journal() { journalctl -u tend -o cat --no-pager | grep -q "$1"; }
of() { tend status --json "service:$1" | sed -n 's/.*"pid": \([0-9]*\),*$/\1/p'; }

wanted 'every step is done' done_all
check 'its programs' command -v tmux mosh-server >/dev/null
check 'a venv of the person' [ "$(stat -c %U /home/ubuntu/run/venv/bin/tensorboard)" = ubuntu ]
wanted 'TensorBoard is up' is service:tensorboard up
wanted 'the run too' said waits
check 'it broke down once and went on where it was' said 'goes on after 2$'
check 'which tend saw' journal 'service:train.*exit code 1'
check 'as the person' [ "$(stat -c %U "/proc/$(of train)")" = ubuntu ]
wanted 'TensorBoard shows the events' shows
check 'everything is in the cloud' tend wait --timeout 60s
check 'nothing is wrong' tend status

touch /job/enough
wanted 'the notice' journal 'this machine is taken away by aws'
wanted 'the run was told in time' said saved
wanted 'it is down' is service:train down
check 'what it saved last is in the cloud' tend wait checkpoints --timeout 60s
exit 0
