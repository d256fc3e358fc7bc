"""Runs every test target many times beside busy loops, one for each core, and tells which failed how often.

    tests/repeat.py [--times N] [--only TARGET,TARGET] [CARGO'S FLAGS]      as `make test-repeat` does

Tests that wait for a time or for an order pass on a machine that is idle; here they do not. The test programs are
built once and run as cargo would run them, every target in each round. What a failed run printed is kept.
"""

import argparse
import json
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import time

# Targets that take minutes, and how often they are run at most.
SLOW = {"clients": 5, "failures": 5, "story": 5}
# After so many seconds a run counts as failed.
PATIENCE = 1200
ROOT = pathlib.Path(__file__).resolve().parent.parent


def built(flags):
    """Builds everything: each test program by its target's name, and cargo's target folder."""
    command = ["cargo", "test", "--no-run", "--message-format=json-render-diagnostics", *flags]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(done.returncode)
    programs = {}
    for message in map(json.loads, done.stdout.splitlines()):
        if message["reason"] == "compiler-artifact" and message["profile"]["test"]:
            if message["executable"]:
                target = message["target"]
                # The library and the program have one name.
                own = target["kind"][0] == "test"
                programs[target["name"] if own else target["kind"][0]] = message["executable"]
    metadata = ["cargo", "metadata", "--format-version", "1", "--no-deps", "--locked"]
    metadata = subprocess.run(metadata, cwd=ROOT, stdout=subprocess.PIPE, check=True)
    return programs, pathlib.Path(json.loads(metadata.stdout)["target_directory"])


def run(program, output):
    """Runs a test program once, its output into a file: whether it passed, and the seconds that it took."""
    began = time.monotonic()
    environment = {**os.environ, "CARGO_MANIFEST_DIR": str(ROOT)}
    process = subprocess.Popen(
        [program],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        # A group of its own, so that a run that hangs ends with the servers that it started.
        start_new_session=True,
    )
    try:
        passed = process.wait(PATIENCE) == 0
    except subprocess.TimeoutExpired:
        passed = False
        output.write(f"\nended after {PATIENCE} s\n".encode())
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return passed, time.monotonic() - began


def repeat(programs, times, folder):
    """Runs the programs in rounds; the times of each target's runs, and the rounds in which it failed."""
    took, failed = {name: [] for name in programs}, {name: [] for name in programs}
    try:
        for number in range(1, times + 1):
            for name, program in programs.items():
                if number > SLOW.get(name, times):
                    continue
                kept = folder / f"{name}-{number}.log"
                with open(kept, "wb") as output:
                    passed, seconds = run(program, output)
                took[name].append(seconds)
                if passed:
                    kept.unlink()
                else:
                    failed[name].append(number)
                    print(f"round {number}: {name} failed: {kept}", flush=True)
            print(f"round {number} of {times} is done", flush=True)
    except KeyboardInterrupt:
        print("stopped; these are the runs until now")
    return took, failed


def table(took, failed):
    print(f"\n{'target':<16} {'runs':>5} {'failures':>9} {'min':>7} {'median':>7} {'max':>7}  seconds")
    for name, times in took.items():
        if times:
            spread = (min(times), statistics.median(times), max(times))
            spread = " ".join(f"{seconds:7.1f}" for seconds in spread)
            print(f"{name:<16} {len(times):>5} {len(failed[name]):>9} {spread}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--only", default="", help="targets, separated by commas; `lib` is the library's own tests")
    arguments, flags = parser.parse_known_args()
    programs, target = built(flags)
    only = [name for name in arguments.only.split(",") if name]
    if unknown := set(only) - set(programs):
        raise SystemExit(f"no such target: {', '.join(sorted(unknown))}; there are {', '.join(programs)}")
    programs = {name: programs[name] for name in only or sorted(programs)}
    folder = target / "repeat"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count())]
    try:
        print(f"{len(programs)} targets beside {len(busy)} busy loops, outputs of failed runs in {folder}", flush=True)
        took, failed = repeat(programs, arguments.times, folder)
    finally:
        for loop in busy:
            loop.kill()
            loop.wait()
    table(took, failed)
    failures = sum(map(len, failed.values()))
    print(f"{failures} of {sum(map(len, took.values()))} runs failed" + (f": {folder}" if failures else ""))
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
