"""How containers come by credentials: botocore's own provider, by a host agent and the token file it writes."""

import pathlib
import subprocess
import time

import boto3
from botocore.credentials import ContainerProvider

TRUST = (
    '{"Statement":{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},'
    '"Action":"sts:AssumeRole"}}'
)


def a_container_has_the_role_of_its_workload(stage, _):
    """A workload is an instance; its token file gives botocore its role, renewed as it rotates."""

    def iam(call, *flags):
        return stage.command(stage.dev, "iam", call, *flags)

    iam("create-role", "--role-name", "pod", "--trust-policy", TRUST)
    iam("create-instance-profile", "--instance-profile-name", "pod")
    named = ("--instance-profile-name", "pod", "--role-name", "pod")
    iam("add-role-to-instance-profile", *named)
    key = iam("create-agent", "--agent-name", "node")["accessKey"]
    launch = ("--agent-name", "node", "--instance-profile-name", "pod")
    launched = stage.command(stage.dev, "instance", "launch-instance", *launch)
    instance = launched["instance"]["instanceId"]
    tokens = pathlib.Path(stage.folder.name, "tokens")
    file = tokens / instance / "token"
    arguments = ["--endpoint", stage.dev["endpoint"], "--listen", "127.0.0.1:0"]
    agent = subprocess.Popen(
        [stage.locum, "agent", *arguments, "--container-tokens", tokens],
        env={
            "AWS_ACCESS_KEY_ID": key["accessKeyId"],
            "AWS_SECRET_ACCESS_KEY": key["secretAccessKey"],
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        url = agent.stdout.readline().split()[-1]
        deadline = time.monotonic() + 20
        while not file.exists():
            assert time.monotonic() < deadline, "the agent writes no token"
            time.sleep(0.05)
        environment = {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{url}/v1/credentials",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(file),
        }
        credentials = ContainerProvider(environ=environment).load()
        first = credentials.get_frozen_credentials()
        identity = boto3.client(
            "sts",
            endpoint_url=stage.dev["aws"],
            region_name="us-east-1",
            aws_access_key_id=first.access_key,
            aws_secret_access_key=first.secret_key,
            aws_session_token=first.token,
        ).get_caller_identity()
        assert identity["Arn"].endswith(f":assumed-role/pod/{instance}"), identity
        # Lives are so short here that botocore renews at each use.
        deadline = time.monotonic() + 20
        while credentials.get_frozen_credentials().access_key == first.access_key:
            assert time.monotonic() < deadline, "botocore does not see the rotation"
            time.sleep(0.2)
    finally:
        agent.terminate()
        agent.wait(20)


SCENES = [a_container_has_the_role_of_its_workload]
