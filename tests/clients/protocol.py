"""The Query protocol itself, beyond what clients send of their own."""

import datetime
import hashlib
import hmac
import http.client
import itertools
import json
import pathlib
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request

import boto3
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from clients import REGION, refused

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "examples" / "python"))
import locum_client  # noqa: E402

WHOAMI = {"Action": "GetCallerIdentity", "Version": "2011-06-15"}


def ask(boto, parameters, service="sts", method="POST", headers=None, presigned=False, signed=True):
    """One request, signed as given: status, headers and body."""
    form = urllib.parse.urlencode(parameters)
    url = boto.endpoint + "/"
    body = form if method == "POST" else None
    if method == "GET":
        url += "?" + form
    given = {"Content-Type": "application/x-www-form-urlencoded"} if body else {}
    request = AWSRequest(method, url, headers={**given, **(headers or {})}, data=body)
    if signed:
        key = boto.key
        key = Credentials(key["AccessKeyId"], key["SecretAccessKey"], key.get("SessionToken"))
        signer = SigV4QueryAuth if presigned else SigV4Auth
        signer(key, service, REGION).add_auth(request)
    prepared = request.prepare()
    sent = urllib.request.Request(
        prepared.url,
        data=prepared.body.encode() if isinstance(prepared.body, str) else prepared.body,
        headers=dict(prepared.headers),
        method=method,
    )
    try:
        with urllib.request.urlopen(sent, timeout=10) as response:
            return response.status, response.headers, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read().decode()


def xml_is_as_documented(stage, boto):
    """Answers and errors have the elements, namespaces and headers of AWS's."""
    status, headers, body = ask(boto, WHOAMI)
    identity = headers["x-amzn-requestid"]
    account = stage.dev["account"]
    assert (status, headers["content-type"]) == (200, "text/xml"), (status, headers)
    assert body == (
        '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
        f"<GetCallerIdentityResult><Arn>arn:aws:iam::{account}:root</Arn><UserId>{account}</UserId>"
        f"<Account>{account}</Account></GetCallerIdentityResult>"
        f"<ResponseMetadata><RequestId>{identity}</RequestId></ResponseMetadata>"
        "</GetCallerIdentityResponse>"
    ), body
    status, headers, body = ask(boto, {"Action": "Nothing", "Version": "2010-05-08"}, "iam")
    assert status == 400, status
    assert body == (
        '<ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><Error><Type>Sender</Type>'
        "<Code>InvalidAction</Code><Message>Could not find operation Nothing for version 2010-05-08"
        f"</Message></Error><RequestId>{headers['x-amzn-requestid']}</RequestId></ErrorResponse>"
    ), body
    status, headers, body = ask(boto, {"Action": "Nothing", "Version": "2016-11-15"}, "ec2")
    assert status == 400, status
    assert body == (
        '<?xml version="1.0" encoding="UTF-8"?>\n<Response><Errors><Error><Code>InvalidAction</Code>'
        "<Message>The action Nothing is not valid for this web service.</Message></Error></Errors>"
        f"<RequestID>{headers['x-amzn-requestid']}</RequestID></Response>"
    ), body


def json_if_asked(stage, boto):
    """Token authenticators of Kubernetes clusters replay a presigned URL and read JSON."""
    headers = {"x-k8s-aws-id": "cluster"}
    parameters = {**WHOAMI}
    account = stage.dev["account"]
    request = AWSRequest("GET", boto.endpoint + "/?" + urllib.parse.urlencode(parameters), headers=headers)
    key = Credentials(boto.key["AccessKeyId"], boto.key["SecretAccessKey"])
    SigV4QueryAuth(key, "sts", REGION, expires=60).add_auth(request)
    url = request.prepare().url
    replay = urllib.request.Request(url, headers={**headers, "Accept": "application/json"})
    with urllib.request.urlopen(replay, timeout=10) as response:
        assert response.headers["content-type"] == "application/json"
        told = json.load(response)["GetCallerIdentityResponse"]
    result = {"Account": account, "Arn": f"arn:aws:iam::{account}:root", "UserId": account}
    assert told["GetCallerIdentityResult"] == result, told
    assert told["ResponseMetadata"]["RequestId"], told
    status, _, body = ask(boto, {}, headers={"Accept": "application/json"}, signed=False)
    assert (status, json.loads(body)["Error"]["Code"]) == (400, "MissingAction"), body
    other = urllib.request.Request(url, headers={"x-k8s-aws-id": "other"})
    try:
        urllib.request.urlopen(other, timeout=10)
        raise AssertionError("a presigned URL was taken for another cluster")
    except urllib.error.HTTPError as error:
        assert error.code == 403 and "SignatureDoesNotMatch" in error.read().decode()


def refusals_name_their_code(stage, boto):
    """What is wrong with a request as such is told with the code and status of AWS."""
    skewed = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(minutes=16)
    cases = [
        ("no signature", 403, "MissingAuthenticationToken", dict(parameters=WHOAMI, signed=False)),
        ("another service", 403, "SignatureDoesNotMatch", dict(parameters=WHOAMI, service="s3")),
        ("no action", 400, "MissingAction", dict(parameters={"Version": "2011-06-15"})),
        ("no version", 400, "NO_VERSION_SPECIFIED", dict(parameters={"Action": "GetCallerIdentity"})),
        ("wrong version", 400, "InvalidAction", dict(parameters={**WHOAMI, "Version": "2010-05-08"})),
        ("twice", 404, "MalformedQueryString", dict(parameters=[*WHOAMI.items(), ("Action", "X")])),
        ("method", 405, "MethodNotAllowed", dict(parameters={}, method="PUT")),
        (
            "content type",
            415,
            "UnsupportedMediaType",
            dict(parameters=WHOAMI, headers={"Content-Type": "application/json"}),
        ),
        (
            "EC2's version",
            400,
            "NoSuchVersion",
            dict(parameters={**WHOAMI, "Version": "1"}, service="ec2"),
        ),
    ]
    for what, expected, code, request in cases:
        status, _, body = ask(boto, **request)
        assert status == expected and code in body, (what, status, body)
    assert old_request(boto, skewed)[0] == 403
    assert "Signature expired" in old_request(boto, skewed)[1]


def unread_parameters_are_refused(stage, boto):
    """What a service model has and is not read is refused by its name, whatever else the request has."""
    tried = 0
    services = {operation["name"]: operation for operation in stage.operations()["operations"]}
    for entry in stage.operations()["unread"]:
        for name, parameter in itertools.product(entry["operations"], entry["parameters"]):
            operation = services[name]
            request = {"Action": name, "Version": operation["version"], parameter: ""}
            status, _, body = ask(boto, request, operation["service"])
            code = "UnknownParameter" if operation["service"] == "ec2" else "ValidationError"
            is_named = f"<Code>{code}</Code>" in body and f"The parameter {parameter} is not" in body
            assert is_named == (entry["treatment"] == "refused"), f"{name} {parameter}: {body}"
            assert status == 400 or not is_named
            tried += 1
    assert tried > 20, f"only {tried}"
    excluded = {"PolicySourceArn": "arn:aws:iam::123456789012:user/u", "ActionNames": ["s3:GetObject"]}
    excluded |= {"PolicyExclusionList": [{"PolicyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}]}
    simulate = lambda: boto.call("iam", "SimulatePrincipalPolicy", **excluded)
    refused("ValidationError", simulate, "PolicyExclusionList", status=400)
    # What no model has is passed over.
    assert ask(boto, {**WHOAMI, "action": "GetUser"})[0] == 200


def guardrails_in_simulations(stage, boto):
    """What the operator forbids an account shows in a simulation of its principals."""
    number = "444444444444"
    guarded = boto.as_identity(stage.account("guarded", number))
    user = guarded.call("iam", "CreateUser", UserName="guarded")["User"]["Arn"]
    text = json.dumps({"Statement": {"Effect": "Allow", "Action": "iam:*", "Resource": "*"}})
    guardrail = ["--kind", "GUARDRAIL_KIND_SERVICE_CONTROL", "--name", "iam", "--account-id", number]
    stage.command(stage.operator, "guardrail", "put-guardrail", *guardrail, "--policy", text)
    asked = {"PolicySourceArn": user, "ActionNames": ["s3:GetObject"]}
    told = guarded.call("iam", "SimulatePrincipalPolicy", **asked)["EvaluationResults"][0]
    assert told["OrganizationsDecisionDetail"] == {"AllowedByOrganizations": False}, told


def instances_on_hosts(stage, boto):
    """An instance on the host of an agent, which AWS's APIs cannot make, with an address."""
    stage.command(stage.dev, "iam", "create-agent", "--agent-name", "h-full")
    given = {"Placement": {"HostId": "h-full"}, "PrivateIpAddress": "10.77.0.1"}
    run = boto.call("ec2", "RunInstances", ImageId="ami-1", MinCount=1, MaxCount=1, **given)
    made = run["Instances"][0]
    named = {"InstanceIds": [made["InstanceId"]]}
    found = boto.call("ec2", "DescribeInstances", **named)["Reservations"][0]["Instances"][0]
    for shown in (made, found):
        assert shown["Placement"]["HostId"] == "h-full", shown
        assert shown["PrivateIpAddress"] == given["PrivateIpAddress"], shown
    boto.call("ec2", "TerminateInstances", **named)


def old_request(boto, when):
    """GetCallerIdentity as signed at another time: status and body."""
    date, day = when.strftime("%Y%m%dT%H%M%SZ"), when.strftime("%Y%m%d")
    host = urllib.parse.urlsplit(boto.endpoint).netloc
    body = urllib.parse.urlencode(WHOAMI)
    digest = hashlib.sha256(body.encode()).hexdigest()
    text = f"POST\n/\n\nhost:{host}\nx-amz-date:{date}\n\nhost;x-amz-date\n{digest}"
    scope = f"{day}/{REGION}/sts/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{date}\n{scope}\n{hashlib.sha256(text.encode()).hexdigest()}"
    key = ("AWS4" + boto.key["SecretAccessKey"]).encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    credential = f"Credential={boto.key['AccessKeyId']}/{scope}"
    headers = {
        "X-Amz-Date": date,
        "Content-Type": "application/x-www-form-urlencoded",
        "Authorization": f"AWS4-HMAC-SHA256 {credential}, SignedHeaders=host;x-amz-date, "
        f"Signature={signature}",
    }
    request = urllib.request.Request(boto.endpoint + "/", body.encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def grpc_by_reflection(stage, boto):
    """A gRPC client that learns the API from the server alone sees the same identity."""
    client = locum_client.Client(
        stage.dev["endpoint"].removeprefix("http://"),
        REGION,
        boto.key["AccessKeyId"],
        boto.key["SecretAccessKey"],
    )
    told = client.call("locum.v1.StsService", "GetCallerIdentity")
    assert told["arn"] == boto.call("sts", "GetCallerIdentity")["Arn"], told


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def certified(folder):
    """Makes key.pem and certificate.pem for localhost, and the authority that signed: its certificate."""
    names = folder / "names"
    names.write_text("subjectAltName=DNS:localhost\n")
    make = ["openssl", "req", "-newkey", "rsa:2048", "-nodes"]
    own = [*make, "-x509", "-days", "2", "-subj", "/CN=authority", "-keyout", "ca.key", "-out", "ca.pem"]
    ask = [*make, "-subj", "/CN=localhost", "-keyout", "key.pem", "-out", "request.pem"]
    sign = ["openssl", "x509", "-req", "-in", "request.pem", "-CA", "ca.pem", "-CAkey", "ca.key"]
    sign += ["-CAcreateserial", "-days", "2", "-extfile", "names", "-out", "certificate.pem"]
    for command in (own, ask, sign):
        subprocess.run(command, check=True, capture_output=True, cwd=folder)
    return folder / "ca.pem"


def over_tls(stage, boto):
    """With certificates the same is served over TLS, gRPC as well; plain HTTP is not answered."""
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        key, certificate, data = folder / "key.pem", folder / "certificate.pem", folder / "data"
        authority = certified(folder)
        subprocess.run([stage.locum, "init", "--data-dir", data], check=True, capture_output=True)
        port, grpc_port = free_port(), free_port()
        serve = [stage.locum, "serve", "--data-dir", data]
        serve += ["--aws", f"127.0.0.1:{port}", "--grpc", f"127.0.0.1:{grpc_port}"]
        serve += [x for flag in ("metadata", "health") for x in (f"--{flag}", "127.0.0.1:0")]
        for edge in ("aws", "grpc"):
            serve += [f"--{edge}-tls-certificate", certificate, f"--{edge}-tls-key", key]
        server = subprocess.Popen(serve, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            operator = json.loads((data / "operator.json").read_text())
            sts = boto3.client(
                "sts",
                endpoint_url=f"https://localhost:{port}",
                region_name=REGION,
                aws_access_key_id=operator["accessKeyId"],
                aws_secret_access_key=operator["secretAccessKey"],
                verify=str(authority),
            )
            assert sts.get_caller_identity()["Account"] == "000000000000"
            call = [stage.locum, "sts", "get-caller-identity", "--output", "json"]
            call += ["--endpoint", f"https://localhost:{grpc_port}"]
            call += ["--credentials", data / "operator.json"]
            known = subprocess.run([*call, "--ca-file", authority], capture_output=True, text=True)
            assert json.loads(known.stdout)["accountId"] == "000000000000", known
            stranger = subprocess.run(call, capture_output=True, text=True)
            assert stranger.returncode != 0 and "certificate" in stranger.stderr, stranger
            try:
                urllib.request.urlopen(f"http://localhost:{port}/", timeout=10)
                raise AssertionError("plain HTTP was answered")
            except (OSError, http.client.HTTPException):
                pass
        finally:
            server.terminate()
            assert server.wait(30) == 0


SCENES = [
    xml_is_as_documented,
    json_if_asked,
    refusals_name_their_code,
    unread_parameters_are_refused,
    guardrails_in_simulations,
    instances_on_hosts,
    grpc_by_reflection,
    over_tls,
]
