"""Signs random requests with the signers of the installed botocore and prints each as it would be sent, one
JSON object a line. Arguments: the number of requests and a seed."""

import hashlib
import json
import random
import sys
from urllib.parse import quote, urlsplit

from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

count, seed = int(sys.argv[1]), int(sys.argv[2])
chance = random.Random(seed)
LETTERS = "abzAZ09-._~ /+=&%:,;!*'()@$é\u1234"


def text(longest):
    return "".join(chance.choice(LETTERS) for _ in range(chance.randrange(longest)))


def signed(number):
    kind = (SigV4Auth, SigV4QueryAuth, S3SigV4Auth, S3SigV4QueryAuth)[number % 4]
    of_s3 = kind in (S3SigV4Auth, S3SigV4QueryAuth)
    service = "s3" if of_s3 else "execute-api"
    token = chance.choice([None, "IQoJb3JpZ2luX2VjEXAMPLE/token+with=signs"])
    credentials = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", token)
    key = text(20).replace("//", "/") if not of_s3 else text(20)
    query = "&".join(f"k{at}={quote(text(8), safe='')}" for at in range(chance.randrange(3)))
    url = f"https://bucket.example.com:8443/{quote(key, safe='/~')}" + (f"?{query}" if query else "")
    presigned = kind in (SigV4QueryAuth, S3SigV4QueryAuth)
    method = "GET" if presigned else chance.choice(["GET", "PUT", "POST"])
    body = b"" if method == "GET" else text(50).encode()
    headers = {"X-Amz-Meta-Note": "  a  b " + "c" * chance.randrange(5), "User-Agent": "any"}
    request = AWSRequest(method=method, url=url, data=body, headers=headers)
    signer = kind(credentials, service, "us-east-1", **({"expires": 600} if presigned else {}))
    signer.add_auth(request)
    sent = request.prepare()
    parts = urlsplit(sent.url)
    decode = lambda value: value.decode() if isinstance(value, bytes) else value
    sent_headers = [[name, decode(value)] for name, value in sent.headers.items()]
    if not any(name.lower() == "host" for name, _ in sent_headers):
        sent_headers.append(["Host", parts.netloc])
    payload = hashlib.sha256(body).hexdigest()
    return {
        "signer": kind.__name__,
        "service": service,
        "method": method,
        "path": parts.path or "/",
        "query": parts.query,
        "headers": sent_headers,
        "payload": "UNSIGNED-PAYLOAD" if kind is S3SigV4QueryAuth else payload,
        "token": token,
    }


for number in range(count):
    print(json.dumps(signed(number)))
