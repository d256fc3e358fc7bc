#!/bin/sh
# Where a server's time goes: runs `locum dev`, drives it by a scenario, and draws a flame graph of the server.
#   benches/profile.sh SCENARIO [SVG]      such as benches/profile.sh benches/load/assume-role.toml
# Needs perf (Debian: linux-perf), and inferno, which it installs. Builds the program a second time, with frame pointers.
set -eu
cd "$(dirname "$0")/.."
scenario=$1
svg=${2:-flamegraph.svg}
target=$(cargo metadata --format-version 1 --no-deps --locked | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')/profile
command -v inferno-flamegraph >/dev/null || cargo install inferno --locked
RUSTFLAGS="-C force-frame-pointers=yes" cargo build --release --locked --bin locum --target-dir "$target" \
    --config 'profile.release.debug="line-tables-only"'
folder=$(mktemp -d)
trap 'kill $server 2>/dev/null; wait $server 2>/dev/null; rm -rf "$folder"' EXIT
locum="$target/release/locum"
"$locum" dev --data-dir "$folder/data" --grpc 127.0.0.1:0 --aws 127.0.0.1:0 --metadata 127.0.0.1:0 --health 127.0.0.1:0 \
    --metadata-requests-per-second 0 >"$folder/dev.out" &
server=$!
until [ -s "$folder/data/dev.json" ]; do sleep 0.1; done
value() { sed -n "s/.*\"$1\": \"\(.*\)\".*/\1/p" "$folder/data/dev.json"; }
export LOCUM_ENDPOINT="$(value endpoint)" AWS_ENDPOINT_URL="$(value aws)" AWS_REGION="$(value region)"
export AWS_EC2_METADATA_SERVICE_ENDPOINT="$(value metadata)"
export AWS_ACCESS_KEY_ID="$(value accessKeyId)" AWS_SECRET_ACCESS_KEY="$(value secretAccessKey)"
# The administrator of one account: the scenario's others are left out.
sed 's/^accounts = .*/accounts = 1/' "$scenario" >"$folder/scenario.toml"
perf record -q -F 997 -g -p $server -o "$folder/perf.data" &
"$locum" load run "$folder/scenario.toml" --server-pid $server
kill -INT $! && wait $! || true
perf script -i "$folder/perf.data" 2>/dev/null | inferno-collapse-perf | inferno-flamegraph >"$svg"
echo "$svg"
