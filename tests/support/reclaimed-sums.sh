#!/bin/bash
# Everything of a folder that the cloud keeps, one line each, in order: kinds, modes, times and targets, and the sums of all bytes.
# usage: reclaimed-sums.sh FOLDER EXCEPT    EXCEPT: a pattern of paths below the folder that do not count
set -eu
export LC_ALL=C
cd "$1"
find . -mindepth 1 -path "$2" -prune -o -type d -printf 'folder %m %P\n' | sort
find . -path "$2" -prune -o -type f -printf 'file %m %T@ %P\n' | sort
find . -path "$2" -prune -o -type l -printf 'link %l %P\n' | sort
find . -path "$2" -prune -o -type f -print0 | sort -z | xargs -0 -r sha256sum
