#!/bin/sh
# Runs the benches of this archive: ./run-benches.sh [a word of a bench binary's name [criterion's arguments]]
set -u
root=$(cd "$(dirname "$0")" && pwd) || exit 2
cd "$root" || exit 2
export CUWHY_ARCHIVE="$root"
word=${1:-}
[ $# -gt 0 ] && shift
ran=0
code=0
for bench in benches/*"$word"*; do
  [ -x "$bench" ] || continue
  ran=$((ran + 1))
  echo "== $bench"
  "$bench" --bench "$@" || code=1
done
[ "$ran" -eq 0 ] && echo "no bench of this name" && exit 2
exit "$code"
