"""Locum from Python: signed gRPC calls with messages learned by reflection, so that nothing is generated.

    client = Client("127.0.0.1:7400", "us-east-1", key_id, secret)
    client.call("locum.v1.StsService", "GetCallerIdentity")

The canonical form of a signed call is SigV4 of service `locum` over an HTTP request with method POST, the
call's path, no query, the headers host (the authority), x-amz-content-sha256, x-amz-date and, for temporary
credentials, x-amz-security-token, and the serialized request message as its body.

Needs: pip install grpcio grpcio-reflection
"""

import datetime
import hashlib
import hmac

import grpc
from google.protobuf import json_format
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2, status_pb2  # part of googleapis-common-protos
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)


class Refused(Exception):
    """A call that was refused: `reason` is the AWS error code."""

    def __init__(self, error):
        status = status_pb2.Status()
        for key, value in error.trailing_metadata() or ():
            if key == "grpc-status-details-bin":
                status.ParseFromString(value)
        self.reason = error.code().name
        for detail in status.details:
            info = error_details_pb2.ErrorInfo()
            if detail.Unpack(info):
                self.reason = info.reason
        super().__init__(f"{self.reason}: {error.details()}")


def sign(key_id, secret, token, region, authority, path, message):
    """The metadata that signs `message` for `path`."""
    now = datetime.datetime.now(datetime.timezone.utc)
    date, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
    digest = hashlib.sha256(message).hexdigest()
    headers = {"host": authority, "x-amz-content-sha256": digest, "x-amz-date": date}
    if token:
        headers["x-amz-security-token"] = token
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    request = "\n".join(["POST", path, "", lines, names, digest])
    scope = f"{day}/{region}/locum/aws4_request"
    request_digest = hashlib.sha256(request.encode()).hexdigest()
    text = "\n".join(["AWS4-HMAC-SHA256", date, scope, request_digest])
    key = ("AWS4" + secret).encode()
    for part in (day, region, "locum", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    del headers["host"]
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={key_id}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    return list(headers.items())


class Client:
    """Calls as one identity."""

    def __init__(self, authority, region, key_id, secret, token=None):
        self.authority, self.region = authority, region
        self.credentials = (key_id, secret, token)
        # A connection of its own: grpc shares one by address, and with it the pause after one that failed.
        self.channel = grpc.insecure_channel(
            authority, options=[("grpc.use_local_subchannel_pool", 1)]
        )
        self.pool = DescriptorPool(ProtoReflectionDescriptorDatabase(self.channel))

    def call(self, service, method, request=None, timeout=10):
        """Calls `service.method` with `request`, a dict as in protobuf's JSON, and answers one."""
        found = self.pool.FindServiceByName(service).FindMethodByName(method)
        message = json_format.ParseDict(request or {}, GetMessageClass(found.input_type)())
        body, path = message.SerializeToString(), f"/{service}/{method}"
        metadata = sign(*self.credentials, self.region, self.authority, path, body)
        answer = GetMessageClass(found.output_type)
        unary = self.channel.unary_unary(path, None, answer.FromString)
        try:
            return json_format.MessageToDict(unary(body, timeout=timeout, metadata=metadata))
        except grpc.RpcError as error:
            raise Refused(error) from None
