#!/bin/sh
# Fuzzes each target for some seconds, or the one that is named: run.sh FOLDER SECONDS [TARGET]
# FOLDER takes the build, the corpora, the logs and whatever is found; a corpus is kept from run to run.
# Without a sanitizer, which a stable compiler lacks: the code is safe Rust, and what is looked for are panics,
# broken assertions, slowness and hunger for memory.
set -eu
folder=$1
seconds=$2
fuzz=$(dirname "$0")
cargo fuzz --version >/dev/null 2>&1 || cargo install cargo-fuzz --locked
for target in ${3:-$(cargo fuzz list --fuzz-dir "$fuzz")}; do
    corpus=$folder/corpus/$target
    mkdir -p "$corpus" "$folder/found/$target"
    python3 "$fuzz/seed.py" "$target" "$corpus"
    cargo fuzz run --fuzz-dir "$fuzz" --target-dir "$folder/build" --sanitizer none "$target" "$corpus" -- \
        -artifact_prefix="$folder/found/$target/" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
        -max_len=4096 -print_final_stats=1
done
