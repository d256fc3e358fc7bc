#!/usr/bin/env bash
# Makes a Python environment with the clients that demo and tests use, once, in the folder that is named.
# The versions of AWS's clients are fixed: docs/compatibility.md lists the operations that they know.
set -euo pipefail

venv=$1
clients="boto3==1.44.8 awscli==1.46.3"
if ! "$venv/bin/python" -c '
import sys, boto3, awscli, grpc, grpc_reflection, google.rpc
found = [f"boto3=={boto3.__version__}", f"awscli=={awscli.__version__}"]
sys.exit(found != sys.argv[1].split())' "$clients" 2>/dev/null; then
    echo "setup: boto3, the AWS command line and grpcio for Python in $venv: real clients for demo and tests"
    python3 -m venv "$venv"
    # shellcheck disable=SC2086 # several words
    "$venv/bin/pip" install -q $clients grpcio grpcio-reflection googleapis-common-protos
fi
