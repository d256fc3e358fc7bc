"""STS by either client."""

import json

from clients import refused
from iam import TRUST_EC2


def trusting(principal, action="sts:AssumeRole", **more):
    """A trust policy."""
    trust = json.loads(TRUST_EC2)
    trust["Statement"][0] |= {"Principal": principal, "Action": action, **more}
    return json.dumps(trust)


def user_with_key(client, name, *actions):
    """A client as a new user who may do `actions`."""
    client.call("iam", "CreateUser", UserName=name)
    key = client.call("iam", "CreateAccessKey", UserName=name)["AccessKey"]
    if actions:
        policy = {"Statement": {"Effect": "Allow", "Action": actions, "Resource": "*"}}
        client.call(
            "iam",
            "PutUserPolicy",
            UserName=name,
            PolicyName="may",
            PolicyDocument=json.dumps(policy),
        )
    return client.as_identity(key)


def identity(client, account):
    """The root of an account is told as AWS tells it."""
    told = client.call("sts", "GetCallerIdentity")
    assert told["Arn"] == f"arn:aws:iam::{account}:root", told
    assert (told["Account"], told["UserId"]) == (account, account), told
    told = client.call("sts", "GetAccessKeyInfo", AccessKeyId=client.key["AccessKeyId"])
    assert told["Account"] == account, told


def keys_that_are_none(client, account):
    """A wrong secret, an unknown key and a token that is none are refused with their codes."""
    wrong = {**client.key, "SecretAccessKey": "x" * 40}
    whoami = lambda key: lambda: client.as_identity(key).call("sts", "GetCallerIdentity")
    refused("SignatureDoesNotMatch", whoami(wrong), status=403)
    unknown = {**client.key, "AccessKeyId": "AKIAAAAAAAAAAAAAAAAA"}
    refused("InvalidClientTokenId", whoami(unknown), status=403)
    refused("InvalidClientTokenId", whoami({**client.key, "SessionToken": "x"}), status=403)


def roles(client, account):
    """A role is assumed with everything that can be asked for, and chained."""
    trust = trusting(
        {"AWS": account}, ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]
    )
    role = client.call(
        "iam", "CreateRole", RoleName="assumed", Path="/p/", AssumeRolePolicyDocument=trust
    )["Role"]
    user = user_with_key(
        client, "sts-ana", "sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"
    )
    assume = lambda who, **more: who.call(
        "sts", "AssumeRole", **{"RoleArn": role["Arn"], "RoleSessionName": "one", **more}
    )
    made = assume(
        user,
        DurationSeconds=900,
        Policy=json.dumps({"Statement": {"Effect": "Deny", "Action": "*", "Resource": "*"}}),
        Tags=[{"Key": "team", "Value": "red"}],
        TransitiveTagKeys=["team"],
        SourceIdentity="Ana",
        ExternalId="an-id",
    )
    arn = f"arn:aws:sts::{account}:assumed-role/assumed/one"
    expected = {"AssumedRoleId": f"{role['RoleId']}:one", "Arn": arn}
    assert made["AssumedRoleUser"] == expected, made
    assert made["SourceIdentity"] == "Ana" and made["PackedPolicySize"] > 0, made
    key = made["Credentials"]
    assert key["AccessKeyId"].startswith("ASIA"), made
    told = client.as_identity(key).call("sts", "GetCallerIdentity")
    assert (told["Arn"], told["UserId"]) == (arn, expected["AssumedRoleId"]), told
    may = {"Statement": {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}}
    client.call(
        "iam",
        "PutRolePolicy",
        RoleName="assumed",
        PolicyName="may",
        PolicyDocument=json.dumps(may),
    )
    plain = assume(user)
    assert "SourceIdentity" not in plain and "PackedPolicySize" not in plain, plain
    long = lambda: assume(client.as_identity(plain["Credentials"]), DurationSeconds=3601)
    refused("AccessDenied", lambda: assume(client), "root", status=403)
    refused("ValidationError", long, status=400)
    stranger = user_with_key(client, "sts-bob")
    refused("AccessDenied", lambda: assume(stranger), "user/sts-bob", "sts:AssumeRole", status=403)
    nowhere = lambda: assume(user, RoleArn=f"arn:aws:iam::{account}:role/nowhere")
    refused("AccessDenied", nowhere, status=403)
    wrong = refused("ValidationError", lambda: assume(user, RoleSessionName="a b"), status=400)
    start = "1 validation error detected: Value 'a b' at 'roleSessionName' failed to satisfy"
    assert wrong.message.startswith(start), wrong.message
    refused("MalformedPolicyDocument", lambda: assume(user, Policy="{}"), status=400)


def sessions_of_users(client, account):
    """GetSessionToken and GetFederationToken give what AWS's give."""
    user = user_with_key(client, "sts-eve", "sts:GetFederationToken")
    key = user.call("sts", "GetSessionToken", DurationSeconds=900)["Credentials"]
    session = client.as_identity(key)
    assert session.call("sts", "GetCallerIdentity")["Arn"].endswith("user/sts-eve")
    refused("AccessDenied", lambda: session.call("sts", "GetSessionToken"), "session credentials")
    made = user.call("sts", "GetFederationToken", Name="guest", DurationSeconds=900)
    arn = f"arn:aws:sts::{account}:federated-user/guest"
    assert made["FederatedUser"] == {"FederatedUserId": f"{account}:guest", "Arn": arn}, made
    guest = client.as_identity(made["Credentials"])
    assert guest.call("sts", "GetCallerIdentity")["Arn"] == arn


SCENES = [identity, keys_that_are_none, roles, sessions_of_users]
