"""IAM by either client."""

import json

from clients import refused


def policy(*statements, version="2012-10-17"):
    return json.dumps({"Version": version, "Statement": list(statements)})


def allow(action, resource="*", **more):
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


TRUST_EC2 = policy(
    {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
)
READ = policy(allow("s3:GetObject"))
ADMIN = "arn:aws:iam::aws:policy/AdministratorAccess"


def document(value):
    """A policy of an answer: boto3 decodes it, the command line too."""
    return value if isinstance(value, dict) else json.loads(value)


def names(entries, key):
    return [entry[key] for entry in entries]


def iam(client):
    """Calls IAM: `do("GetRole", RoleName=..)`."""
    return lambda operation, **parameters: client.call("iam", operation, **parameters)


def refusing(do):
    """As `do`, for what is refused with a code."""
    return lambda code, operation, *parts, status=None, **parameters: refused(
        code, lambda: do(operation, **parameters), *parts, status=status
    )


def roles(client, account):
    """A role is made, found, changed and deleted; what is wrong is told in AWS's words."""
    do = iam(client)
    no = refusing(do)
    given = {"RoleName": "web", "Path": "/app/", "Description": "serves", "MaxSessionDuration": 7200}
    role = do("CreateRole", AssumeRolePolicyDocument=TRUST_EC2, **given)["Role"]
    assert role["Arn"] == f"arn:aws:iam::{account}:role/app/web", role
    assert role["RoleId"].startswith("AROA") and role["MaxSessionDuration"] == 7200, role
    assert document(role["AssumeRolePolicyDocument"]) == json.loads(TRUST_EC2), role
    got = do("GetRole", RoleName="web")["Role"]
    assert {**got, "RoleLastUsed": None} == {**role, "RoleLastUsed": None}, (got, role)
    create = {"AssumeRolePolicyDocument": TRUST_EC2}
    no("EntityAlreadyExists", "CreateRole", "already exists", RoleName="WEB", status=409, **create)
    no("NoSuchEntity", "GetRole", "The role with name none cannot be found.", RoleName="none", status=404)
    malformed = {"RoleName": "x", "AssumeRolePolicyDocument": '{"Statement": 1}'}
    no("MalformedPolicyDocument", "CreateRole", status=400, **malformed)
    wrong = no("ValidationError", "CreateRole", RoleName="a b", Description="d" * 1001, **create)
    assert wrong.message.startswith("2 validation errors detected: Value 'a b' at 'roleName' failed")
    do("UpdateRole", RoleName="web", Description="served", MaxSessionDuration=3600)
    shown = do("UpdateRoleDescription", RoleName="web", Description="serves again")["Role"]
    assert (shown["Description"], shown["MaxSessionDuration"]) == ("serves again", 3600), shown
    trust = policy(
        {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:root"}, "Action": "sts:AssumeRole"}
    )
    do("UpdateAssumeRolePolicy", RoleName="web", PolicyDocument=trust)
    got = do("GetRole", RoleName="web")["Role"]
    assert document(got["AssumeRolePolicyDocument"]) == json.loads(trust), got
    no("NoSuchEntity", "UpdateRole", RoleName="none")
    do("DeleteRole", RoleName="web")
    no("NoSuchEntity", "DeleteRole", RoleName="web", status=404)


def pages(client, account):
    """Lists come in pages, in the order of names."""
    do = iam(client)
    for number in (3, 1, 2):
        do("CreateRole", RoleName=f"page{number}", AssumeRolePolicyDocument=TRUST_EC2, Path="/p/")
    first = do("ListRoles", PathPrefix="/p/", MaxItems=2)
    assert names(first["Roles"], "RoleName") == ["page1", "page2"], first
    assert first["IsTruncated"], first
    rest = do("ListRoles", PathPrefix="/p/", MaxItems=2, Marker=first["Marker"])
    assert names(rest["Roles"], "RoleName") == ["page3"], rest
    assert not rest["IsTruncated"] and "Marker" not in rest, rest
    refusing(do)("ValidationError", "ListRoles", "Invalid Marker", Marker="x")
    for number in (1, 2, 3):
        do("DeleteRole", RoleName=f"page{number}")


def users(client, account):
    """A user is made with tags and boundary, found, renamed and deleted once it is empty."""
    do = iam(client)
    no = refusing(do)
    bound = do("CreatePolicy", PolicyName="bound", PolicyDocument=READ)["Policy"]["Arn"]
    tags = [{"Key": "Team", "Value": "red"}]
    made = do("CreateUser", UserName="ana", Path="/dev/", Tags=tags, PermissionsBoundary=bound)["User"]
    assert made["Arn"] == f"arn:aws:iam::{account}:user/dev/ana" and made["Tags"] == tags, made
    got = do("GetUser", UserName="ana")["User"]
    assert got["PermissionsBoundary"]["PermissionsBoundaryArn"] == bound, got
    assert do("GetUser")["User"]["Arn"] == f"arn:aws:iam::{account}:root"
    no("EntityAlreadyExists", "CreateUser", "User with name Ana already exists", UserName="Ana")
    no("InvalidInput", "CreateUser", "Duplicate tag keys", UserName="x", Tags=tags + [{"Key": "team", "Value": ""}])
    do("CreateUser", UserName="bob", Path="/dev/")
    assert do("ListUsers", PathPrefix="/none/")["Users"] == []
    listed = do("ListUsers", PathPrefix="/dev/")["Users"]
    assert names(listed, "UserName") == ["ana", "bob"] and "Tags" not in listed[0], listed
    no("EntityAlreadyExists", "UpdateUser", UserName="bob", NewUserName="ANA")
    do("UpdateUser", UserName="bob", NewUserName="Robert", NewPath="/ops/")
    assert do("GetUser", UserName="robert")["User"]["Arn"] == f"arn:aws:iam::{account}:user/ops/Robert"
    no("NoSuchEntity", "GetUser", "The user with name bob cannot be found.", UserName="bob")
    no("DeleteConflict", "DeletePolicy", PolicyArn=bound, status=409)
    do("DeleteUserPermissionsBoundary", UserName="ana")
    no("NoSuchEntity", "DeleteUserPermissionsBoundary", UserName="ana")
    do("PutUserPermissionsBoundary", UserName="ana", PermissionsBoundary=bound)
    for user in ("ana", "Robert"):
        do("DeleteUser", UserName=user)
    do("DeletePolicy", PolicyArn=bound)


def access_keys(client, account):
    """A user has two keys at most; each can be switched off and deleted."""
    do = iam(client)
    no = refusing(do)
    do("CreateUser", UserName="keyed")
    keys = [do("CreateAccessKey", UserName="keyed")["AccessKey"] for _ in range(2)]
    no("LimitExceeded", "CreateAccessKey", "AccessKeysPerUser: 2", UserName="keyed", status=409)
    no("DeleteConflict", "DeleteUser", "must delete access keys first", UserName="keyed")
    own = client.as_identity(keys[0])
    assert own.call("sts", "GetCallerIdentity")["Arn"].endswith(":user/keyed")
    refused("AccessDenied", lambda: own.call("iam", "ListUsers"), "iam:ListUsers", status=403)
    first = keys[0]["AccessKeyId"]
    used = do("GetAccessKeyLastUsed", AccessKeyId=first)
    assert used["UserName"] == "keyed", used
    assert used["AccessKeyLastUsed"]["ServiceName"] in ("sts", "iam"), used
    never = do("GetAccessKeyLastUsed", AccessKeyId=keys[1]["AccessKeyId"])["AccessKeyLastUsed"]
    assert never["ServiceName"] == "N/A" and "LastUsedDate" not in never, never
    do("UpdateAccessKey", UserName="keyed", AccessKeyId=first, Status="Inactive")
    listed = do("ListAccessKeys", UserName="keyed")["AccessKeyMetadata"]
    assert {key["AccessKeyId"]: key["Status"] for key in listed} == {
        first: "Inactive",
        keys[1]["AccessKeyId"]: "Active",
    }, listed
    refused("InvalidClientTokenId", lambda: own.call("sts", "GetCallerIdentity"), status=403)
    no("NoSuchEntity", "DeleteAccessKey", UserName="keyed", AccessKeyId="AKIAAAAAAAAAAAAAAAAA")
    for key in keys:
        do("DeleteAccessKey", UserName="keyed", AccessKeyId=key["AccessKeyId"])
    do("DeleteUser", UserName="keyed")


def groups(client, account):
    """A group has users, who have its policies."""
    do = iam(client)
    no = refusing(do)
    made = do("CreateGroup", GroupName="Makers", Path="/g/")["Group"]
    assert made["Arn"] == f"arn:aws:iam::{account}:group/g/Makers", made
    no("EntityAlreadyExists", "CreateGroup", "Group with name makers", GroupName="makers")
    for user in ("cleo", "abe"):
        do("CreateUser", UserName=user)
        do("AddUserToGroup", GroupName="Makers", UserName=user)
    no("NoSuchEntity", "AddUserToGroup", GroupName="Makers", UserName="none")
    first = do("GetGroup", GroupName="Makers", MaxItems=1)
    assert names(first["Users"], "UserName") == ["abe"] and first["IsTruncated"], first
    rest = do("GetGroup", GroupName="Makers", Marker=first["Marker"])
    assert names(rest["Users"], "UserName") == ["cleo"], rest
    assert names(do("ListGroups", PathPrefix="/g/")["Groups"], "GroupName") == ["Makers"]
    assert names(do("ListGroupsForUser", UserName="abe")["Groups"], "GroupName") == ["Makers"]
    no("DeleteConflict", "DeleteGroup", "must remove users from group first", GroupName="Makers")
    no("DeleteConflict", "DeleteUser", UserName="abe")
    do("UpdateGroup", GroupName="Makers", NewGroupName="Builders")
    assert names(do("ListGroupsForUser", UserName="abe")["Groups"], "GroupName") == ["Builders"]
    for user in ("cleo", "abe"):
        do("RemoveUserFromGroup", GroupName="Builders", UserName=user)
        do("DeleteUser", UserName=user)
    no("NoSuchEntity", "RemoveUserFromGroup", GroupName="Builders", UserName="abe")
    do("DeleteGroup", GroupName="Builders")
    no("NoSuchEntity", "GetGroup", "The group with name Builders cannot be found.", GroupName="Builders")


def owned_policies(client, account):
    """Policies in and on users, roles and groups; the three kinds behave alike."""
    do = iam(client)
    no = refusing(do)
    do("CreateUser", UserName="holder")
    do("CreateRole", RoleName="holder", AssumeRolePolicyDocument=TRUST_EC2)
    do("CreateGroup", GroupName="holder")
    own = do("CreatePolicy", PolicyName="shared", PolicyDocument=READ, Path="/own/")["Policy"]["Arn"]
    for kind in ("User", "Role", "Group"):
        owner = {f"{kind}Name": "holder"}
        do(f"Put{kind}Policy", PolicyName="two", PolicyDocument=READ, **owner)
        do(f"Put{kind}Policy", PolicyName="one", PolicyDocument=READ, **owner)
        got = do(f"Get{kind}Policy", PolicyName="one", **owner)
        assert document(got["PolicyDocument"]) == json.loads(READ), got
        assert got[f"{kind}Name"] == "holder" and got["PolicyName"] == "one", got
        assert do(f"List{kind}Policies", **owner)["PolicyNames"] == ["one", "two"]
        no("NoSuchEntity", f"Get{kind}Policy", PolicyName="none", **owner)
        no("MalformedPolicyDocument", f"Put{kind}Policy", PolicyName="x", PolicyDocument="{}", **owner)
        big = policy(*[allow("s3:GetObject", f"arn:aws:s3:::{n:0>200}") for n in range(60)])
        no("LimitExceeded", f"Put{kind}Policy", PolicyName="x", PolicyDocument=big, status=409, **owner)
        for arn in (ADMIN, own):
            do(f"Attach{kind}Policy", PolicyArn=arn, **owner)
        listed = do(f"ListAttached{kind}Policies", **owner)["AttachedPolicies"]
        assert sorted(names(listed, "PolicyArn")) == sorted([ADMIN, own]), listed
        listed = do(f"ListAttached{kind}Policies", PathPrefix="/own/", **owner)["AttachedPolicies"]
        assert listed == [{"PolicyName": "shared", "PolicyArn": own}], listed
        no("NoSuchEntity", f"Attach{kind}Policy", PolicyArn=own + "x", **owner)
        no("DeleteConflict", f"Delete{kind}", "policies", **owner)
    held = do("ListEntitiesForPolicy", PolicyArn=own)
    assert names(held["PolicyUsers"], "UserName") == ["holder"], held
    assert names(held["PolicyRoles"], "RoleName") == ["holder"], held
    assert names(held["PolicyGroups"], "GroupName") == ["holder"], held
    only = do("ListEntitiesForPolicy", PolicyArn=own, EntityFilter="Role")
    assert not only["PolicyUsers"] and names(only["PolicyRoles"], "RoleName") == ["holder"], only
    assert do("GetPolicy", PolicyArn=own)["Policy"]["AttachmentCount"] == 3
    for kind in ("User", "Role", "Group"):
        owner = {f"{kind}Name": "holder"}
        for arn in (ADMIN, own):
            do(f"Detach{kind}Policy", PolicyArn=arn, **owner)
        no("NoSuchEntity", f"Detach{kind}Policy", PolicyArn=own, **owner)
        for name in ("one", "two"):
            do(f"Delete{kind}Policy", PolicyName=name, **owner)
        no("NoSuchEntity", f"Delete{kind}Policy", PolicyName="one", **owner)
        do(f"Delete{kind}", **owner)
    do("DeletePolicy", PolicyArn=own)


def versions(client, account):
    """A managed policy has five versions at most, of which one counts."""
    do = iam(client)
    no = refusing(do)
    made = do("CreatePolicy", PolicyName="P", PolicyDocument=READ, Description="d")["Policy"]
    arn = made["Arn"]
    assert made["DefaultVersionId"] == "v1" and made["PolicyId"].startswith("ANPA"), made
    no("EntityAlreadyExists", "CreatePolicy", PolicyName="p", PolicyDocument=READ)
    second = policy(allow("s3:PutObject"))
    version = do("CreatePolicyVersion", PolicyArn=arn, PolicyDocument=second)["PolicyVersion"]
    assert (version["VersionId"], version["IsDefaultVersion"]) == ("v2", False), version
    for _ in range(3):
        version = do("CreatePolicyVersion", PolicyArn=arn, PolicyDocument=READ, SetAsDefault=True)
    no("LimitExceeded", "CreatePolicyVersion", PolicyArn=arn, PolicyDocument=READ, status=409)
    assert do("GetPolicy", PolicyArn=arn)["Policy"]["DefaultVersionId"] == "v5"
    no("DeleteConflict", "DeletePolicyVersion", PolicyArn=arn, VersionId="v5", status=409)
    do("SetDefaultPolicyVersion", PolicyArn=arn, VersionId="v2")
    got = do("GetPolicyVersion", PolicyArn=arn, VersionId="v2")["PolicyVersion"]
    assert got["IsDefaultVersion"] and document(got["Document"]) == json.loads(second), got
    no("NoSuchEntity", "GetPolicyVersion", PolicyArn=arn, VersionId="v9", status=404)
    no("ValidationError", "GetPolicyVersion", "versionId", PolicyArn=arn, VersionId="nine")
    listed = do("ListPolicyVersions", PolicyArn=arn, MaxItems=3)
    assert names(listed["Versions"], "VersionId") == ["v5", "v4", "v3"], listed
    listed = do("ListPolicyVersions", PolicyArn=arn, Marker=listed["Marker"])
    assert names(listed["Versions"], "VersionId") == ["v2", "v1"], listed
    local = do("ListPolicies", Scope="Local")["Policies"]
    assert arn in names(local, "Arn") and ADMIN not in names(local, "Arn"), local
    of_aws = do("ListPolicies", Scope="AWS")["Policies"]
    assert ADMIN in names(of_aws, "Arn") and arn not in names(of_aws, "Arn")
    assert arn not in names(do("ListPolicies", OnlyAttached=True)["Policies"], "Arn")
    admin = do("GetPolicy", PolicyArn=ADMIN)["Policy"]
    assert admin["IsAttachable"] and admin["DefaultVersionId"] == "v1", admin
    no("AccessDenied", "DeletePolicy", f"iam:DeletePolicy on resource: policy {ADMIN}", PolicyArn=ADMIN)
    no("DeleteConflict", "DeletePolicy", PolicyArn=arn)
    for number in (1, 3, 4, 5):
        do("DeletePolicyVersion", PolicyArn=arn, VersionId=f"v{number}")
    do("DeletePolicy", PolicyArn=arn)


def profiles(client, account):
    """What Terraform does with a role in an instance profile: make, read back, change, destroy."""
    do = iam(client)
    no = refusing(do)
    tags = [{"Key": "env", "Value": "test"}]
    do("CreateRole", RoleName="node", AssumeRolePolicyDocument=TRUST_EC2, Tags=tags)
    do("AttachRolePolicy", RoleName="node", PolicyArn=ADMIN)
    do("PutRolePermissionsBoundary", RoleName="node", PermissionsBoundary=ADMIN)
    made = do("CreateInstanceProfile", InstanceProfileName="node", Path="/n/", Tags=tags)["InstanceProfile"]
    assert made["Roles"] == [] and made["InstanceProfileId"].startswith("AIPA"), made
    do("AddRoleToInstanceProfile", InstanceProfileName="node", RoleName="node")
    no("LimitExceeded", "AddRoleToInstanceProfile", InstanceProfileName="node", RoleName="node", status=409)
    got = do("GetInstanceProfile", InstanceProfileName="node")["InstanceProfile"]
    assert names(got["Roles"], "RoleName") == ["node"] and got["Tags"] == tags, got
    role = do("GetRole", RoleName="node")["Role"]
    assert role["PermissionsBoundary"]["PermissionsBoundaryArn"] == ADMIN and role["Tags"] == tags, role
    listed = do("ListInstanceProfilesForRole", RoleName="node")["InstanceProfiles"]
    assert names(listed, "InstanceProfileName") == ["node"], listed
    assert names(do("ListInstanceProfiles", PathPrefix="/n/")["InstanceProfiles"], "Path") == ["/n/"]
    no("EntityAlreadyExists", "CreateInstanceProfile", InstanceProfileName="NODE")
    no("DeleteConflict", "DeleteInstanceProfile", InstanceProfileName="node", status=409)
    do("DeleteRolePermissionsBoundary", RoleName="node")
    do("DetachRolePolicy", RoleName="node", PolicyArn=ADMIN)
    no("DeleteConflict", "DeleteRole", "must remove roles from instance profile first", RoleName="node")
    do("RemoveRoleFromInstanceProfile", InstanceProfileName="node", RoleName="node")
    no("NoSuchEntity", "RemoveRoleFromInstanceProfile", InstanceProfileName="node", RoleName="node")
    do("DeleteInstanceProfile", InstanceProfileName="node")
    do("DeleteRole", RoleName="node")


def tags(client, account):
    """Tags of the kinds of entities: 50 at most, one value a key whatever its case."""
    do = iam(client)
    no = refusing(do)
    do("CreateUser", UserName="tagged")
    do("CreateRole", RoleName="tagged", AssumeRolePolicyDocument=TRUST_EC2)
    do("CreateInstanceProfile", InstanceProfileName="tagged")
    arn = do("CreatePolicy", PolicyName="tagged", PolicyDocument=READ)["Policy"]["Arn"]
    kinds = {
        "User": {"UserName": "tagged"},
        "Role": {"RoleName": "tagged"},
        "InstanceProfile": {"InstanceProfileName": "tagged"},
        "Policy": {"PolicyArn": arn},
    }
    for kind, owner in kinds.items():
        do(f"Tag{kind}", Tags=[{"Key": "b", "Value": "1"}, {"Key": "A", "Value": ""}], **owner)
        do(f"Tag{kind}", Tags=[{"Key": "B", "Value": "2"}], **owner)
        first = do(f"List{kind}Tags", MaxItems=1, **owner)
        assert first["Tags"] == [{"Key": "A", "Value": ""}] and first["IsTruncated"], first
        rest = do(f"List{kind}Tags", Marker=first["Marker"], **owner)
        assert rest["Tags"] == [{"Key": "B", "Value": "2"}], rest
        many = [{"Key": f"k{n}", "Value": ""} for n in range(49)]
        no("LimitExceeded", f"Tag{kind}", Tags=many, **owner)
        no("InvalidInput", f"Tag{kind}", Tags=[{"Key": "aws:x", "Value": ""}], **owner)
        no("ValidationError", f"Tag{kind}", "tags.1.member.key", Tags=[{"Key": "a#", "Value": ""}], **owner)
        do(f"Untag{kind}", TagKeys=["a", "none"], **owner)
        assert names(do(f"List{kind}Tags", **owner)["Tags"], "Key") == ["B"]
    no("NoSuchEntity", "TagRole", RoleName="none", Tags=[{"Key": "a", "Value": ""}])
    do("DeleteUser", UserName="tagged")
    do("DeleteRole", RoleName="tagged")
    do("DeleteInstanceProfile", InstanceProfileName="tagged")
    do("DeletePolicy", PolicyArn=arn)


def attributes(client, account):
    """Who may act by tags: those of the caller, of the request and of what is acted on."""
    do = iam(client)
    do("CreateUser", UserName="abac", Tags=[{"Key": "team", "Value": "red"}])
    key = do("CreateAccessKey", UserName="abac")["AccessKey"]
    same = {"StringEquals": {"aws:ResourceTag/team": "${aws:PrincipalTag/team}"}}
    asked = {"StringEquals": {"aws:RequestTag/team": "${aws:PrincipalTag/team}"}}
    text = policy(
        allow(["iam:CreateRole", "iam:TagRole"], Condition=asked), allow("iam:DeleteRole", Condition=same)
    )
    do("PutUserPolicy", UserName="abac", PolicyName="p", PolicyDocument=text)
    mine = refusing(iam(client.as_identity(key)))
    own = iam(client.as_identity(key))
    create = {"AssumeRolePolicyDocument": TRUST_EC2}
    blue, red = ([{"Key": "Team", "Value": value}] for value in ("blue", "red"))
    mine("AccessDenied", "CreateRole", "iam:CreateRole", RoleName="r", status=403, **create)
    mine("AccessDenied", "CreateRole", RoleName="r", Tags=blue, **create)
    own("CreateRole", RoleName="r", Tags=red, **create)
    do("CreateRole", RoleName="b", Tags=blue, **create)
    mine("AccessDenied", "DeleteRole", RoleName="b")
    own("DeleteRole", RoleName="r")
    do("DeleteRole", RoleName="b")
    do("DeleteUserPolicy", UserName="abac", PolicyName="p")
    do("DeleteAccessKey", UserName="abac", AccessKeyId=key["AccessKeyId"])
    do("DeleteUser", UserName="abac")


def account_itself(client, account):
    """What the account holds, and its alias."""
    do = iam(client)
    no = refusing(do)
    before = do("GetAccountSummary")["SummaryMap"]
    do("CreateUser", UserName="counted")
    after = do("GetAccountSummary")["SummaryMap"]
    assert after["Users"] == before["Users"] + 1 and after["RolesQuota"] == 1000, after
    do("DeleteUser", UserName="counted")
    alias = f"team-{account}"
    do("CreateAccountAlias", AccountAlias=alias)
    assert do("ListAccountAliases")["AccountAliases"] == [alias]
    no("NoSuchEntity", "DeleteAccountAlias", AccountAlias="another")
    no("ValidationError", "CreateAccountAlias", AccountAlias="Not-Legal")
    do("DeleteAccountAlias", AccountAlias=alias)
    assert do("ListAccountAliases")["AccountAliases"] == []


def service_linked(client, account):
    """A role that a service acts in is the service's to change."""
    do = iam(client)
    no = refusing(do)
    role = do("CreateServiceLinkedRole", AWSServiceName="ecs.amazonaws.com", Description="d")["Role"]
    assert role["Arn"].endswith(":role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS"), role
    name = role["RoleName"]
    no("InvalidInput", "CreateServiceLinkedRole", "has been taken", AWSServiceName="ecs.amazonaws.com")
    no("UnmodifiableEntity", "AttachRolePolicy", RoleName=name, PolicyArn=ADMIN, status=400)
    no("UnmodifiableEntity", "DeleteRole", "only modifiable by AWS", RoleName=name)
    task = do("DeleteServiceLinkedRole", RoleName=name)["DeletionTaskId"]
    assert do("GetServiceLinkedRoleDeletionStatus", DeletionTaskId=task)["Status"] == "SUCCEEDED"
    no("NoSuchEntity", "GetServiceLinkedRoleDeletionStatus", DeletionTaskId=task + "x")
    no("NoSuchEntity", "GetRole", RoleName=name)


def oidc_providers(client, account):
    """A provider of web identities is registered, read back, changed and deleted."""
    do = iam(client)
    no = refusing(do)
    url = "https://issuer.example.com/id"
    given = {"ClientIDList": ["b", "a"], "ThumbprintList": ["0" * 40]}
    arn = do("CreateOpenIDConnectProvider", Url=url, **given)["OpenIDConnectProviderArn"]
    assert arn == f"arn:aws:iam::{account}:oidc-provider/issuer.example.com/id", arn
    no("EntityAlreadyExists", "CreateOpenIDConnectProvider", Url=url, status=409)
    no("ValidationError", "CreateOpenIDConnectProvider", Url="nowhere")
    named = {"OpenIDConnectProviderArn": arn}
    got = do("GetOpenIDConnectProvider", **named)
    assert (got["Url"], got["ClientIDList"]) == ("issuer.example.com/id", ["a", "b"]), got
    do("AddClientIDToOpenIDConnectProvider", ClientID="c", **named)
    do("RemoveClientIDFromOpenIDConnectProvider", ClientID="a", **named)
    do("UpdateOpenIDConnectProviderThumbprint", ThumbprintList=["1" * 40], **named)
    got = do("GetOpenIDConnectProvider", **named)
    assert (got["ThumbprintList"], got["ClientIDList"]) == (["1" * 40], ["b", "c"]), got
    assert arn in names(do("ListOpenIDConnectProviders")["OpenIDConnectProviderList"], "Arn")
    do("DeleteOpenIDConnectProvider", **named)
    no("NoSuchEntity", "GetOpenIDConnectProvider", status=404, **named)


def details(client, account):
    """Everything that bears on what the account's principals may do."""
    do = iam(client)
    do("CreateUser", UserName="told")
    do("PutUserPolicy", UserName="told", PolicyName="in", PolicyDocument=READ)
    do("CreateGroup", GroupName="told")
    do("AddUserToGroup", GroupName="told", UserName="told")
    do("AttachGroupPolicy", GroupName="told", PolicyArn=ADMIN)
    do("CreateRole", RoleName="told", AssumeRolePolicyDocument=TRUST_EC2)
    get = lambda **more: do("GetAccountAuthorizationDetails", **more)
    of_users = get(Filter=["User"])
    user = next(user for user in of_users["UserDetailList"] if user["UserName"] == "told")
    assert user["GroupList"] == ["told"] and not of_users["RoleDetailList"], of_users
    assert document(user["UserPolicyList"][0]["PolicyDocument"]) == json.loads(READ), user
    everything = get()
    assert "told" in names(everything["RoleDetailList"], "RoleName"), everything
    admin = next(policy for policy in everything["Policies"] if policy["Arn"] == ADMIN)
    assert admin["PolicyVersionList"][0]["IsDefaultVersion"], admin
    lists = ("GroupDetailList", "Policies", "RoleDetailList", "UserDetailList")
    seen, marker = [], {}
    while True:
        part = get(MaxItems=1, **marker)
        seen += [entry["Arn"] for which in lists for entry in part[which]]
        if not part["IsTruncated"]:
            break
        marker = {"Marker": part["Marker"]}
    assert sorted(seen) == sorted(e["Arn"] for which in lists for e in everything[which]), seen
    do("DeleteUserPolicy", UserName="told", PolicyName="in")
    do("RemoveUserFromGroup", GroupName="told", UserName="told")
    do("DetachGroupPolicy", GroupName="told", PolicyArn=ADMIN)
    do("DeleteUser", UserName="told")
    do("DeleteGroup", GroupName="told")
    do("DeleteRole", RoleName="told")


def simulations(client, account):
    """Decisions without deeds: what policies would come to."""
    do = iam(client)
    no = refusing(do)
    by_ip = {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}
    text = policy(
        allow("s3:*", "arn:aws:s3:::mine/*"),
        {"Effect": "Deny", "Action": "s3:Delete*", "Resource": "*"},
        allow("sqs:SendMessage", Condition=by_ip),
    )
    asked = {"ActionNames": ["s3:GetObject", "s3:DeleteObject", "sqs:SendMessage"]}
    custom = lambda **more: do("SimulateCustomPolicy", PolicyInputList=[text], **asked, **more)
    told = custom(ResourceArns=["arn:aws:s3:::mine/x"])["EvaluationResults"]
    decisions = ["allowed", "explicitDeny", "implicitDeny"]
    assert names(told, "EvalDecision") == decisions, told
    assert told[0]["MatchedStatements"][0]["SourcePolicyId"] == "PolicyInputList.1", told
    place = told[0]["MatchedStatements"][0]["StartPosition"], told[0]["MatchedStatements"][0]["EndPosition"]
    starts = text.index('{"Effect"') + 1
    assert place == ({"Line": 1, "Column": starts}, {"Line": 1, "Column": text.index("}, ") + 2}), place
    assert told[2]["MissingContextValues"] == ["aws:SourceIp"], told
    assert not told[0].get("EvalDecisionDetails"), told
    theirs = policy({**allow("s3:GetObject", "arn:aws:s3:::mine/*"), "Principal": {"AWS": account}})
    across = dict(ResourceArns=["arn:aws:s3:::mine/x"], ResourcePolicy=theirs, ResourceOwner="999999999999")
    told = custom(CallerArn=f"arn:aws:iam::{account}:user/somebody", **across)["EvaluationResults"]
    sides = {"IAM Policy": "allowed", "Resource Policy": "allowed"}
    assert told[0]["EvalDecisionDetails"] == sides and told[0]["EvalDecision"] == "allowed", told
    sides = {"IAM Policy": "explicitDeny", "Resource Policy": "implicitDeny"}
    assert told[1]["EvalDecisionDetails"] == sides, told
    entry = {"ContextKeyName": "aws:SourceIp", "ContextKeyValues": ["10.1.1.1"], "ContextKeyType": "ip"}
    told = custom(ContextEntries=[entry], MaxItems=2)
    assert names(told["EvaluationResults"], "EvalDecision") == ["implicitDeny", "explicitDeny"], told
    told = custom(ContextEntries=[entry], Marker=told["Marker"])["EvaluationResults"]
    assert names(told, "EvalDecision") == ["allowed"] and not told[0]["MissingContextValues"], told
    do("CreateUser", UserName="sim")
    do("PutUserPolicy", UserName="sim", PolicyName="p", PolicyDocument=text)
    source = {"PolicySourceArn": f"arn:aws:iam::{account}:user/sim"}
    mine = lambda **more: do("SimulatePrincipalPolicy", **source, **asked, **more)["EvaluationResults"]
    told = mine(ResourceArns=["arn:aws:s3:::mine/x"])
    assert names(told, "EvalDecision") == decisions, told
    assert told[0]["MatchedStatements"][0]["SourcePolicyType"] == "user", told
    told = mine(PermissionsBoundaryPolicyInputList=[policy(allow("ec2:*"))], ResourceArns=["arn:aws:s3:::mine/x"])
    assert told[0]["EvalDecision"] == "implicitDeny", told
    assert not told[0]["PermissionsBoundaryDecisionDetail"]["AllowedByPermissionsBoundary"], told
    no("NoSuchEntity", "SimulatePrincipalPolicy", PolicySourceArn=source["PolicySourceArn"] + "x", **asked)
    no("InvalidInput", "SimulateCustomPolicy", PolicyInputList=["{}"], **asked)
    keys = do("GetContextKeysForCustomPolicy", PolicyInputList=[text])["ContextKeyNames"]
    assert keys == ["aws:SourceIp"], keys
    assert do("GetContextKeysForPrincipalPolicy", **source)["ContextKeyNames"] == ["aws:SourceIp"]
    do("DeleteUserPolicy", UserName="sim", PolicyName="p")
    do("DeleteUser", UserName="sim")


SCENES = [
    roles,
    pages,
    users,
    access_keys,
    groups,
    owned_policies,
    versions,
    profiles,
    tags,
    attributes,
    account_itself,
    service_linked,
    oidc_providers,
    details,
    simulations,
]
