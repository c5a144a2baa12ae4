#!/bin/sh
# Runs the benches of this archive: ./run-benches.sh [a word of a bench binary's name [criterion's arguments]]
set -u
root=$(cd "$(dirname "$0")" && pwd) || exit 2
cd "$root" || exit 2
export CUWHY_ARCHIVE="$root"
# Criterion's data and report, for `cargo xtask plots`.
export CRITERION_HOME="${CRITERION_HOME:-$root/criterion}"
# The newest runtime of the archive, unless another one is named.
for runtime in toolkits/*/nvidia/*/lib/libcudart.so.13*; do
  [ -e "$runtime" ] && export CUWHY_LIBCUDART="${CUWHY_LIBCUDART:-$root/$runtime}"
done
word=${1:-}
[ $# -gt 0 ] && shift
ran=0
code=0
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
for packed in benches/*"$word"*.gz; do
  [ -f "$packed" ] || continue
  name=${packed#benches/}
  bench="$work/${name%.gz}"
  gzip -dc "$packed" >"$bench" && chmod +x "$bench" || exit 2
  ran=$((ran + 1))
  echo "== ${name%.gz}"
  "$bench" --bench "$@" || code=1
done
[ "$ran" -eq 0 ] && echo "no bench of this name" && exit 2
exit "$code"
