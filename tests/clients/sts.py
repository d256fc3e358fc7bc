"""STS by either client."""

from clients import refused


def identity(client, account):
    """The root of an account is told as AWS tells it."""
    told = client.call("sts", "GetCallerIdentity")
    assert told["Arn"] == f"arn:aws:iam::{account}:root", told
    assert (told["Account"], told["UserId"]) == (account, account), told


def keys_that_are_none(client, account):
    """A wrong secret, an unknown key and a token that is none are refused with their codes."""
    wrong = {**client.key, "SecretAccessKey": "x" * 40}
    whoami = lambda key: lambda: client.as_identity(key).call("sts", "GetCallerIdentity")
    refused("SignatureDoesNotMatch", whoami(wrong), status=403)
    unknown = {**client.key, "AccessKeyId": "AKIAAAAAAAAAAAAAAAAA"}
    refused("InvalidClientTokenId", whoami(unknown), status=403)
    refused("InvalidClientTokenId", whoami({**client.key, "SessionToken": "x"}), status=403)


SCENES = [identity, keys_that_are_none]
