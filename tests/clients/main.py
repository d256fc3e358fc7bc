"""Plays every operation of the AWS APIs that Locum answers by real clients against a real server.

    main.py PATH_OF_LOCUM [--write]

Ends with 0 only if everything was as expected, every operation that is answered was done by both clients,
every parameter and field of AWS's service models is read or answered or listed as not, and
`docs/compatibility.md` says the same; `--write` writes that page.
"""

import pathlib
import sys
import time
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import compatibility  # noqa: E402
import containers  # noqa: E402
import credentials  # noqa: E402
import ec2  # noqa: E402
import fields  # noqa: E402
import iam  # noqa: E402
import lists  # noqa: E402
import mfa  # noqa: E402
import protocol  # noqa: E402
import sts  # noqa: E402
from clients import Boto, Cli, Recorder  # noqa: E402
from stage import Stage  # noqa: E402

# Short, so that a rotation is seen.
LIFETIMES = ["--credentials-lifetime", "16s", "--rotation-interval", "5s"]
# Each client has an account of its own, so that each begins with nothing.
ACCOUNTS = {Boto: "222222222222", Cli: "333333333333"}


def scenes(stage, recorder):
    """Everything to play: names and functions without arguments."""
    for make, number in ACCOUNTS.items():
        client = make(stage.dev["aws"], recorder, stage.account(make.name, number))
        for module in (iam, sts, mfa, ec2, lists, fields):
            for scene in module.SCENES:
                name = f"{module.__name__}.{scene.__name__} by {make.name}"
                yield name, lambda scene=scene, client=client, n=number: scene(client, n)
    boto = Boto(stage.dev["aws"], recorder, stage.root)
    for module in (protocol, credentials, containers):
        for scene in module.SCENES:
            name = f"{module.__name__}.{scene.__name__}"
            yield name, lambda scene=scene: scene(stage, boto)


def main():
    locum, write = sys.argv[1], "--write" in sys.argv[2:]
    recorder, failed = Recorder(), []
    with Stage(locum, *LIFETIMES) as stage:
        for name, scene in scenes(stage, recorder):
            began = time.monotonic()
            try:
                scene()
            except Exception:  # every scene is told of, whatever becomes of the others
                failed.append(name)
                traceback.print_exc(file=sys.stdout)
            took = time.monotonic() - began
            print(f"{'FAILED' if name in failed else 'ok':<7} {took:5.1f} s  {name}", flush=True)
        if not failed:
            boto = Boto(stage.dev["aws"], recorder, stage.root)
            failed += compatibility.settle(boto, stage.operations(), write)
    for what in failed:
        print(f"FAILED: {what}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
