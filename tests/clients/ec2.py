"""EC2 by either client."""

import json

from clients import refused
from iam import TRUST_EC2


def ec2(client):
    return lambda operation, **parameters: client.call("ec2", operation, **parameters)


def profile(client, name, role=None, trust=TRUST_EC2):
    """Makes a profile with a role of the same name."""
    role = role or name
    client.call("iam", "CreateRole", RoleName=role, AssumeRolePolicyDocument=trust)
    made = client.call("iam", "CreateInstanceProfile", InstanceProfileName=name)["InstanceProfile"]
    client.call("iam", "AddRoleToInstanceProfile", InstanceProfileName=name, RoleName=role)
    return made


def instances(answer):
    return [i for reservation in answer["Reservations"] for i in reservation["Instances"]]


def launches(client, account):
    """Instances come with their profile, tags and metadata options, are found, and end."""
    call = ec2(client)
    made = profile(client, "launch")
    request = dict(
        ImageId="ami-0abcdef1234567890",
        InstanceType="t3.micro",
        MinCount=1,
        MaxCount=3,
        IamInstanceProfile={"Name": "launch"},
        ClientToken="once",
        TagSpecifications=[
            {"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "web"}]},
            {"ResourceType": "volume", "Tags": [{"Key": "Name", "Value": "disk"}]},
        ],
        MetadataOptions={"HttpTokens": "optional", "HttpPutResponseHopLimit": 2},
        KeyName="without-effect",
    )
    told = call("RunInstances", **request)
    assert told["OwnerId"] == account and told["ReservationId"].startswith("r-"), told
    ids = [instance["InstanceId"] for instance in told["Instances"]]
    assert len(ids) == 3 and all(i.startswith("i-") and len(i) == 19 for i in ids), ids
    again = call("RunInstances", **request)
    assert [instance["InstanceId"] for instance in again["Instances"]] == ids, "a retry"
    refused(
        "IdempotentParameterMismatch", lambda: call("RunInstances", **{**request, "MaxCount": 2})
    )
    first = instances(call("DescribeInstances", InstanceIds=[ids[0]]))[0]
    assert first["IamInstanceProfile"] == {"Arn": made["Arn"], "Id": made["InstanceProfileId"]}
    assert first["State"] == {"Code": 16, "Name": "running"}, first
    assert first["Tags"] == [{"Key": "Name", "Value": "web"}], first
    options = first["MetadataOptions"]
    assert (options["HttpTokens"], options["HttpPutResponseHopLimit"]) == ("optional", 2), options
    ended = call("TerminateInstances", InstanceIds=ids[1:])["TerminatingInstances"]
    assert [e["PreviousState"]["Name"] for e in ended] == ["running", "running"], ended
    assert [e["CurrentState"]["Name"] for e in ended] == ["terminated", "terminated"], ended
    ended = call("TerminateInstances", InstanceIds=[ids[1]])["TerminatingInstances"]
    assert ended[0]["PreviousState"]["Name"] == "terminated", "ending twice is no mistake"
    filters = lambda *pairs: [{"Name": name, "Values": values} for name, values in pairs]
    running = filters(("instance-state-name", ["running"]), ("tag:Name", ["w*"]))
    found = instances(call("DescribeInstances", Filters=running))
    assert [instance["InstanceId"] for instance in found] == [ids[0]], found
    other = filters(("iam-instance-profile.arn", [made["Arn"] + "x"]))
    assert not instances(call("DescribeInstances", Filters=other))
    refused(
        "InvalidParameterValue",
        lambda: call("DescribeInstances", Filters=filters(("colour", ["red"]))),
        "The filter 'colour' is invalid",
    )


def pages(client, account):
    """DescribeInstances tells everything in pages."""
    call = ec2(client)
    made = call("RunInstances", ImageId="ami-1", MinCount=7, MaxCount=7)["Instances"]
    wanted = {"Filters": [{"Name": "image-id", "Values": ["ami-1"]}], "MaxResults": 5}
    first = call("DescribeInstances", **wanted)
    rest = call("DescribeInstances", **wanted, NextToken=first["NextToken"])
    found = [instance["InstanceId"] for instance in instances(first) + instances(rest)]
    assert len(instances(first)) == 5 and "NextToken" not in rest, (first, rest)
    assert sorted(found) == sorted(instance["InstanceId"] for instance in made), found


def what_is_wrong(client, account):
    """Mistakes have EC2's own codes."""
    call = ec2(client)
    run = lambda **more: lambda: call("RunInstances", MinCount=1, MaxCount=1, **more)
    missing = "i-0123456789abcdef0"
    refused("MissingParameter", run(), "ImageId", status=400)
    refused(
        "InvalidParameterValue",
        run(ImageId="ami-1", IamInstanceProfile={"Name": "none"}),
        "Invalid IAM Instance Profile name",
        status=400,
    )
    refused(
        "InvalidInstanceID.Malformed", lambda: call("DescribeInstances", InstanceIds=["i-x"])
    )
    refused(
        "InvalidInstanceID.NotFound", lambda: call("TerminateInstances", InstanceIds=[missing])
    )
    refused(
        "InvalidAssociationID.NotFound",
        lambda: call("DisassociateIamInstanceProfile", AssociationId="iip-assoc-0123456789abcdef0"),
    )
    refused("DryRunOperation", run(ImageId="ami-1", DryRun=True), status=412)
    refused("DryRunOperation", lambda: call("DescribeInstances", DryRun=True), status=412)
    refused("UnknownParameter", run(ImageId="ami-1", RamdiskId="ari-1"), "RamdiskId")
    wrong = client.as_identity({**client.key, "SecretAccessKey": "x" * 40})
    refused("AuthFailure", lambda: wrong.call("ec2", "DescribeInstances"), status=401)


def associations(client, account):
    """A profile is put on, replaced and taken off while the instance runs."""
    call = ec2(client)
    one, two = profile(client, "one"), profile(client, "two")
    run = call("RunInstances", ImageId="ami-2", MinCount=1, MaxCount=1)
    instance = run["Instances"][0]["InstanceId"]
    associate = lambda name: call(
        "AssociateIamInstanceProfile", InstanceId=instance, IamInstanceProfile={"Name": name}
    )["IamInstanceProfileAssociation"]
    first = associate("one")
    assert first["AssociationId"].startswith("iip-assoc-") and first["State"] == "associating"
    assert first["IamInstanceProfile"] == {"Arn": one["Arn"], "Id": one["InstanceProfileId"]}
    refused("IncorrectState", lambda: associate("two"), "There is an existing association")
    second = call(
        "ReplaceIamInstanceProfileAssociation",
        AssociationId=first["AssociationId"],
        IamInstanceProfile={"Arn": two["Arn"]},
    )["IamInstanceProfileAssociation"]
    assert second["AssociationId"] != first["AssociationId"], second
    of_instance = [{"Name": "instance-id", "Values": [instance]}]
    describe = lambda: call("DescribeIamInstanceProfileAssociations", Filters=of_instance)[
        "IamInstanceProfileAssociations"
    ]
    assert [(a["AssociationId"], a["State"]) for a in describe()] == [
        (second["AssociationId"], "associated")
    ]
    gone = call("DisassociateIamInstanceProfile", AssociationId=second["AssociationId"])
    assert gone["IamInstanceProfileAssociation"]["State"] == "disassociating", gone
    assert describe() == []


def metadata_options(client, account):
    """Metadata options change one by one."""
    call = ec2(client)
    run = call("RunInstances", ImageId="ami-3", MinCount=1, MaxCount=1)
    instance = run["Instances"][0]["InstanceId"]
    modify = lambda **options: call(
        "ModifyInstanceMetadataOptions", InstanceId=instance, **options
    )["InstanceMetadataOptions"]
    changed = modify(HttpTokens="optional", HttpPutResponseHopLimit=3)
    assert (changed["HttpTokens"], changed["HttpPutResponseHopLimit"]) == ("optional", 3), changed
    changed = modify(HttpEndpoint="disabled", InstanceMetadataTags="enabled")
    assert changed["HttpTokens"] == "optional" and changed["HttpEndpoint"] == "disabled", changed
    found = instances(call("DescribeInstances", InstanceIds=[instance]))[0]["MetadataOptions"]
    assert {**changed, "State": "applied"} == found, found
    refused("InvalidParameterValue", lambda: modify(HttpPutResponseHopLimit=65), "64")


def permissions(client, account):
    """Who may not launch or pass the role is told so, with a message that whoever may can decode."""
    call = ec2(client)
    profile(client, "passed")
    client.call("iam", "CreateUser", UserName="launcher")
    key = client.call("iam", "CreateAccessKey", UserName="launcher")["AccessKey"]
    user = client.as_identity(key)
    run = lambda **more: user.call("ec2", "RunInstances", ImageId="ami-4", MinCount=1, MaxCount=1, **more)
    denied = refused("UnauthorizedOperation", run, "ec2:RunInstances", status=403)
    encoded = denied.message.partition("Encoded authorization failure message: ")[2].strip()
    told = client.call("sts", "DecodeAuthorizationMessage", EncodedMessage=encoded)
    told = json.loads(told["DecodedMessage"])
    assert told["allowed"] is False and told["context"]["action"] == "ec2:RunInstances", told
    refused(
        "InvalidAuthorizationMessageException",
        lambda: client.call("sts", "DecodeAuthorizationMessage", EncodedMessage="x" * 40),
        status=400,
    )
    allow = lambda action: client.call(
        "iam",
        "PutUserPolicy",
        UserName="launcher",
        PolicyName=action.replace(":", "-"),
        PolicyDocument=json.dumps(
            {"Statement": {"Effect": "Allow", "Action": action, "Resource": "*"}}
        ),
    )
    allow("ec2:RunInstances")
    refused("DryRunOperation", lambda: run(DryRun=True))
    with_profile = dict(IamInstanceProfile={"Name": "passed"})
    refused("UnauthorizedOperation", lambda: run(**with_profile), "iam:PassRole")
    refused("UnauthorizedOperation", lambda: run(DryRun=True, **with_profile), "iam:PassRole")
    allow("iam:PassRole")
    assert run(**with_profile)["Instances"][0]["IamInstanceProfile"]["Arn"]
    refused("UnauthorizedOperation", lambda: user.call("ec2", "DescribeInstances"), status=403)


SCENES = [launches, pages, what_is_wrong, associations, metadata_options, permissions]
