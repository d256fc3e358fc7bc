"""Plays both stories of "IAM roles for Amazon EC2" against a Locum server on a fresh folder.

Clients: the `locum` command, a Python gRPC client that learns the API by reflection, and boto3 as it is.
Prints each step and what came back; ends with 0 only if every expectation held.

    demo.py PATH_OF_LOCUM PATH_OF_PHOTOS
"""

import json
import os
import pathlib
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "examples" / "python"))

import boto3  # noqa: E402
from botocore.config import Config  # noqa: E402
from botocore.exceptions import ClientError  # noqa: E402
from locum_client import Client, Refused  # noqa: E402

LOCUM, PHOTOS = sys.argv[1:3]
A, B, REGION = "111111111111", "222222222222", "us-east-1"
IAM, STS, INSTANCES = "locum.v1.IamService", "locum.v1.StsService", "locum.v1.InstanceService"
LIFETIME, INTERVAL = 24, 8
processes, ports = [], set()


def step(text):
    print(f"\n== {text}", flush=True)


def show(text):
    print(f"   {text}", flush=True)


def expect(holds, text):
    if not holds:
        raise SystemExit(f"EXPECTED: {text}")
    show(f"ok: {text}")


def refused(call, *parts):
    """The call is refused and its message holds every part."""
    try:
        answer = call()
    except (Refused, ClientError) as error:
        show(f"refused: {error}")
        missing = [part for part in parts if part not in str(error)]
        expect(not missing, f"the refusal names {', '.join(parts)}")
        return
    raise SystemExit(f"EXPECTED a refusal, got {answer}")


def free_port():
    """A port below those that the system gives to connections, one of which could have it while a server restarts."""
    end = int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    for port in random.sample(range(1024, max(end, 2048)), 1000):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in ports:
            ports.add(port)
            return port
    raise SystemExit("no port is free")


def policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(actions, resources):
    return {"Effect": "Allow", "Action": actions, "Resource": resources}


def trust(principal):
    return policy({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"})


EC2 = trust({"Service": "ec2.amazonaws.com"})


def start(arguments, ready, **environment):
    """Starts a program and waits until `ready()` gives something."""
    log = open(folder / f"{len(processes)}-{pathlib.Path(arguments[0]).name}.log", "wb")
    process = subprocess.Popen(
        arguments, stdout=log, stderr=log, env={**os.environ, **environment}
    )
    processes.append(process)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise SystemExit(f"{arguments[0]} ended: {open(log.name).read()}")
        try:
            if (value := ready()) is not None:
                return process, value
        except OSError:
            pass
        time.sleep(0.05)
    raise SystemExit(f"{arguments} is not ready after 30 s")


def http(url, method="GET", **headers):
    request = urllib.request.Request(url, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, ""


class Server:
    """`locum dev` on one folder and the same ports, however often it is started."""

    def __init__(self):
        self.ports = [free_port() for _ in range(4)]
        self.start()

    def start(self):
        (folder / "data" / "dev.json").unlink(missing_ok=True)
        flags = ["--grpc", "--aws", "--metadata", "--health"]
        addresses = [x for f, p in zip(flags, self.ports) for x in (f, f"127.0.0.1:{p}")]
        times = ["--credentials-lifetime", f"{LIFETIME}s", "--rotation-interval", f"{INTERVAL}s"]

        def ready():
            if http(f"http://127.0.0.1:{self.ports[3]}/readyz")[0] != 200:
                return None
            return json.loads((folder / "data" / "dev.json").read_text())

        arguments = [LOCUM, "dev", "--data-dir", str(folder / "data"), *addresses, *times]
        self.process, self.dev = start(arguments, ready)

    def client(self, key, secret, token=None):
        return Client(f"127.0.0.1:{self.ports[0]}", REGION, key, secret, token)

    def environment(self, key):
        return {
            "LOCUM_ENDPOINT": f"http://127.0.0.1:{self.ports[0]}",
            "AWS_ACCESS_KEY_ID": key["accessKeyId"],
            "AWS_SECRET_ACCESS_KEY": key["secretAccessKey"],
        }


def role(client, name, trusted, *statements):
    client.call(IAM, "CreateRole", {"roleName": name, "trustPolicy": trusted})
    if statements:
        put(client, {"roleName": name}, "permissions", *statements)


def profile(client, name):
    client.call(IAM, "CreateInstanceProfile", {"instanceProfileName": name})
    pair = {"instanceProfileName": name, "roleName": name}
    client.call(IAM, "AddRoleToInstanceProfile", pair)


def put(client, owner, name, *statements):
    request = {"owner": owner, "policyName": name, "policy": policy(*statements)}
    client.call(IAM, "PutInlinePolicy", request)


def launch(client, name=None):
    return client.call(
        INSTANCES, "LaunchInstance", {"instanceProfile": {"name": name}} if name else {}
    )


def agent(launched):
    """Serves an instance's metadata at an address of its own."""
    url = f"http://127.0.0.1:{free_port()}"

    def ready():
        # 503 until the agent has heard of its instances.
        return url if http(f"{url}/latest/", "GET")[0] != 503 else None

    arguments = [LOCUM, "agent", "--listen", url.removeprefix("http://")]
    return start(arguments, ready, **server.environment(launched["identityKey"]))[1]


def metadata(url, path):
    _, token = http(
        f"{url}/latest/api/token", "PUT", **{"x-aws-ec2-metadata-token-ttl-seconds": "60"}
    )
    return http(f"{url}/latest/meta-data/{path}", **{"x-aws-ec2-metadata-token": token})


def documents(url):
    """The credentials' document of the one role that metadata names."""
    status, name = metadata(url, "iam/security-credentials/")
    if status != 200:
        return None
    return json.loads(metadata(url, f"iam/security-credentials/{name}")[1])


def eventually(check, seconds=10):
    """Waits for a change to arrive over the agent's stream; gives how long it took."""
    began = time.monotonic()
    while not check():
        if time.monotonic() - began > seconds:
            raise SystemExit("EXPECTED a change that did not come")
        time.sleep(0.01)
    return time.monotonic() - began


def sdk(url):
    """boto3 on an instance: it knows nothing but where metadata is."""
    for name in list(os.environ):
        if name.startswith("AWS_"):
            del os.environ[name]
    os.environ["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = url
    os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.environ["AWS_CONFIG_FILE"] = "/dev/null"
    return boto3.Session(region_name=REGION)


def s3(session, url, **credentials):
    style = Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1})
    return session.client("s3", endpoint_url=url, config=style, **credentials)


def bucket(name, key, *flags):
    url = f"http://127.0.0.1:{free_port()}"

    def ready():
        return url if http(f"{url}/")[0] else None

    arguments = [PHOTOS, "--listen", url.removeprefix("http://"), "--bucket", name, *flags]
    return start(arguments, ready, **server.environment(key))[1]


def read(store, name):
    return store.get_object(Bucket=name, Key="cat.jpg")["Body"].read()


def write(store, name):
    return store.put_object(Bucket=name, Key="dog.jpg", Body=b"a dog")


def get_pics(admin, store_url):
    step("Get-pics: the administrator creates role and profile")
    role(admin, "Get-pics", EC2, allow("s3:GetObject", "arn:aws:s3:::photos/*"))
    profile(admin, "Get-pics")
    role(admin, "Other", EC2, allow("s3:*", "*"))
    profile(admin, "Other")
    arn = admin.call(IAM, "GetRole", {"roleName": "Get-pics"})["role"]["arn"]
    show(arn)

    step("The developer may launch, but not pass the role")
    admin.call(IAM, "CreateUser", {"userName": "developer"})
    put(admin, {"userName": "developer"}, "launch", allow("ec2:RunInstances", "*"))
    key = admin.call(IAM, "CreateAccessKey", {"userName": "developer"})["accessKey"]
    developer = server.client(key["accessKeyId"], key["secretAccessKey"])
    refused(lambda: launch(developer, "Get-pics"), "AccessDenied", "iam:PassRole", arn)

    step("With PassRole for exactly Get-pics")
    put(admin, {"userName": "developer"}, "pass", allow("iam:PassRole", arn))
    launched = launch(developer, "Get-pics")
    show(f"launched {launched['instance']['instanceId']}")
    refused(lambda: launch(developer, "Other"), "iam:PassRole", "role/Other")

    step("The application: boto3 finds credentials by itself, reads a photo, may not write one")
    url = agent(launched)
    expect(metadata(url, "iam/security-credentials/") == (200, "Get-pics"), "metadata names Get-pics")
    session = sdk(url)
    credentials = session.get_credentials()
    show(f"{credentials.method} {credentials.access_key}")
    store = s3(session, store_url)
    expect(read(store, "photos") == b"a cat", "the photo is read")
    refused(lambda: write(store, "photos"), "AccessDenied", "s3:PutObject")
    return launched, url, store


def all_follow(admin, first, store_url):
    step("Change one role, all instances follow")
    second = s3(sdk(agent(launch(admin, "Get-pics"))), store_url)
    expect(read(second, "photos") == b"a cat", "a second instance reads")
    actions = ["s3:GetObject", "s3:PutObject"]
    put(admin, {"roleName": "Get-pics"}, "permissions", allow(actions, "arn:aws:s3:::photos/*"))
    write(first, "photos")
    write(second, "photos")
    show("ok: one change of the role, and both may write")
    put(admin, {"roleName": "Get-pics"}, "permissions", allow("s3:GetObject", "arn:aws:s3:::photos/*"))
    for store in (first, second):
        refused(lambda store=store: write(store, "photos"), "AccessDenied")


def running_instance(admin):
    step("Running instance: associate, replace, disassociate")
    launched = launch(admin)
    instance, url = launched["instance"]["instanceId"], agent(launched)
    expect(metadata(url, "iam/")[0] == 404, "without a profile there is no iam/ in metadata")
    role(admin, "Fresh", EC2)
    profile(admin, "Fresh")
    request = {"instanceId": instance, "instanceProfile": {"name": "Fresh"}}
    association = admin.call(INSTANCES, "AssociateInstanceProfile", request)["association"]
    took = eventually(lambda: metadata(url, "iam/security-credentials/") == (200, "Fresh"))
    show(f"ok: a role made a moment ago is there after {took * 1000:.0f} ms")
    again = {"instanceId": instance, "instanceProfile": {"name": "Other"}}
    refused(lambda: admin.call(INSTANCES, "AssociateInstanceProfile", again), "IncorrectState")
    second = {"instanceProfileName": "Fresh", "roleName": "Other"}
    refused(lambda: admin.call(IAM, "AddRoleToInstanceProfile", second), "LimitExceeded")
    request = {"associationId": association["associationId"], "instanceProfile": {"name": "Other"}}
    replaced = admin.call(INSTANCES, "ReplaceInstanceProfileAssociation", request)["association"]
    took = eventually(lambda: metadata(url, "iam/security-credentials/") == (200, "Other"))
    status = metadata(url, "iam/security-credentials/Fresh")[0]
    expect(status == 404, f"replaced after {took * 1000:.0f} ms, and never the other role's set")
    expect(int(replaced["generation"]) > int(association["generation"]), "the generation counts up")
    request = {"associationId": replaced["associationId"]}
    admin.call(INSTANCES, "DisassociateInstanceProfile", request)
    took = eventually(lambda: metadata(url, "iam/")[0] == 404)
    show(f"ok: disassociated after {took * 1000:.0f} ms")


def rotation(url, store_url):
    step(f"Rotation: credentials live {LIFETIME} s and are renewed before {INTERVAL} s")
    session = sdk(url)
    store = s3(session, store_url)
    old = documents(url)
    until = time.monotonic() + 2 * INTERVAL
    seen = {old["AccessKeyId"]}
    while time.monotonic() < until:
        new = documents(url)
        left = time.mktime(time.strptime(new["Expiration"], "%Y-%m-%dT%H:%M:%SZ")) - time.timezone
        expect_quietly(left > time.time() + LIFETIME / 2, f"{left - time.time():.0f} s are left")
        expect_quietly(read(store, "photos") == b"a cat", "the SDK reads")
        seen.add(new["AccessKeyId"])
        time.sleep(0.2)
    expect(len(seen) >= 2, f"{len(seen)} sets within {2 * INTERVAL} s, none near its end")
    new = documents(url)
    newer = {**new}
    eventually(lambda: newer.update(documents(url)) or newer["AccessKeyId"] != new["AccessKeyId"], 15)
    for name, document in (("old", new), ("new", newer)):
        client = server.client(
            document["AccessKeyId"], document["SecretAccessKey"], document["Token"]
        )
        arn = client.call(STS, "GetCallerIdentity")["arn"]
        expect("assumed-role/Get-pics/" in arn, f"the {name} set works: {arn}")


def expect_quietly(holds, text):
    if not holds:
        raise SystemExit(f"EXPECTED: {text}")


def cross_account(admin, other, other_url):
    step("Cross-account: abcd of 111111111111 switches to efgh of 222222222222")
    efgh = f"arn:aws:iam::{B}:role/efgh"
    role(admin, "abcd", EC2, allow(["s3:Get*", "s3:List*"], "arn:aws:s3:::my-bucket-1/*"))
    profile(admin, "abcd")
    url = agent(launch(admin, "abcd"))
    document = documents(url)
    keys = (document["AccessKeyId"], document["SecretAccessKey"], document["Token"])
    application = server.client(*keys)
    request = {"roleArn": efgh, "roleSessionName": "from-abcd"}

    def assume(**more):
        return application.call(STS, "AssumeRole", {**request, **more})

    role(other, "efgh", EC2, allow(["s3:Get*", "s3:List*"], "arn:aws:s3:::my-bucket-2/*"))
    put(admin, {"roleName": "abcd"}, "switch", allow("sts:AssumeRole", efgh))
    refused(assume, "AccessDenied", "no resource-based policy allows the sts:AssumeRole action")
    trusted = trust({"AWS": f"arn:aws:iam::{A}:role/abcd"})
    other.call(IAM, "UpdateTrustPolicy", {"roleName": "efgh", "trustPolicy": trusted})
    gone = {"owner": {"roleName": "abcd"}, "policyName": "switch"}
    admin.call(IAM, "DeleteInlinePolicy", gone)
    refused(assume, "AccessDenied", "no identity-based policy allows the sts:AssumeRole action")
    put(admin, {"roleName": "abcd"}, "switch", allow("sts:AssumeRole", efgh))
    other.call(IAM, "UpdateRole", {"roleName": "efgh", "maxSession": "7200s"})
    refused(lambda: assume(duration="7200s"), "1 hour session limit")
    answer = assume()
    show(answer["arn"])
    chained = answer["credentials"]
    store = s3(
        sdk(url),
        other_url,
        aws_access_key_id=chained["accessKeyId"],
        aws_secret_access_key=chained["secretAccessKey"],
        aws_session_token=chained["sessionToken"],
    )
    expect(read(store, "my-bucket-2") == b"a cat", "the chained session reads my-bucket-2")
    refused(lambda: write(store, "my-bucket-2"), "AccessDenied", "s3:PutObject")
    return application, request, store


def crash(admin, application, request, store):
    step("Crash: kill -9 in a burst of AssumeRole")
    told, lock, stop = {}, threading.Lock(), threading.Event()

    def burst():
        while not stop.is_set():
            try:
                answer = application.call(STS, "AssumeRole", request, timeout=2)
            except Refused:
                return
            with lock:
                told[answer["credentials"]["accessKeyId"]] = int(answer["sequence"])

    threads = [threading.Thread(target=burst) for _ in range(8)]
    before = snapshot(admin)
    for thread in threads:
        thread.start()
    eventually(lambda: len(told) > 200, 60)
    server.process.send_signal(signal.SIGKILL)
    server.process.wait()
    stop.set()
    for thread in threads:
        thread.join()
    show(f"killed after {len(told)} acknowledged issues")
    verified = subprocess.run(
        [LOCUM, "log", "verify", folder / "data"], capture_output=True, text=True
    )
    expect(verified.returncode == 0, verified.stdout.replace("\n", " "))
    server.start()
    key = json.loads((folder / "data" / "b.json").read_text())
    found, next_sequence = {}, 1
    reader = server.client(key["accessKeyId"], key["secretAccessKey"])
    while True:
        page = {"fromSequence": next_sequence, "limit": 1000, "kinds": ["SessionIssued"]}
        answer = reader.call("locum.v1.EventService", "ReadEvents", page)
        for event in answer.get("events", ()):
            found[json.loads(event["detail"])["accessKeyId"]] = int(event["sequence"])
        if int(answer["nextSequence"]) == next_sequence:
            break
        next_sequence = int(answer["nextSequence"])
    lost = {key for key, sequence in told.items() if found.get(key) != sequence}
    expect(not lost, f"all {len(told)} are in the log at the told places, {len(found)} in all")
    dev = server.dev
    admin = server.client(dev["accessKeyId"], dev["secretAccessKey"])
    expect(snapshot(admin) == before, "the state is as it was")
    expect(read(store, "my-bucket-2") == b"a cat", "credentials given before still work")


def snapshot(admin):
    """Everything that an administrator sees, but for what time changes."""
    seen = {}
    for name, method in [
        (IAM, "ListUsers"),
        (IAM, "ListRoles"),
        (IAM, "ListPolicies"),
        (IAM, "ListInstanceProfiles"),
        (INSTANCES, "DescribeInstances"),
    ]:
        answer = admin.call(name, method)
        answer.pop("sequence", None)
        seen[method] = answer
    return seen


def main():
    dev = server.dev
    admin = server.client(dev["accessKeyId"], dev["secretAccessKey"])
    operator = json.loads((folder / "data" / "operator.json").read_text())
    made = server.client(operator["accessKeyId"], operator["secretAccessKey"]).call(
        "locum.v1.AccountService", "CreateAccount", {"accountId": B, "name": "other"}
    )["rootKey"]
    (folder / "data" / "b.json").write_text(json.dumps(made))
    other = server.client(made["accessKeyId"], made["secretAccessKey"])
    photos = bucket("photos", dev)
    # This one judges by itself, with grants.
    bucket_2 = bucket("my-bucket-2", made, "--local")
    _, url, store = get_pics(admin, photos)
    all_follow(admin, store, photos)
    running_instance(admin)
    rotation(url, photos)
    crash(admin, *cross_account(admin, other, bucket_2))
    step("Every expectation held.")


with tempfile.TemporaryDirectory(prefix="locum-demo-") as name:
    folder = pathlib.Path(name)
    (folder / "data").mkdir()
    try:
        step("An embedded server on a fresh folder")
        server = Server()
        show(f"gRPC on port {server.ports[0]}, metadata {server.ports[2]}, health {server.ports[3]}")
        main()
    finally:
        for process in processes:
            process.kill()
            process.wait()
