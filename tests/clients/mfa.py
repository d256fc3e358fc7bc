"""MFA devices by either client, with the codes that an authenticator app would show."""

import base64
import hmac
import json
import struct
import time

from clients import refused
from iam import iam, names, refusing
from sts import trusting, user_with_key

TAGS = [{"Key": "Team", "Value": "red"}]


def code(seed, step):
    """The code of RFC 6238 for a seed in Base32 and the number of a time step."""
    key = base64.b32decode(seed)
    tag = hmac.digest(key, struct.pack(">q", step), "sha1")
    word = struct.unpack_from(">I", tag, tag[19] & 15)[0] & 0x7FFFFFFF
    return f"{word % 1_000_000:06}"


def step():
    return int(time.time()) // 30


def devices(client, account):
    """A device is made, assigned, used, set right, taken away and deleted; its codes open what asks for MFA."""
    do = iam(client)
    no = refusing(do)
    user = user_with_key(client, "mfa-ana", "sts:AssumeRole")
    made = do("CreateVirtualMFADevice", VirtualMFADeviceName="phone", Path="/m/", Tags=TAGS)["VirtualMFADevice"]
    serial = made["SerialNumber"]
    assert serial == f"arn:aws:iam::{account}:mfa/m/phone", made
    seed = made["Base32StringSeed"]
    if "QRCodePNG" in made:
        assert made["QRCodePNG"].startswith(b"\x89PNG\r\n"), made
    device, named = {"SerialNumber": serial}, {"UserName": "mfa-ana", "SerialNumber": serial}
    no("EntityAlreadyExists", "CreateVirtualMFADevice", VirtualMFADeviceName="Phone", status=409)
    no("ValidationError", "CreateVirtualMFADevice", VirtualMFADeviceName="a b", status=400)
    listed = lambda status: names(
        do("ListVirtualMFADevices", AssignmentStatus=status)["VirtualMFADevices"], "SerialNumber"
    )
    assert serial in listed("Unassigned") and serial not in listed("Assigned")

    now = step()
    codes = lambda first: {"AuthenticationCode1": code(seed, first), "AuthenticationCode2": code(seed, first + 1)}
    wrong = {"AuthenticationCode1": code(seed, now), "AuthenticationCode2": code(seed, now - 1)}
    no("InvalidAuthenticationCode", "EnableMFADevice", status=403, **named, **wrong)
    no("NoSuchEntity", "EnableMFADevice", status=404, **{**named, "SerialNumber": serial + "x"}, **wrong)
    do("EnableMFADevice", **named, **codes(now - 1))
    no("EntityAlreadyExists", "EnableMFADevice", status=409, **named, **codes(now + 1))
    assert serial in listed("Assigned") and serial in listed("Any")
    owned = do("ListMFADevices", UserName="mfa-ana")["MFADevices"]
    assert [(one["UserName"], one["SerialNumber"]) for one in owned] == [("mfa-ana", serial)], owned
    got = do("GetMFADevice", **device)
    assert (got["UserName"], got["SerialNumber"]) == ("mfa-ana", serial) and got["EnableDate"], got

    sessions_with_codes(client, account, user, serial, lambda ahead: code(seed, now + ahead))
    # As if the phone's clock had run ahead by minutes.
    do("ResyncMFADevice", **named, **codes(now + 8))
    no("InvalidAuthenticationCode", "ResyncMFADevice", **named, **codes(now + 8))

    no("DeleteConflict", "DeleteVirtualMFADevice", status=409, **device)
    no("DeleteConflict", "DeleteUser", UserName="mfa-ana", status=409)
    do("DeactivateMFADevice", **named)
    no("NoSuchEntity", "GetMFADevice", status=404, **named)
    do("DeleteVirtualMFADevice", **device)
    no("NoSuchEntity", "DeleteVirtualMFADevice", status=404, **device)


def sessions_with_codes(client, account, user, serial, shown):
    """A session with MFA assumes a role that asks for it; a code works once, and a session without one does not."""
    trust = trusting({"AWS": account}, Condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}})
    role = client.call("iam", "CreateRole", RoleName="asks-mfa", AssumeRolePolicyDocument=trust)["Role"]
    assume = lambda who, **more: who.call(
        "sts", "AssumeRole", RoleArn=role["Arn"], RoleSessionName="one", **more
    )
    refused("AccessDenied", lambda: assume(user), status=403)
    of_code = lambda ahead: {"SerialNumber": serial, "TokenCode": shown(ahead)}
    session = user.call("sts", "GetSessionToken", DurationSeconds=900, **of_code(1))["Credentials"]
    made = assume(client.as_identity(session))
    assert made["AssumedRoleUser"]["Arn"].endswith(":assumed-role/asks-mfa/one"), made
    again = lambda: user.call("sts", "GetSessionToken", **of_code(1))
    refused("AccessDenied", again, "invalid MFA one time pass code", status=403)


def tags(client, account):
    """Devices and identity providers carry tags, which are set, listed in pages and taken off."""
    do = iam(client)
    no = refusing(do)
    made = do("CreateVirtualMFADevice", VirtualMFADeviceName="tagged", Tags=TAGS)["VirtualMFADevice"]
    url = "https://tagged.example.com"
    provider = do("CreateOpenIDConnectProvider", Url=url, ClientIDList=["a"], Tags=TAGS)
    arn = provider["OpenIDConnectProviderArn"]
    assert do("GetOpenIDConnectProvider", OpenIDConnectProviderArn=arn)["Tags"] == TAGS
    kinds = {
        "MFADevice": {"SerialNumber": made["SerialNumber"]},
        "OpenIDConnectProvider": {"OpenIDConnectProviderArn": arn},
    }
    for kind, named in kinds.items():
        do(f"Tag{kind}", Tags=[{"Key": "a", "Value": "1"}, {"Key": "team", "Value": "blue"}], **named)
        first = do(f"List{kind}Tags", MaxItems=1, **named)
        assert first["Tags"] == [{"Key": "a", "Value": "1"}] and first["IsTruncated"], first
        rest = do(f"List{kind}Tags", Marker=first["Marker"], **named)
        assert rest["Tags"] == [{"Key": "team", "Value": "blue"}], rest
        do(f"Untag{kind}", TagKeys=["TEAM", "none"], **named)
        assert names(do(f"List{kind}Tags", **named)["Tags"], "Key") == ["a"]
    no("NoSuchEntity", "TagMFADevice", Tags=TAGS, SerialNumber=made["SerialNumber"] + "x", status=404)
    no("NoSuchEntity", "ListOpenIDConnectProviderTags", OpenIDConnectProviderArn=arn + "x", status=404)
    by_tag = {"StringEquals": {"aws:ResourceTag/a": "1"}}
    user = user_with_key(client, "mfa-tagger")
    may = {"Effect": "Allow", "Action": "iam:ListMFADeviceTags", "Resource": "*", "Condition": by_tag}
    statement = json.dumps({"Statement": may})
    do("PutUserPolicy", UserName="mfa-tagger", PolicyName="may", PolicyDocument=statement)
    user.call("iam", "ListMFADeviceTags", **kinds["MFADevice"])
    do("UntagMFADevice", TagKeys=["a"], **kinds["MFADevice"])
    refused("AccessDenied", lambda: user.call("iam", "ListMFADeviceTags", **kinds["MFADevice"]), status=403)
    do("DeleteVirtualMFADevice", **kinds["MFADevice"])
    do("DeleteOpenIDConnectProvider", **kinds["OpenIDConnectProvider"])


SCENES = [devices, tags]
