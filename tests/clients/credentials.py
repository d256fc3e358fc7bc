"""How clients come by credentials: the default chain through metadata, roles after it, a token from a file."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

from clients import REGION
from ec2 import profile
from iam import TRUST_EC2

# A program of its own, so that its default chain is the one of any program.
WHOAMI = """
import json, sys, time
import boto3
session = boto3.Session()
sts = session.client("sts")
for line in sys.stdin:
    frozen = session.get_credentials().get_frozen_credentials()
    told = {"arn": sts.get_caller_identity()["Arn"], "key": frozen.access_key}
    print(json.dumps(told), flush=True)
"""


def environment(stage, **more):
    """Nothing of ours but where things are."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return {
        **clean,
        "AWS_ENDPOINT_URL": stage.dev["aws"],
        "AWS_EC2_METADATA_SERVICE_ENDPOINT": stage.dev["metadata"],
        "AWS_DEFAULT_REGION": REGION,
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        **more,
    }


def launched(boto):
    """An instance at our own address: metadata knows its role by it."""
    found = boto.call(
        "ec2",
        "DescribeInstances",
        Filters=[
            {"Name": "private-ip-address", "Values": ["127.0.0.1"]},
            {"Name": "instance-state-name", "Values": ["running"]},
        ],
    )["Reservations"]
    if found:
        return found[0]["Instances"][0]["InstanceId"]
    profile(boto, "ours")
    run = boto.call(
        "ec2",
        "RunInstances",
        ImageId="ami-1",
        MinCount=1,
        MaxCount=1,
        PrivateIpAddress="127.0.0.1",
        IamInstanceProfile={"Name": "ours"},
    )
    return run["Instances"][0]["InstanceId"]


def metadata_with_refresh(stage, boto):
    """boto3's default chain finds the instance's role and takes up the next set by itself."""
    instance, account = launched(boto), stage.dev["account"]
    program = subprocess.Popen(
        [sys.executable, "-c", WHOAMI],
        env=environment(stage),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    keys = set()
    deadline = time.monotonic() + 30
    while len(keys) < 2:
        assert time.monotonic() < deadline, f"no other key within 30 s than {keys}"
        program.stdin.write("\n")
        program.stdin.flush()
        told = json.loads(program.stdout.readline())
        assert told["arn"] == f"arn:aws:sts::{account}:assumed-role/ours/{instance}", told
        keys.add(told["key"])
        time.sleep(0.2)
    program.stdin.close()
    assert program.wait(10) == 0


def whoami_by_profile(stage, text, **more):
    """The identity that the command line has under the profile `it` of a config file."""
    with tempfile.TemporaryDirectory() as folder:
        config = pathlib.Path(folder, "config")
        config.write_text(text)
        done = subprocess.run(
            [sys.executable, "-m", "awscli", "sts", "get-caller-identity", "--profile", "it"],
            env=environment(stage, AWS_CONFIG_FILE=str(config), **more),
            capture_output=True,
            text=True,
        )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["Arn"]


def role_after_metadata(stage, boto):
    """`credential_source = Ec2InstanceMetadata`: a role that the instance's role assumes."""
    launched(boto)
    account = stage.dev["account"]
    trust = json.loads(TRUST_EC2)
    trust["Statement"][0]["Principal"] = {"AWS": f"arn:aws:iam::{account}:role/ours"}
    boto.call("iam", "CreateRole", RoleName="next", AssumeRolePolicyDocument=json.dumps(trust))
    arn = whoami_by_profile(
        stage,
        f"""[profile it]
role_arn = arn:aws:iam::{account}:role/next
role_session_name = chained
credential_source = Ec2InstanceMetadata
""",
    )
    assert arn == f"arn:aws:sts::{account}:assumed-role/next/chained", arn


SCENES = [metadata_with_refresh, role_after_metadata]
