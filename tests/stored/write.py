"""Writes a data folder with what later builds judge otherwise, by a build that took it.

    LOCUM=/path/to/an/older/locum python tests/stored/write.py FOLDER

FOLDER is what `tests/stored.rs` opens. `3aaf098` next to this file was written by the build of that commit.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

import boto3
from botocore.config import Config

LOCUM, FOLDER = os.environ["LOCUM"], pathlib.Path(sys.argv[1])
OTHER = "222222222222"


def document(*statements, version="2012-10-17"):
    return json.dumps({"Version": version, "Statement": list(statements)})


def allow(action="*", resource="*", **more):
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def trust(principal, action="sts:AssumeRole", **more):
    return document({"Effect": "Allow", "Principal": principal, "Action": action, **more})


def locum(who, server, *words):
    environment = {
        **os.environ,
        "AWS_ACCESS_KEY_ID": who["accessKeyId"],
        "AWS_SECRET_ACCESS_KEY": who["secretAccessKey"],
    }
    words = [LOCUM, *words, "--endpoint", server["endpoint"], "--output", "json"]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{words}: {done.stderr}")
    return json.loads(done.stdout)


def start():
    ports = [x for edge in ("grpc", "aws", "metadata", "health") for x in (f"--{edge}", "127.0.0.1:0")]
    server = subprocess.Popen([LOCUM, "dev", "--data-dir", FOLDER, *ports], stdout=subprocess.DEVNULL)
    while not (FOLDER / "dev.json").exists():
        time.sleep(0.05)
    return server, json.loads((FOLDER / "dev.json").read_text())


def client(dev, service, key):
    return boto3.client(
        service,
        endpoint_url=dev["aws"],
        region_name="us-east-1",
        aws_access_key_id=key["accessKeyId"],
        aws_secret_access_key=key["secretAccessKey"],
        config=Config(retries={"total_max_attempts": 1}),
    )


def documents(iam):
    """Documents that IAM refuses, and so does Locum by now."""
    iam.create_user(UserName="ana")
    put = lambda name, text: iam.put_user_policy(UserName="ana", PolicyName=name, PolicyDocument=text)
    put("two-parts", document(allow("s3:GetObject", "arn:aws")))
    put("service-wildcard", document(allow("s3:GetObject", "arn:aws:s*:::attic/*")))
    put("denies-a-pattern", document({"Effect": "Deny", "Action": "i*:DeleteUser", "Resource": "*"}))
    put("assumes", document(allow("sts:AssumeRole")))
    list_key = {"StringEquals": {"aws:TagKeys": "team"}}
    put("scalar-on-a-list", document(allow("iam:TagUser", Condition=list_key)))
    # One name by now: the later one stays.
    iam.create_user(UserName="ben")
    for name, action in (("Main", "iam:GetUser"), ("main", "iam:ListUsers")):
        text = document(allow(action))
        iam.put_user_policy(UserName="ben", PolicyName=name, PolicyDocument=text)
    iam.create_policy(PolicyName="old", PolicyDocument=document(allow("iam:GetRole"), version="2008-10-17"))


def trusts(iam, account):
    """Trust policies that name who was not there, or what is no assumption."""
    role = lambda name, text: iam.create_role(RoleName=name, AssumeRolePolicyDocument=text)
    role("ghosts", trust({"AWS": f"arn:aws:iam::{account}:user/ghost"}))
    role("strangers", trust({"AWS": f"arn:aws:iam::{OTHER}:user/bob"}))
    role("anas", trust({"AWS": f"arn:aws:iam::{account}:user/ana"}))
    role("misspelt", trust({"AWS": account}, ["sts:AssumeRole", "sts:TagSessions"]))
    role("hosts", trust({"AWS": f"arn:aws:locum::{account}:agent/host"}))
    role("served", trust({"Service": "ec2.amazonaws.com"}))
    iam.create_instance_profile(InstanceProfileName="served")
    iam.add_role_to_instance_profile(InstanceProfileName="served", RoleName="served")
    provider = iam.create_open_id_connect_provider(
        Url="https://token.actions.githubusercontent.com", ClientIDList=["sts.amazonaws.com"]
    )["OpenIDConnectProviderArn"]
    audience = {"StringEquals": {"token.actions.githubusercontent.com:aud": "sts.amazonaws.com"}}
    web = "sts:AssumeRoleWithWebIdentity"
    role("any-workflow", trust({"Federated": provider}, web, Condition=audience))


def instances(dev, ec2):
    """An instance of an agent that a namesake took the place of, and one of that namesake."""
    for _ in range(2):
        made = locum(dev, dev, "iam", "create-agent", "--agent-name", "host")
        ec2.run_instances(
            ImageId="ami-1",
            MinCount=1,
            MaxCount=1,
            Placement={"HostId": "host"},
            IamInstanceProfile={"Name": "served"},
        )
        last = made
        if _ == 0:
            locum(dev, dev, "iam", "delete-agent", "--agent-name", "host")
    (FOLDER / "agent.json").write_text(json.dumps(last["accessKey"]))


def main():
    server, dev = start()
    operator = json.loads((FOLDER / "operator.json").read_text())
    other = locum(operator, dev, "account", "create-account", "--name", "other", "--account-id", OTHER)
    client(dev, "iam", other["rootKey"]).create_user(UserName="cleo")
    iam = client(dev, "iam", dev)
    documents(iam)
    trusts(iam, dev["account"])
    instances(dev, client(dev, "ec2", dev))
    key = iam.create_access_key(UserName="ana")["AccessKey"]
    (FOLDER / "ana.json").write_text(
        json.dumps({"accessKeyId": key["AccessKeyId"], "secretAccessKey": key["SecretAccessKey"]})
    )
    server.terminate()
    server.wait(30)
    for spare in ("LOG", "LOG.old.*", "dev.json"):
        for path in FOLDER.rglob(spare):
            path.unlink()
    size = sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file())
    print(f"{size} bytes in {FOLDER}")


main()
