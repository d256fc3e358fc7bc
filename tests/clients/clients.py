"""One way to call an AWS API, by two clients: boto3, and the AWS command line within this process."""

import contextlib
import io
import json
import os
import pathlib
import re
import tempfile

import boto3
import botocore.exceptions
import models
from awscli.clidriver import create_clidriver
from botocore import xform_name
from botocore.config import Config

REGION = "us-east-1"


class Refused(Exception):
    """A call that the service refused."""

    def __init__(self, code, message, status=None):
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.status = code, message, status


class Recorder:
    """Which operations were done, and by which client; and the fields that answers had."""

    def __init__(self):
        self.done, self.seen = {}, {}

    def did(self, client, service, operation, answer):
        self.done.setdefault((service, operation), set()).add(client)
        self.seen.setdefault((service, operation), set()).update(models.fields(answer))


class Boto:
    """boto3, as one identity."""

    name = "boto3"

    def __init__(self, endpoint, recorder, key):
        self.endpoint, self.recorder, self.key = endpoint, recorder, key
        self.session = boto3.Session(
            aws_access_key_id=key["AccessKeyId"],
            aws_secret_access_key=key["SecretAccessKey"],
            aws_session_token=key.get("SessionToken"),
            region_name=REGION,
        )
        self.clients = {}

    def as_identity(self, key):
        return Boto(self.endpoint, self.recorder, key)

    def client(self, service, **config):
        if config or service not in self.clients:
            settings = Config(retries={"total_max_attempts": 1}, **config)
            made = self.session.client(service, endpoint_url=self.endpoint, config=settings)
            if config:
                return made
            self.clients[service] = made
        return self.clients[service]

    def call(self, service, operation, check=True, **parameters):
        """`check=False` leaves the validation of parameters to the server."""
        client = self.client(service) if check else self.client(service, parameter_validation=False)
        try:
            answer = getattr(client, xform_name(operation))(**parameters)
        except botocore.exceptions.ClientError as error:
            told = error.response["Error"]
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            assert error.response["ResponseMetadata"].get("RequestId"), "errors have a request id"
            raise Refused(told["Code"], told["Message"], status) from error
        assert answer["ResponseMetadata"]["RequestId"], "answers have a request id"
        self.recorder.did(self.name, service, operation, answer)
        return answer


class Cli:
    """The AWS command line, as one identity."""

    name = "CLI"

    def __init__(self, endpoint, recorder, key):
        self.endpoint, self.recorder, self.key = endpoint, recorder, key

    def as_identity(self, key):
        return Cli(self.endpoint, self.recorder, key)

    def call(self, service, operation, check=True, **parameters):
        if not check:
            raise NotImplementedError("the command line always checks parameters")
        arguments = [service, xform_name(operation, "-"), "--no-paginate", "--output", "json"]
        if operation == "CreateVirtualMFADevice":
            # It takes no JSON, writes the seed to a file, and tells it in no other way.
            named = {"virtual-mfa-device-name": parameters["VirtualMFADeviceName"]}
            named |= {"path": parameters["Path"]} if "Path" in parameters else {}
            named |= {"tags": json.dumps(parameters["Tags"])} if "Tags" in parameters else {}
            arguments += [word for name, value in named.items() for word in (f"--{name}", value)]
        elif parameters:
            arguments += ["--cli-input-json", json.dumps(parameters, default=str)]
        with tempfile.TemporaryDirectory() as folder:
            seed = pathlib.Path(folder, "seed")
            if operation == "CreateVirtualMFADevice":
                arguments += ["--outfile", str(seed), "--bootstrap-method", "Base32StringSeed"]
            code, told, complaint = aws(arguments, self.endpoint, self.key)
            if code != 0:
                raise refusal(complaint)
            answer = json.loads(told) if told.strip() else {}
            if seed.exists():
                answer["VirtualMFADevice"]["Base32StringSeed"] = seed.read_bytes()
        self.recorder.did(self.name, service, operation, answer)
        return answer


DRIVERS = {}


def aws(arguments, endpoint, key):
    """Runs `aws ARGUMENTS`: its exit code, output and complaint."""
    environment = {
        "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
        "AWS_SESSION_TOKEN": key.get("SessionToken"),
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_MAX_ATTEMPTS": "1",
    }
    out, err = io.StringIO(), io.StringIO()
    # Making one takes longer than most calls. It holds on to the environment that it was made in.
    identity = tuple(environment.values())
    driver = DRIVERS.get(identity) or DRIVERS.setdefault(identity, create_clidriver())
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), variables(environment):
        try:
            code = driver.main(arguments)
        except SystemExit as end:  # arguments that are none
            code = end.code
    return code, out.getvalue(), err.getvalue()


@contextlib.contextmanager
def variables(environment):
    """Sets variables of the environment for a while; None takes one away."""
    before = {name: os.environ.get(name) for name in environment}

    def put(values):
        for name, value in values.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

    put(environment)
    try:
        yield
    finally:
        put(before)


def refusal(complaint):
    """`An error occurred (CODE) when calling the OPERATION operation (max retries): MESSAGE`"""
    found = re.search(r"\((\w[\w.]*)\) when calling the \w+ operation(?: \([^)]*\))?: (.*)", complaint, re.S)
    return Refused(*found.groups()) if found else Refused("", complaint.strip())


def refused(code, call, *parts, status=None):
    """`call` is refused with `code`, and its message holds every part."""
    try:
        answer = call()
    except Refused as error:
        assert error.code == code, f"expected {code}, got {error}"
        for part in parts:
            assert part in error.message, f"`{part}` is not in `{error.message}`"
        if status is not None and error.status is not None:
            assert error.status == status, f"{error}: status {error.status}, not {status}"
        return error
    raise AssertionError(f"expected {code}, got {answer}")
