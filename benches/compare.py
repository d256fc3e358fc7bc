"""Says what the working tree costs beside another commit: runs the benches of both in turns.

    benches/compare.py BASE [--bench NAME,NAME] [--turns N] [--loss PERCENT]      as `make bench-compare` does

Benches of one process do a fixed amount of work (`benches/support/fixed.rs`): the CPU time that they take is compared,
and for each part the number of instructions as callgrind counts them, which is the same in every run. Of the others
the figures are compared that they print. A ratio is that of the medians, the working tree's to the base's; one that is
judged and above the bound fails. What the machine does besides shows in how far the turns are apart.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

# Benches that can do a fixed amount of work, and the factor by which turns take some tenths of a second a part.
FIXED = {"policy": 20, "token": 20, "watched": 1000, "append": 5}
# Benches that are compared by what they print, and what shortens a turn of theirs.
PRINTED = {"ceiling": {"CEILING_ROUNDS": "2"}, "call": {}}
# Runs under callgrind, whose counts differ by next to nothing: by the seeds of hash maps.
COUNTED = 3
ASKS_FIXED = "LOCUM_BENCH_FIXED"
ROOT = pathlib.Path(__file__).resolve().parent.parent


def run(*command, cwd=ROOT, **more):
    """What a command prints; the comparison ends where it fails."""
    done = subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, text=True, **more)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))} failed")
    return done.stdout.strip()


def git(*words, cwd=ROOT):
    return run("git", *words, cwd=cwd)


def target_folder():
    metadata = run("cargo", "metadata", "--format-version", "1", "--no-deps", "--locked")
    return pathlib.Path(json.loads(metadata)["target_directory"])


def build(tree, bench, environment):
    """Builds a bench: its program, or none where it cannot be built."""
    command = ["cargo", "bench", "--locked", "--no-run", "--bench", bench]
    command += ["--message-format=json-render-diagnostics"]
    done = subprocess.run(command, cwd=tree, env=environment, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        return None
    messages = [json.loads(line) for line in done.stdout.splitlines()]
    programs = [
        message["executable"]
        for message in messages
        if message["reason"] == "compiler-artifact" and message["target"]["kind"] == ["bench"]
    ]
    return programs[-1]


def rocksdb(target, tree):
    """Settings by which the base takes the RocksDB that the working tree was built with, if it is of one version."""
    if "ROCKSDB_LIB_DIR" in os.environ:
        return {}
    version = re.compile(r'name = "librocksdb-sys"\nversion = "([^"]*)"')
    locks = {version.search((where / "Cargo.lock").read_text())[1] for where in (ROOT, tree)}
    built = target.glob("release/build/librocksdb-sys-*/out/librocksdb.a")
    built = sorted(built, key=lambda path: path.stat().st_mtime)
    if len(locks) > 1 or not built:
        return {}
    return {"ROCKSDB_STATIC": "1", "ROCKSDB_LIB_DIR": str(built[-1].parent)}


class Base:
    """The other commit in a folder of its own below cargo's target folder, kept for the next comparison."""

    def __init__(self, commit, target):
        self.commit, self.tree = commit, target / "compare" / "tree"
        if not (self.tree / ".git").exists():
            git("worktree", "prune")
            git("worktree", "add", "--quiet", "--force", "--detach", self.tree, commit)
        elif git("rev-parse", "HEAD", cwd=self.tree) != commit:
            git("checkout", "--quiet", "--force", "--detach", commit, cwd=self.tree)
            git("clean", "-fdq", cwd=self.tree)
        self.environment = {
            **os.environ,
            **rocksdb(target, self.tree),
            "CARGO_TARGET_DIR": str(target / "compare" / "target"),
        }

    def take_benches(self):
        """Puts the working tree's benches in place of the base's; what is alike keeps its time, for cargo."""
        here, there = ROOT / "benches", self.tree / "benches"
        files = {path.relative_to(here) for path in here.rglob("*") if path.is_file()}
        for path in [path for path in there.rglob("*") if path.is_file()]:
            if path.relative_to(there) not in files:
                path.unlink()
        for name in files:
            text, place = (here / name).read_bytes(), there / name
            if not place.exists() or place.read_bytes() != text:
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(text)

    def take_own_benches(self):
        git("checkout", "--quiet", "--force", "HEAD", "--", "benches", cwd=self.tree)
        git("clean", "-fdq", "benches", cwd=self.tree)

    def build(self, bench):
        """The base's program, and whose bench it is."""
        self.take_benches()
        if program := build(self.tree, bench, self.environment):
            return program, "the working tree's bench on both sides"
        print(f"{bench}: the working tree's bench does not compile against the base", flush=True)
        self.take_own_benches()
        program = build(self.tree, bench, self.environment)
        if not program:
            raise SystemExit(f"{bench}: the base has none that compiles")
        source = "".join(path.read_text() for path in (self.tree / "benches").rglob("*.rs"))
        if bench in FIXED and ASKS_FIXED not in source:
            raise SystemExit(f"{bench}: the base's own does no fixed amount of work: nothing to compare")
        return program, "each side its own bench"


def figures_of(text):
    """What a bench printed: the figure by its name, and whether it is judged."""
    figures, of = {}, ""
    for line in text.splitlines():
        if found := re.match(r"part (.*): ([\d.]+) us$", line):
            figures[f"{found[1]}, us CPU"] = float(found[2]), False
        elif found := re.match(r"(\S.*?) +(\d+)/s, server CPU +([\d.]+) us$", line):
            of = found[1]
            figures[f"{of}, us of the server's CPU"] = float(found[3]), False
        elif found := re.match(r" +of an empty call over (\S+) .*, CPU ([\d.]+)$", line):
            # Of the same minute: what else the machine does is in both.
            figures[f"{of}, CPU of an empty call over {found[1]} connections"] = float(found[2]), True
        elif found := re.match(r"(\S.*): \d+/s \(aim .*\), ([\d.]+) us CPU each", line):
            figures[f"{found[1]}, us CPU"] = float(found[2]), True
        elif found := re.match(r"(\S.*?) +\d+ calls/s +([\d.]+) us CPU a call", line):
            figures[f"{found[1]}, us CPU of client and server"] = float(found[2]), True
    return figures


def turn(program, environment):
    """One run of a bench: its figures."""
    with tempfile.TemporaryFile("w+") as output:
        began = time.monotonic()
        environment = {**os.environ, **environment}
        process = subprocess.Popen([program, "--bench"], cwd=ROOT, env=environment, stdout=output)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.monotonic() - began
        output.seek(0)
        text = output.read()
    if process.returncode:
        raise SystemExit(f"{program} failed:\n{text}")
    figures = figures_of(text)
    if not figures:
        raise SystemExit(f"{program} prints nothing that can be compared:\n{text}")
    figures["the whole process, s CPU"] = used.ru_utime + used.ru_stime, False
    figures["the whole process, s"] = wall, False
    return figures


def counted(program, folder):
    """The instructions of each part, by callgrind."""
    command = ["valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={folder}/out"]
    # Counts within the one function, and writes down what was counted at the end of the other.
    command += ["--toggle-collect=*fixed::counted*", "--dump-after=*fixed::measured*"]
    text = run(*command, program, "--bench", env={**os.environ, ASKS_FIXED: "1"})
    names = [line[5:].rsplit(":", 1)[0] for line in text.splitlines() if line.startswith("part ")]
    figures = {}
    for number, name in enumerate(names, 1):
        told = pathlib.Path(folder, f"out.{number}").read_text()
        figures[f"{name}, instructions"] = int(re.search(r"^totals: (\d+)", told, re.M)[1]), True
    return figures


def in_turns(times, one, programs):
    """The figures of both programs, side by side: each name's of the base, and of the working tree."""
    collected = {}
    for number in range(times):
        # Each goes first as often as the other.
        order = (0, 1) if number % 2 == 0 else (1, 0)
        for side in order:
            for name, (figure, judged) in one(programs[side]).items():
                collected.setdefault((name, judged), ([], []))[side].append(figure)
    return collected


def total_of_parts(collected):
    """The sum of the parts' CPU times relative to the base's medians, so that each part counts as much as another."""
    parts = [sides for (name, _), sides in collected.items() if name.endswith(", us CPU")]
    means = [statistics.median(base) for base, _ in parts]
    if not all(means):
        raise SystemExit("a part is too short to be measured")

    def of_turn(figures):
        return statistics.mean(figure / mean for figure, mean in zip(figures, means))

    # Turn by turn, the figures of all parts.
    sides = tuple([of_turn(turn) for turn in zip(*(part[side] for part in parts))] for side in (0, 1))
    return {("all parts, CPU relative to the base", True): sides}


def show(collected, loss):
    """Prints a table; gives what is judged and above the bound."""
    lost = []
    width = max(len(name) for name, _ in collected)
    print(f"{'':<{width}} {'base (min-max)':>32} {'working tree (min-max)':>32}  ratio")
    for (name, judged), sides in collected.items():
        told, medians = [], []
        for figures in sides:
            middle = statistics.median(figures)
            medians.append(middle)
            digits = 0 if middle >= 10_000 else 4
            low, high = min(figures), max(figures)
            told.append(f"{middle:.{digits}f} ({low:.{digits}f}-{high:.{digits}f})")
        ratio = medians[1] / medians[0]
        over = judged and ratio > 1 + loss / 100
        noise = max((max(figures) - min(figures)) / statistics.median(figures) for figures in sides)
        mark = "" if not judged else f"  judged, apart by {noise:.1%}"
        if over:
            mark += "  MORE THAN THE BOUND"
            lost.append(f"{name}: {ratio:.3f}")
        print(f"{name:<{width}} {told[0]:>32} {told[1]:>32}  {ratio:.3f}{mark}")
    return lost


def compare(bench, programs, turns, loss, folder):
    if bench in PRINTED:
        return show(in_turns(turns, lambda program: turn(program, PRINTED[bench]), programs), loss)
    work = {ASKS_FIXED: str(FIXED[bench])}
    collected = in_turns(turns, lambda program: turn(program, work), programs)
    collected.update(total_of_parts(collected))
    collected.update(in_turns(COUNTED, lambda program: counted(program, folder), programs))
    return show(collected, loss)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("base", help="a commit")
    parser.add_argument("--bench", default="policy,ceiling", help=", ".join([*FIXED, *PRINTED]))
    parser.add_argument("--turns", type=int, default=9, help="of each side")
    parser.add_argument("--loss", type=float, default=3.0, help="percent")
    arguments = parser.parse_args()
    benches = arguments.bench.split(",")
    if unknown := set(benches) - set(FIXED) - set(PRINTED):
        raise SystemExit(f"cannot be compared: {', '.join(sorted(unknown))}; only {', '.join([*FIXED, *PRINTED])}")
    if set(benches) & set(FIXED) and not shutil.which("valgrind"):
        raise SystemExit("valgrind counts instructions and is not installed: `deploy/setup.sh valgrind` does that")
    target = target_folder()
    base = Base(git("rev-parse", "--verify", f"{arguments.base}^{{commit}}"), target)
    own = {**os.environ, "CARGO_TARGET_DIR": str(target)}
    lost = []
    for bench in benches:
        ours = build(ROOT, bench, own)
        if not ours:
            raise SystemExit(f"{bench} does not compile")
        theirs, whose = base.build(bench)
        print(f"\n{bench}: base {base.commit[:12]}, {whose}; {arguments.turns} turns each", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            found = compare(bench, (theirs, ours), arguments.turns, arguments.loss, folder)
        lost += [f"{bench}: {what}" for what in found]
    print("\n" + "\n".join(lost or [f"nothing costs more than {1 + arguments.loss / 100:.3f} of what it did"]))
    sys.exit(1 if lost else 0)


if __name__ == "__main__":
    main()
