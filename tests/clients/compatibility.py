"""Which operations work, from what the clients did; kept in `docs/compatibility.md`."""

import pathlib

import boto3
import models
from protocol import ask

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "compatibility.md"

SERVICES = {"sts": "2011-06-15", "iam": "2010-05-08", "ec2": "2016-11-15"}

# What an operation that works lacks of what AWS's does.
LIMITS = {
    ("sts", "AssumeRoleWithWebIdentity"): "ProviderId, for access tokens of OAuth 2.0; tokens signed with ES512",
    ("sts", "GetAccessKeyInfo"): "keys of other accounts, but for the operator",
    ("ec2", "RunInstances"): "disks, networks, keys and user data, which have no effect; "
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
found, or when a parameter or a field of an answer in the service models of boto3 {version} is neither handled nor
listed here. An operation that is not listed as working is answered with `InvalidAction`.

*works*: as far as the tests and the API's reference tell. *partly*: works but for what is named. *refused* are
parameters: a request that has one is answered with `ValidationError` (EC2: `UnknownParameter`) that names it.
"""


def settle(boto, told, write):
    """What is not as it should be; writes the page if asked to. `told` is what `locum operations` tells."""
    wrong, sections = [], [HEAD.format(version=boto3.__version__)]
    for service, version in SERVICES.items():
        known = models.model(service).operation_names
        answered = [name for name in known if is_answered(boto, service, version, name)]
        for name in answered:
            done = boto.recorder.done.get((service, name), set())
            wrong += [f"{service} {name} was not tried by {c}" for c in sorted({"boto3", "CLI"} - done)]
        wrong += models.compare_parameters(told, service, answered)
        wrong += models.compare_fields(boto.recorder, service, answered)
        sections.append(section(told, service, version, sorted(answered), sorted(set(known) - set(answered))))
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


def section(told, service, version, answered, lacking):
    lines = [f"## {service.upper()}, version {version}", "", "| operation | | lacks |", "|---|---|---|"]
    for name in answered:
        refused = [p for p, entry in models.unread(told, name) if entry["treatment"] == "refused"]
        lacks = [LIMITS[service, name]] if (service, name) in LIMITS else []
        lacks += ["refused: " + ", ".join(f"`{parameter}`" for parameter in refused)] if refused else []
        lines.append(f"| {name} | {'partly' if lacks else 'works'} | {'; '.join(lacks)} |")
    rest = f"the {len(lacking)} other operations" if service == "ec2" else ", ".join(lacking) or "none"
    lines += ["", f"Not: {rest}.", ""]
    lines += listed("Why parameters are refused:", unread(told, answered, "refused"))
    lines += listed("Parameters without effect:", unread(told, answered, "withoutEffect"))
    lines += listed("Fields that no answer has:", models.NEVER.get(service, {}))
    return "\n".join(lines)


def unread(told, answered, treatment):
    """The parameters of a service's operations that are treated so, by their reasons."""
    found = {}
    for entry in told["unread"]:
        if entry["treatment"] == treatment and set(entry["operations"]) & set(answered):
            found.setdefault(entry["reason"], []).extend(entry["parameters"])
    return found


def listed(title, reasons):
    """A line for each reason with what it is the reason of."""
    lines = []
    for reason, names in reasons.items():
        names = ", ".join(f"`{name}`" for name in dict.fromkeys(names))
        lines.append(f"- {reason}: {names}")
    return [title, "", *lines, ""] if lines else []
