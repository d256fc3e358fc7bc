"""How clients come by credentials: the default chain through metadata, roles after it, a token from a file."""

import base64
import http.server
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time

import rsa  # the command line brings it
from clients import REGION, Cli, refused
from ec2 import profile
from sts import trusting

# A program of its own, so that its default chain is the one of any program.
WHOAMI = """
import json, sys, time
import boto3
import botocore.credentials
# An SDK looks for the next set a quarter of an hour before the end of the one it has: nothing that a test can
# wait for. Only when it looks is changed, not how.
botocore.credentials.RefreshableCredentials._advisory_refresh_timeout = 24 * 3600
session = boto3.Session()
sts = session.client("sts")
for line in sys.stdin:
    frozen = session.get_credentials().get_frozen_credentials()
    told = {"arn": sts.get_caller_identity()["Arn"], "key": frozen.access_key}
    print(json.dumps(told), flush=True)
"""


def environment(stage, **more):
    """Nothing of ours but where things are."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return {
        **clean,
        "AWS_ENDPOINT_URL": stage.dev["aws"],
        "AWS_EC2_METADATA_SERVICE_ENDPOINT": stage.dev["metadata"],
        "AWS_DEFAULT_REGION": REGION,
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        **more,
    }


def launched(boto):
    """An instance at our own address: metadata knows its role by it."""
    found = boto.call(
        "ec2",
        "DescribeInstances",
        Filters=[
            {"Name": "private-ip-address", "Values": ["127.0.0.1"]},
            {"Name": "instance-state-name", "Values": ["running"]},
        ],
    )["Reservations"]
    if found:
        return found[0]["Instances"][0]["InstanceId"]
    profile(boto, "ours")
    run = boto.call(
        "ec2",
        "RunInstances",
        ImageId="ami-1",
        MinCount=1,
        MaxCount=1,
        PrivateIpAddress="127.0.0.1",
        IamInstanceProfile={"Name": "ours"},
    )
    return run["Instances"][0]["InstanceId"]


def metadata_with_refresh(stage, boto):
    """boto3's default chain finds the instance's role and takes up the next set by itself."""
    instance, account = launched(boto), stage.dev["account"]
    program = subprocess.Popen(
        [sys.executable, "-c", WHOAMI],
        env=environment(stage),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    keys = set()
    deadline = time.monotonic() + 30
    while len(keys) < 2:
        assert time.monotonic() < deadline, f"no other key within 30 s than {keys}"
        program.stdin.write("\n")
        program.stdin.flush()
        told = json.loads(program.stdout.readline())
        assert told["arn"] == f"arn:aws:sts::{account}:assumed-role/ours/{instance}", told
        keys.add(told["key"])
        time.sleep(0.2)
    program.stdin.close()
    assert program.wait(10) == 0


def whoami_by_profile(stage, text, **more):
    """The identity that the command line has under the profile `it` of a config file."""
    with tempfile.TemporaryDirectory() as folder:
        config = pathlib.Path(folder, "config")
        config.write_text(text)
        done = subprocess.run(
            [sys.executable, "-m", "awscli", "sts", "get-caller-identity", "--profile", "it"],
            # A home of its own: the command line keeps the sessions of roles there, from other runs too.
            env=environment(stage, AWS_CONFIG_FILE=str(config), HOME=folder, **more),
            capture_output=True,
            text=True,
        )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["Arn"]


def role_after_metadata(stage, boto):
    """`credential_source = Ec2InstanceMetadata`: a role that the instance's role assumes."""
    launched(boto)
    account = stage.dev["account"]
    trust = trusting({"AWS": f"arn:aws:iam::{account}:role/ours"})
    boto.call("iam", "CreateRole", RoleName="next", AssumeRolePolicyDocument=trust)
    arn = whoami_by_profile(
        stage,
        f"""[profile it]
role_arn = arn:aws:iam::{account}:role/next
role_session_name = chained
credential_source = Ec2InstanceMetadata
""",
    )
    assert arn == f"arn:aws:sts::{account}:assumed-role/next/chained", arn


class Issuer:
    """An identity provider on a free port: its key, and where it can be found."""

    def __enter__(self):
        self.public, self.private = rsa.newkeys(2048)
        issuer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = json.dumps(issuer.documents()[self.path]).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()

    def documents(self):
        number = lambda n: encoded(n.to_bytes((n.bit_length() + 7) // 8, "big"))
        key = {"kty": "RSA", "kid": "1", "use": "sig", "alg": "RS256"}
        key |= {"n": number(self.public.n), "e": number(self.public.e)}
        return {
            "/.well-known/openid-configuration": {
                "issuer": self.url,
                "jwks_uri": f"{self.url}/keys",
            },
            "/keys": {"keys": [key]},
        }

    def token(self, **more):
        now = int(time.time())
        claims = {"iss": self.url, "sub": "alice", "aud": "app", "iat": now, "exp": now + 600}
        parts = [{"alg": "RS256", "typ": "JWT", "kid": "1"}, {**claims, **more}]
        text = ".".join(encoded(json.dumps(part).encode()) for part in parts)
        return f"{text}.{encoded(rsa.sign(text.encode(), self.private, 'SHA-256'))}"


def encoded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def web_identity(stage, boto):
    """A provider's token is changed for a role's session: from a file, by the default chain, and by hand."""
    with Issuer() as issuer, tempfile.TemporaryDirectory() as folder:
        make = ["create-open-id-connect-provider", "--url", issuer.url, "--client-ids", "app"]
        provider = stage.command(stage.dev, "iam", *make)["provider"]["arn"]
        actions = ["sts:AssumeRoleWithWebIdentity", "sts:SetSourceIdentity"]
        trust = trusting({"Federated": provider}, actions)
        role = boto.call("iam", "CreateRole", RoleName="web", AssumeRolePolicyDocument=trust)["Role"]
        token = pathlib.Path(folder, "token")
        token.write_text(issuer.token())
        program = subprocess.run(
            [sys.executable, "-c", WHOAMI],
            env=environment(
                stage,
                AWS_ROLE_ARN=role["Arn"],
                AWS_ROLE_SESSION_NAME="pod",
                AWS_WEB_IDENTITY_TOKEN_FILE=str(token),
            ),
            input="\n",
            capture_output=True,
            text=True,
        )
        assert program.returncode == 0, program.stderr
        arn = f"arn:aws:sts::{stage.dev['account']}:assumed-role/web/pod"
        assert json.loads(program.stdout)["arn"] == arn, program.stdout
        for client in (boto, Cli(boto.endpoint, boto.recorder, boto.key)):
            ask = lambda token, client=client: client.call(
                "sts",
                "AssumeRoleWithWebIdentity",
                RoleArn=role["Arn"],
                RoleSessionName="pod",
                WebIdentityToken=token,
                Policy=json.dumps({"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}),
            )
            told = ask(issuer.token(**{"https://aws.amazon.com/source_identity": "ana"}))
            assert told["SourceIdentity"] == "ana" and told["PackedPolicySize"] > 0, told
            assert told["AssumedRoleUser"]["Arn"] == arn, told
            assert told["SubjectFromWebIdentityToken"] == "alice" and told["Audience"] == "app", told
            assert told["Provider"] == provider, told
            refused("InvalidIdentityToken", lambda: ask(issuer.token(aud="other")), status=400)
            refused("ExpiredTokenException", lambda: ask(issuer.token(iat=1, exp=2)), status=400)
            refused("InvalidIdentityToken", lambda: ask(issuer.token(aud=["app", "b"])), status=400)
            refused("InvalidIdentityToken", lambda: ask("a.b.c"), status=400)
        limited_tokens(boto, issuer, provider, role["Arn"])


def limited_tokens(boto, issuer, provider, role):
    """What a token says of tags and roles counts, and trust in everyone is not trust in a provider."""
    aws = "https://aws.amazon.com"
    ask = lambda **claims: boto.call(
        "sts",
        "AssumeRoleWithWebIdentity",
        RoleArn=role,
        RoleSessionName="pod",
        WebIdentityToken=issuer.token(**claims),
    )
    trust = lambda document: boto.call(
        "iam", "UpdateAssumeRolePolicy", RoleName="web", PolicyDocument=document
    )
    tagged = {f"{aws}/tags/principal_tags/Team": "blue"}
    ask(**{f"{aws}/roles": f"{role}-other; {role}"})
    refused("InvalidIdentityToken", lambda: ask(**{f"{aws}/roles": [f"{role}-other"]}), status=400)
    refused("AccessDenied", lambda: ask(**tagged), status=403)
    actions = ["sts:AssumeRoleWithWebIdentity", "sts:TagSession"]
    conditions = {
        "StringEquals": {"aws:RequestTag/Team": "blue"},
        "Bool": {"sts:RoleAuthorizedByIdp": "true"},
    }
    trust(trusting({"Federated": provider}, actions, Condition=conditions))
    ask(**tagged, **{f"{aws}/roles": [role]})
    refused("AccessDenied", lambda: ask(**tagged), status=403)
    trust(trusting({"AWS": "*"}, actions))
    refused("AccessDenied", lambda: ask(), status=403)


SCENES = [metadata_with_refresh, role_after_metadata, web_identity]
