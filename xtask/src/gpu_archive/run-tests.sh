#!/bin/sh
# Runs every test of this archive on this machine, once with each real CUDA runtime in it; those of
# tests-once.txt, which do not care which runtime there is, once.
#
#   ./run-tests.sh                     everything
#   ./run-tests.sh canary copies       only binaries whose name contains one of these words
#   ./run-tests.sh -sim                all but those whose name contains this word
#
# CUWHY_TEST_GPU   require (default: a device test that cannot run is a failure), auto, off
# RUNTIMES         the runtimes to run with, for example "13.0"; default: all that are here
# LOGS             where to write what each binary prints; default: a new temporary folder
# PATIENCE         seconds that one binary may take; default: 300
#
# Exit code: 0 when everything passed, 1 when something failed, 2 when there was nothing to run.
set -u
root=$(cd "$(dirname "$0")" && pwd) || exit 2
cd "$root" || exit 2
export CUWHY_ARCHIVE="$root"
export CUWHY_TEST_GPU="${CUWHY_TEST_GPU:-require}"
export RUST_BACKTRACE="${RUST_BACKTRACE:-0}"
unset CUWHY_LIBCUDART CUWHY_TOOLKITS
logs=${LOGS:-$(mktemp -d)} || exit 2
mkdir -p "$logs" || exit 2
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT

chosen() {
  name=$1
  shift
  answer=0
  for word in "$@"; do
    case $word in
      -*) case $name in *"${word#-}"*) return 1 ;; esac ;;
      *) answer=1 ;;
    esac
  done
  for word in "$@"; do
    case $word in -*) continue ;; esac
    case $name in *"$word"*) return 0 ;; esac
  done
  return "$answer"
}

ran=0
passed=0
failed=""
skipped=0
first=""
start=$(date +%s)
for runtime in toolkits/*/nvidia/*/lib/libcudart.so.*; do
  # nvidia-cuda-runtime-cu12-12.9.79 is the runtime of 12.9.
  version=$(echo "$runtime" | sed -n 's|^toolkits/.*-\([0-9]*\.[0-9]*\)\.[0-9]*/.*|\1|p')
  case " ${RUNTIMES:-$version} " in *" $version "*) ;; *) continue ;; esac
  export CUWHY_LIBCUDART="$root/$runtime"
  first=${first:-$version}
  for packed in tests/*.gz; do
    name=${packed#tests/}
    name=${name%.gz}
    chosen "$name" "$@" || continue
    [ "$version" = "$first" ] || ! grep -qxF "$name" tests-once.txt || continue
    log="$logs/$version-$name.log"
    test="$work/$name"
    if [ ! -x "$test" ]; then
      gzip -dc "$packed" >"$test" && chmod +x "$test" || exit 2
    fi
    timeout "${PATIENCE:-300}" "$test" >"$log" 2>&1
    code=$?
    ran=$((ran + 1))
    skips=$(grep -c '^skipped ' "$log")
    skipped=$((skipped + skips))
    undone=0
    [ "$CUWHY_TEST_GPU" != require ] || undone=$(grep -c '^skipped device test ' "$log")
    if [ "$code" -eq 0 ] && [ "$undone" -gt 0 ]; then
      failed="$failed
  $version $name ($undone device tests were skipped, $log)"
      echo "FAILED  $version  $name  a device is required, and this was skipped:"
      grep '^skipped device test ' "$log" | sed 's/^/        /'
    elif [ "$code" -eq 0 ]; then
      passed=$((passed + 1))
      echo "ok      $version  $name  $(grep -h '^test result' "$log" | head -n 1) skipped: $skips"
    else
      failed="$failed
  $version $name (exit code $code, $log)"
      echo "FAILED  $version  $name  exit code $code"
      tail -n 40 "$log" | sed 's/^/        /'
    fi
  done
done

echo
echo "$passed of $ran binaries passed in $(($(date +%s) - start)) s; $skipped lines say that a test was skipped; logs in $logs"
if [ "$ran" -eq 0 ]; then
  echo "nothing was run"
  exit 2
fi
if [ -n "$failed" ]; then
  echo "failed:$failed"
  exit 1
fi
