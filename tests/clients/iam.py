"""IAM by either client."""

import json

from clients import refused

TRUST_EC2 = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "ec2.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
)


def document(value):
    """A policy of an answer: boto3 decodes it, the command line too."""
    return value if isinstance(value, dict) else json.loads(value)


def roles(client, account):
    """A role is made, found and listed; what is wrong is told in AWS's words."""
    create = lambda **more: client.call(
        "iam", "CreateRole", AssumeRolePolicyDocument=TRUST_EC2, **more
    )
    made = create(RoleName="web", Path="/app/", Description="serves", MaxSessionDuration=7200)
    role = made["Role"]
    assert role["Arn"] == f"arn:aws:iam::{account}:role/app/web", role
    assert role["RoleId"].startswith("AROA") and role["MaxSessionDuration"] == 7200, role
    assert document(role["AssumeRolePolicyDocument"]) == json.loads(TRUST_EC2), role
    got = client.call("iam", "GetRole", RoleName="web")["Role"]
    assert {**got, "RoleLastUsed": None, "Tags": None} == {**role, "RoleLastUsed": None, "Tags": None}
    refused("EntityAlreadyExists", lambda: create(RoleName="WEB"), "already exists", status=409)
    refused("NoSuchEntity", lambda: client.call("iam", "GetRole", RoleName="none"), status=404)
    malformed = lambda: client.call(
        "iam", "CreateRole", RoleName="x", AssumeRolePolicyDocument='{"Statement": 1}'
    )
    refused("MalformedPolicyDocument", malformed, status=400)
    wrong = refused("ValidationError", lambda: create(RoleName="a b", Description="d" * 1001))
    expected = "2 validation errors detected: Value 'a b' at 'roleName' failed to satisfy constraint"
    assert wrong.message.startswith(expected), wrong.message


def pages(client, account):
    """Lists come in pages, in the order of names."""
    for number in (3, 1, 2):
        name = f"page{number}"
        client.call("iam", "CreateRole", RoleName=name, AssumeRolePolicyDocument=TRUST_EC2, Path="/p/")
    first = client.call("iam", "ListRoles", PathPrefix="/p/", MaxItems=2)
    assert [role["RoleName"] for role in first["Roles"]] == ["page1", "page2"], first
    assert first["IsTruncated"], first
    rest = client.call("iam", "ListRoles", PathPrefix="/p/", MaxItems=2, Marker=first["Marker"])
    assert [role["RoleName"] for role in rest["Roles"]] == ["page3"], rest
    assert not rest["IsTruncated"] and "Marker" not in rest, rest
    refused("ValidationError", lambda: client.call("iam", "ListRoles", Marker="x"), "Invalid Marker")


def keys(client, account):
    """Keys are switched on and off; the words for it are fixed."""
    switch = lambda status: client.call(
        "iam", "UpdateAccessKey", AccessKeyId=client.key["AccessKeyId"], Status=status
    )
    switch("Active")
    refused("ValidationError", lambda: switch("Gone"), "enum value set: [Active, Inactive]")


SCENES = [roles, pages, keys]
