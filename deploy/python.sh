#!/usr/bin/env bash
# Makes a Python environment with the clients that demo and tests use, once, in the folder that is named.
set -euo pipefail

venv=$1
if ! "$venv/bin/python" -c 'import boto3, grpc, grpc_reflection, google.rpc' 2>/dev/null; then
    echo "setup: boto3 and grpcio for Python in $venv: real clients for demo and tests"
    python3 -m venv "$venv"
    "$venv/bin/pip" install -q boto3 grpcio grpcio-reflection googleapis-common-protos
fi
