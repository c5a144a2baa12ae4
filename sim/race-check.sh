#!/bin/sh
# Looks for data races in the simulator: its tests of threads and streams under ThreadSanitizer.
#
#   rustup component add rust-src     # once: the standard library has to be built with the sanitizer too
#   sim/race-check.sh                 # two seconds of eight threads, and the tests of streams
#   sim/race-check.sh --ignored       # a minute of eight threads
#
# A race makes a test end with exit code 66 and a report. Bytes that copies move are not looked at: their
# order is the caller's affair, and they are moved by instructions that the sanitizer does not see.
set -eu
cd "$(dirname "$0")/.."
target=x86_64-unknown-linux-gnu
# The sanitizer is no stable option of the compiler.
export RUSTC_BOOTSTRAP=1
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/target/race}"
export RUSTFLAGS="-Zsanitizer=thread -Clink-arg=-rdynamic"
cargo build --quiet -Zbuild-std --target "$target" --package cuwhy-sim
# The tests take the library from here, and not one that is built without the sanitizer.
export CUWHY_ARCHIVE="$CARGO_TARGET_DIR/archive"
mkdir -p "$CUWHY_ARCHIVE/lib"
cp "$CARGO_TARGET_DIR/$target/debug/libcuwhy_sim.so" "$CUWHY_ARCHIVE/lib/"
cargo test -Zbuild-std --target "$target" --package cuwhy-sim --test stress --test streams -- --nocapture "$@"
