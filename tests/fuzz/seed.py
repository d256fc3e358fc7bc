"""Writes the first inputs of a fuzz target, one a file: seed.py TARGET FOLDER.

They come from the cases in tests/policy. A target that this does not know starts from nothing.
"""

import hashlib
import json
import pathlib
import random
import sys

CASES = pathlib.Path(__file__).parent.parent / "policy"


def cases():
    for file in sorted(CASES.glob("*.json")):
        yield from json.loads(file.read_text())


def documents(case):
    """Every policy of a case."""
    lists = ["identityPolicies", "permissionBoundaries", "sessionPolicies", "endpointPolicies"]
    levels = case.get("serviceControlPolicies", []) + case.get("resourceControlPolicies", [])
    items = [item for name in lists for item in case.get(name, [])]
    items += [item for level in levels for item in level.get("policies", [])]
    items += [case["resourcePolicy"]] if case.get("resourcePolicy") else []
    return [item.get("policy", item) if isinstance(item, dict) else item for item in items]


def texts(value):
    """Every string in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from texts(item)


def policy_parse():
    for case in cases():
        yield from (json.dumps(document, indent=1) for document in documents(case))
        yield json.dumps(case)


def policy_wildcard():
    for case in cases():
        asked = [case["resource"], case["action"], *texts(case.get("context", {}))]
        patterns = {text for text in texts(documents(case)) if "*" in text or "?" in text}
        yield from (f"{pattern}\n{text}" for pattern in sorted(patterns) for text in asked)


def policy_evaluate():
    source = random.Random(1)
    yield from (source.randbytes(length) for length in range(40, 400, 3))


def token_open():
    source = random.Random(2)
    # Version, account, length and access key id, nonce, claims and tag.
    header = b"\1" + (123456789012).to_bytes(8, "big") + b"\x14ASIAIOSFODNN7EXAMPLE"
    yield from (header + source.randbytes(length) for length in range(12, 400, 7))


def sigv4_parse():
    scope = "AKIDEXAMPLE/20150830/us-east-1/service/aws4_request"
    for line in (CASES.parent / "sigv4" / "suite.jsonl").read_text().splitlines():
        case = json.loads(line)
        headers = [f"{name}:{value}" for name, value in case["headers"] if "\n" not in value]
        start = [case["method"], case["path"]]
        names, signature = case["signedHeaders"], case["signature"]
        signed = f"Credential={scope}, SignedHeaders={names}, Signature={signature}"
        signed = [f"Authorization:AWS4-HMAC-SHA256 {signed}", "X-Amz-Date:20150830T123600Z"]
        yield "\n".join([*start, case["query"], case["body"], *headers, *signed])
        if "presigned" in case:
            yield "\n".join([*start, case["presigned"], case["body"], *headers])
    yield "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:AA==\r\n\r\n"
    mark = "chunk-signature=" + "0" * 64
    yield f"5;{mark}\r\nhello\r\n0;{mark}\r\n\r\n"
    yield f"5;{mark}\r\nhello\r\n0;{mark}\r\na:b\r\nx-amz-trailer-signature:{'0' * 64}\r\n\r\n"


def oidc_token():
    vectors = json.loads((CASES.parent.parent / "src/oidc/vectors.json").read_text())
    yield json.dumps(vectors["jwks"])
    for key in vectors["jwks"]["keys"]:
        yield json.dumps({"keys": [key]})
    claims = {"iss": "https://id.example.com", "sub": "user-1", "aud": "app", "iat": 1780000000, "exp": 1780000600}
    tags = {"principal_tags": {"team": ["blue"]}, "transitive_tag_keys": ["team"]}
    aws = "https://aws.amazon.com"
    flat = {f"{aws}/tags/principal_tags/team": "blue", f"{aws}/tags/transitive_tag_keys": ["team"]}
    roles = ["arn:aws:iam::111111111111:role/a"]
    further = [{}, {"aud": ["app", "x"], "azp": "app"}, {"nbf": 1e9, "amr": ["mfa"]}, {f"{aws}/tags": tags}, flat]
    further += [{f"{aws}/roles": roles}, {f"{aws}/roles": ";".join(roles * 2)}]
    for name, token in vectors["tokens"].items():
        yield token
        for more in further:
            header = {"alg": name, "kid": name, "typ": "JWT"}
            yield f"{json.dumps(header)}\n{json.dumps(claims | more)}\n{'s' * 64}"


def main():
    target, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    for seed in globals().get(target, list)():
        seed = seed if isinstance(seed, bytes) else seed.encode()
        (folder / f"seed-{hashlib.sha256(seed).hexdigest()[:16]}").write_bytes(seed)


if __name__ == "__main__":
    main()
