"""Which operations work, from what the clients did; kept in `docs/compatibility.md`."""

import pathlib

import botocore.session
from protocol import ask

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "compatibility.md"

SERVICES = {"sts": "2011-06-15", "iam": "2010-05-08", "ec2": "2016-11-15"}

# What an operation that works lacks of what AWS's does.
LIMITS = {
    ("sts", "AssumeRole"): "ProvidedContexts",
    ("sts", "AssumeRoleWithWebIdentity"): "ProviderId, for access tokens of OAuth 2.0",
    ("sts", "GetAccessKeyInfo"): "keys of other accounts, but for the operator",
    ("ec2", "RunInstances"): "disks, networks, keys and user data, which have no effect; launch templates; "
    "each instance is a reservation of its own",
    ("ec2", "DescribeInstances"): "filters on what is not known here; instances that ended stay listed",
    ("ec2", "ModifyInstanceMetadataOptions"): "HttpProtocolIpv6",
    ("iam", "GetUser"): "no PasswordLastUsed",
    ("iam", "ListPolicies"): "of AWS's policies a small set",
}

HEAD = """\
# Compatibility

Written by `make compatibility` from the tests in `tests/clients/`, which call every operation by boto3 and by
the AWS command line, unmodified but for an endpoint URL; `make test` fails when this page is not what they
found. An operation that is not listed as working is answered with `InvalidAction`.

*works*: as far as the tests and the API's reference tell. *partly*: works but for what is named.
"""


def settle(boto, write):
    """What is not as it should be; writes the page if asked to."""
    wrong, sections = [], [HEAD]
    for service, version in SERVICES.items():
        model = botocore.session.get_session().get_service_model(service)
        answered = [name for name in model.operation_names if is_answered(boto, service, version, name)]
        for name in answered:
            done = boto.recorder.done.get((service, name), set())
            wrong += [f"{service} {name} was not tried by {c}" for c in sorted({"boto3", "CLI"} - done)]
        lacking = sorted(set(model.operation_names) - set(answered))
        sections.append(section(service, version, answered, lacking))
    wrong += [f"{s} {name} has limits and is not answered" for s, name in unknown_limits(boto)]
    page = "\n".join(sections)
    if write and not wrong:
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(page)
    elif not PAGE.exists() or PAGE.read_text() != page:
        wrong.append(f"{PAGE.name} is not what the tests found: run `make compatibility`")
    return wrong


def is_answered(boto, service, version, operation):
    """Whether the service knows the operation at all."""
    _, _, body = ask(boto, {"Action": operation, "Version": version}, service)
    return "<Code>InvalidAction</Code>" not in body


def unknown_limits(boto):
    return [key for key in LIMITS if not boto.recorder.done.get(key)]


def section(service, version, answered, lacking):
    lines = [f"## {service.upper()}, version {version}", "", "| operation | | lacks |", "|---|---|---|"]
    for name in sorted(answered):
        limit = LIMITS.get((service, name))
        lines.append(f"| {name} | {'partly' if limit else 'works'} | {limit or ''} |")
    if service == "ec2":
        lines += ["", f"Not: the {len(lacking)} other operations.", ""]
    else:
        lines += ["", "Not: " + (", ".join(lacking) or "none") + ".", ""]
    return "\n".join(lines)
