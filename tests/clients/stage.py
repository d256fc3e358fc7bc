"""A Locum server of our own, and accounts on it."""

import json
import os
import pathlib
import subprocess
import tempfile
import time


class Stage:
    """`locum dev` on a temporary folder and free ports; ends with the `with` block."""

    def __init__(self, locum, *flags):
        self.locum, self.flags = locum, flags

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory()
        data = pathlib.Path(self.folder.name, "data")
        ports = [x for f in ("grpc", "aws", "metadata", "health") for x in (f"--{f}", "127.0.0.1:0")]
        self.log = open(pathlib.Path(self.folder.name, "log"), "w+")
        arguments = [self.locum, "dev", "--data-dir", data, *ports, *self.flags]
        self.process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=self.log)
        deadline = time.monotonic() + 30
        while not (data / "dev.json").exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.log.seek(0)
                raise SystemExit(f"the server does not start: {self.log.read()}")
            time.sleep(0.02)
        self.dev = json.loads((data / "dev.json").read_text())
        self.operator = json.loads((data / "operator.json").read_text())
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(30)
        self.log.close()
        self.folder.cleanup()

    @property
    def root(self):
        """The key of the account's root."""
        return {
            "AccessKeyId": self.dev["accessKeyId"],
            "SecretAccessKey": self.dev["secretAccessKey"],
        }

    def account(self, name, number):
        """Makes another account: the key of its root."""
        made = self.command(
            self.operator, "account", "create-account", "--name", name, "--account-id", number
        )
        key = made["rootKey"]
        return {"AccessKeyId": key["accessKeyId"], "SecretAccessKey": key["secretAccessKey"]}

    def operations(self):
        """What `locum operations` tells: what is answered and read, and what is not read."""
        done = subprocess.run([self.locum, "operations"], check=True, capture_output=True)
        return json.loads(done.stdout)

    def command(self, key, *arguments):
        """What `locum ARGUMENTS` answers."""
        endpoint = ["--endpoint", self.dev["endpoint"], "--output", "json"]
        environment = {
            **os.environ,
            "AWS_ACCESS_KEY_ID": key["accessKeyId"],
            "AWS_SECRET_ACCESS_KEY": key["secretAccessKey"],
        }
        done = subprocess.run(
            [self.locum, *arguments, *endpoint], env=environment, capture_output=True, text=True
        )
        if done.returncode != 0:
            raise SystemExit(f"locum {' '.join(arguments)}: {done.stderr}")
        return json.loads(done.stdout)
