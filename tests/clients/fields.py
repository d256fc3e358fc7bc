"""Answers whose fields no other scene fills, by either client."""

import json

from iam import READ, TRUST_EC2, allow, document, iam, policy

TAGS = [{"Key": "Team", "Value": "red"}]


def of_entities(client, account):
    """Roles, users, groups and policies with everything that they can have."""
    do = iam(client)
    bound = do("CreatePolicy", PolicyName="full", PolicyDocument=READ, Description="reads", Tags=TAGS)["Policy"]
    arn = bound["Arn"]
    assert bound["Tags"] == TAGS == do("GetPolicy", PolicyArn=arn)["Policy"]["Tags"], bound
    given = {"Path": "/full/", "Tags": TAGS, "PermissionsBoundary": arn}
    boundary = {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": arn}
    described = {"Description": "does", "AssumeRolePolicyDocument": TRUST_EC2}
    role = do("CreateRole", RoleName="full", **described, **given)["Role"]
    changed = do("UpdateRoleDescription", RoleName="full", Description="did")["Role"]
    for shown in (role, changed):
        assert shown["PermissionsBoundary"] == boundary and shown["Tags"] == TAGS, shown
    do("CreateUser", UserName="full", **given)
    do("CreateGroup", GroupName="full")
    for kind in ("User", "Group", "Role"):
        do(f"Put{kind}Policy", **{f"{kind}Name": "full"}, PolicyName="in", PolicyDocument=READ)
        do(f"Attach{kind}Policy", **{f"{kind}Name": "full"}, PolicyArn=arn)
    do("CreateInstanceProfile", InstanceProfileName="full")
    do("AddRoleToInstanceProfile", InstanceProfileName="full", RoleName="full")

    profile = do("GetInstanceProfile", InstanceProfileName="full")["InstanceProfile"]
    lists = [
        do("ListInstanceProfiles")["InstanceProfiles"],
        do("ListInstanceProfilesForRole", RoleName="full")["InstanceProfiles"],
    ]
    roles = [found["Roles"][0] for found in (profile, *(by_name(one, "InstanceProfileName") for one in lists))]
    for shown in (*roles, by_name(do("ListRoles")["Roles"], "RoleName")):
        assert shown["Description"] == "did" and "Tags" not in shown, shown
    told = do("GetAccountAuthorizationDetails")
    for kind in ("User", "Group", "Role"):
        found = by_name(told[f"{kind}DetailList"], f"{kind}Name")
        assert found["AttachedManagedPolicies"] == [{"PolicyName": "full", "PolicyArn": arn}], found
        assert document(found[f"{kind}PolicyList"][0]["PolicyDocument"]) == json.loads(READ), found
        if kind != "Group":
            assert found["PermissionsBoundary"] == boundary and found["Tags"] == TAGS, found
    held = by_name(told["RoleDetailList"], "RoleName")["InstanceProfileList"][0]
    assert held["Roles"][0]["RoleName"] == "full", held

    do("RemoveRoleFromInstanceProfile", InstanceProfileName="full", RoleName="full")
    do("DeleteInstanceProfile", InstanceProfileName="full")
    for kind in ("User", "Group", "Role"):
        do(f"Delete{kind}Policy", **{f"{kind}Name": "full"}, PolicyName="in")
        do(f"Detach{kind}Policy", **{f"{kind}Name": "full"}, PolicyArn=arn)
        do(f"Delete{kind}", **{f"{kind}Name": "full"})
    do("DeletePolicy", PolicyArn=arn)


def by_name(entries, key):
    return next(entry for entry in entries if entry[key] == "full")


def of_decisions(client, account):
    """A simulated boundary shows in a decision."""
    asked = {"ActionNames": ["s3:GetObject"], "PolicyInputList": [READ]}
    bounded = {"PermissionsBoundaryPolicyInputList": [policy(allow("ec2:*"))]}
    told = client.call("iam", "SimulateCustomPolicy", **asked, **bounded)["EvaluationResults"][0]
    assert told["PermissionsBoundaryDecisionDetail"] == {"AllowedByPermissionsBoundary": False}, told


def of_sessions(client, account):
    """A session policy has a size."""
    user = client.call("iam", "CreateUser", UserName="full-guest")["User"]["UserName"]
    may = policy(allow("sts:GetFederationToken"))
    client.call("iam", "PutUserPolicy", UserName=user, PolicyName="may", PolicyDocument=may)
    key = client.call("iam", "CreateAccessKey", UserName=user)["AccessKey"]
    made = client.as_identity(key).call("sts", "GetFederationToken", Name="guest", Policy=READ)
    assert made["PackedPolicySize"] > 0, made


SCENES = [of_entities, of_decisions, of_sessions]
