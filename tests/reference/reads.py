"""Asks a real server which condition keys its reads have, by denials that hold where a key is there.

    reads.py PATH_OF_LOCUM < EXPECTED

EXPECTED is a JSON list of {"action", "kind", "keys"}. For each of them a user who may do everything else is denied the action on
the ARN of what is read, then on it if it has a key, for each key that a read may have. Ends with 0 if the server refuses
exactly as it says there.
"""

import json
import pathlib
import sys

import boto3
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import ClientError

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "clients"))

from mfa import code, step  # noqa: E402
from stage import Stage  # noqa: E402

TAGS = [{"Key": "env", "Value": "prod"}]
# What is asked about, by the names that the table of permissions has.
KEYS = {
    "aws:resourcetag/": "aws:ResourceTag/env",
    "iam:resourcetag/": "iam:ResourceTag/env",
    "iam:permissionsboundary": "iam:PermissionsBoundary",
    "ec2:region": "ec2:Region",
}
ALL = json.dumps({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}})
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"},
    }
)
ISSUER = "idp.example.com"


def connect(endpoint, key):
    """A function that calls an operation by its name as `service:Operation`."""
    session = boto3.Session(key["AccessKeyId"], key["SecretAccessKey"], region_name="us-east-1")
    settings = Config(retries={"total_max_attempts": 1})
    clients = {
        service: session.client(service, endpoint_url=endpoint, config=settings) for service in ("iam", "sts", "ec2")
    }

    def call(operation, **parameters):
        service, name = operation.split(":")
        return getattr(clients[service], xform_name(name))(**parameters)

    return call


def furnish(do):
    """Makes one of everything that is read: what names it in requests."""
    bound = do("iam:CreatePolicy", PolicyName="bound", Path="/p/", PolicyDocument=ALL, Tags=TAGS)["Policy"]["Arn"]
    common = {"Path": "/p/", "Tags": TAGS}
    do("iam:CreateUser", UserName="bo", PermissionsBoundary=bound, **common)
    key = do("iam:CreateAccessKey", UserName="bo")["AccessKey"]["AccessKeyId"]
    do("iam:CreateGroup", GroupName="crew", Path="/p/")
    do("iam:CreateRole", RoleName="app", AssumeRolePolicyDocument=TRUST, PermissionsBoundary=bound, **common)
    do("iam:CreateInstanceProfile", InstanceProfileName="app", **common)
    device = do("iam:CreateVirtualMFADevice", VirtualMFADeviceName="phone", **common)["VirtualMFADevice"]
    codes = [code(device["Base32StringSeed"], step() + n) for n in (-1, 0)]
    serial = device["SerialNumber"]
    do(
        "iam:EnableMFADevice",
        UserName="bo",
        SerialNumber=serial,
        AuthenticationCode1=codes[0],
        AuthenticationCode2=codes[1],
    )
    provider = do(
        "iam:CreateOpenIDConnectProvider", Url=f"https://{ISSUER}", ClientIDList=["locum"], Tags=TAGS
    )["OpenIDConnectProviderArn"]
    do("iam:CreateServiceLinkedRole", AWSServiceName="ecs.amazonaws.com")
    task = do("iam:DeleteServiceLinkedRole", RoleName="AWSServiceRoleForECS")["DeletionTaskId"]
    for kind, name in (("User", "bo"), ("Group", "crew"), ("Role", "app")):
        named = {f"{kind}Name": name, "PolicyName": "inline", "PolicyDocument": ALL}
        do(f"iam:Put{kind}Policy", **named)
    return {"policy": bound, "key": key, "serial": serial, "provider": provider, "task": task}


def parameters(made, account):
    """What names a thing of a kind in requests, its ARN, and what single operations ask for besides."""
    arn = f"arn:aws:iam::{account}:"
    kinds = {
        "Everything": ({}, "*"),
        "User": ({"UserName": "bo"}, arn + "user/p/bo"),
        "Group": ({"GroupName": "crew"}, arn + "group/p/crew"),
        "Role": ({"RoleName": "app"}, arn + "role/p/app"),
        "Policy": ({"PolicyArn": made["policy"]}, made["policy"]),
        "Profile": ({"InstanceProfileName": "app"}, arn + "instance-profile/p/app"),
        "MfaDevice": ({"SerialNumber": made["serial"]}, made["serial"]),
        "Provider": ({"OpenIDConnectProviderArn": made["provider"]}, made["provider"]),
        "UserList": ({"PathPrefix": "/p/"}, arn + "user/p/"),
        "GroupList": ({"PathPrefix": "/p/"}, arn + "group/p/"),
        "RoleList": ({"PathPrefix": "/p/"}, arn + "role/p/"),
        "ProfileList": ({"PathPrefix": "/p/"}, arn + "instance-profile/p/"),
        "PolicyList": ({"PathPrefix": "/p/"}, "*"),
        "MfaDeviceList": ({}, arn + "mfa/"),
        "ProviderList": ({}, arn + "oidc-provider/*"),
    }
    source = {kind: {"PolicySourceArn": kinds[kind][1]} for kind in ("User", "Group", "Role")}
    asked = {"ActionNames": ["s3:GetObject"]}
    inline = {"PolicyName": "inline"}
    besides = {
        "iam:GetAccessKeyLastUsed": lambda kind: {"AccessKeyId": made["key"]},
        "iam:GetContextKeysForCustomPolicy": lambda kind: {"PolicyInputList": [ALL]},
        "iam:GetContextKeysForPrincipalPolicy": lambda kind: source[kind],
        "iam:GetMFADevice": lambda kind: {"SerialNumber": made["serial"], "UserName": "bo"},
        "iam:GetPolicyVersion": lambda kind: kinds[kind][0] | {"VersionId": "v1"},
        "iam:GetServiceLinkedRoleDeletionStatus": lambda kind: {"DeletionTaskId": made["task"]},
        "iam:SimulateCustomPolicy": lambda kind: {"PolicyInputList": [ALL]} | asked,
        "iam:SimulatePrincipalPolicy": lambda kind: source[kind] | asked,
        "sts:DecodeAuthorizationMessage": lambda kind: {"EncodedMessage": "none"},
        "sts:GetAccessKeyInfo": lambda kind: {"AccessKeyId": made["key"]},
    }
    for kind in ("User", "Group", "Role"):
        besides[f"iam:Get{kind}Policy"] = lambda kind: kinds[kind][0] | inline
    return kinds, besides


def main():
    expected, wrong = json.load(sys.stdin), []
    with Stage(sys.argv[1]) as stage:
        do = connect(stage.dev["aws"], stage.root)
        account = do("sts:GetCallerIdentity")["Account"]
        kinds, besides = parameters(furnish(do), account)
        do("iam:CreateUser", UserName="ana")
        ask = connect(stage.dev["aws"], do("iam:CreateAccessKey", UserName="ana")["AccessKey"])

        def refused(action, resource, condition, named):
            """Whether a denial refuses the read to a user who may do everything else."""
            deny = {"Effect": "Deny", "Action": action, "Resource": resource, "Condition": condition}
            allow = {"Effect": "Allow", "Action": "*", "Resource": "*"}
            document = json.dumps({"Version": "2012-10-17", "Statement": [allow, deny]})
            do("iam:PutUserPolicy", UserName="ana", PolicyName="deny", PolicyDocument=document)
            try:
                ask(action, **named)
            except ClientError as error:
                return error.response["Error"]["Code"] in ("AccessDenied", "UnauthorizedOperation")
            return False

        for entry in expected:
            action, kind = entry["action"], entry["kind"]
            named, arn = kinds[kind]
            named = besides[action](kind) if action in besides else named
            # The role of a deletion is gone, and its ARN another.
            arn = "*" if action == "iam:GetServiceLinkedRoleDeletionStatus" else arn
            if not refused(action, arn, {}, named):
                wrong.append(f"{action} is not judged on {arn}")
            for key, example in KEYS.items():
                has = refused(action, arn, {"Null": {example: "false"}}, named)
                if has != (key in entry["keys"]):
                    wrong.append(f"{action} on {arn}: {example} is {'there' if has else 'absent'}")
    if wrong:
        raise SystemExit("\n".join(wrong))
    print(f"{len(expected)} reads asked of a server, {len(expected) * len(KEYS)} keys")


if __name__ == "__main__":
    main()
