"""JSON to protobuf and back, for the public API and for the published keys."""

from __future__ import annotations

from collections.abc import Sequence

from google.api import annotations_pb2
from google.api.http_pb2 import CustomHttpPattern
from google.protobuf import any_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorSet, ServiceDescriptorProto
from google.rpc import error_details_pb2, status_pb2

from edge.gateway.paths import shadowing_parameters
from edge.gateway.settings import GatewaySettings
from edge.gateway.typed import Json, extension, typed
from portico_contract import Method

MAX_REQUEST_BYTES = 1024 * 1024
MAX_RESPONSE_BYTES = 4 * 1024 * 1024

TRANSCODER = "envoy.filters.http.grpc_json_transcoder"
_MESSAGE = "extensions.filters.http.grpc_json_transcoder.v3.GrpcJsonTranscoder"

# What google.rpc.Status carries as Any; without these Envoy cannot print an error.
_ERROR_FILES = (any_pb2, status_pb2, error_details_pb2)


def transcoder_filter(methods: Sequence[Method], settings: GatewaySettings) -> Json:
    """Turns a REST call into the gRPC call of its method.

    Stands before everything that decides: it rewrites the path to the RPC's,
    the route is chosen again, and REST, gRPC and gRPC-Web meet one policy.
    """
    return extension(
        TRANSCODER,
        _MESSAGE,
        proto_descriptor=str(settings.transcoder_file),
        services=sorted({method.service for method in methods}),
        auto_mapping=False,
        convert_grpc_status=True,
        case_insensitive_enum_parsing=True,
        query_param_unescape_plus=True,
        ignored_query_parameters=shadowing_parameters(methods),
        max_request_body_size=MAX_REQUEST_BYTES,
        max_response_body_size=MAX_RESPONSE_BYTES,
        print_options={
            "always_print_primitive_fields": True,
            "stream_sse_style_delimited": True,
        },
        request_validation_options={
            "reject_unknown_method": True,
            "reject_unknown_query_parameters": True,
            "reject_binding_body_field_collisions": True,
        },
    )


def untranscoded(settings: GatewaySettings) -> dict[str, Json]:
    """For a route that no RPC is behind: the transcoder knows no service there."""
    return {TRANSCODER: typed(_MESSAGE, proto_descriptor=str(settings.transcoder_file))}


def transcoder_descriptors(contract: FileDescriptorSet) -> FileDescriptorSet:
    """The contract in the form that Envoy's transcoder takes.

    It knows no response_body (envelope.lua opens that field instead), answers to
    HEAD only where that is said (not where a stream would be opened for it), needs
    the messages of error details, and has no use for comments.
    """
    result = FileDescriptorSet()
    result.CopyFrom(contract)
    present = {file.name for file in contract.file}
    for module in _ERROR_FILES:
        if module.DESCRIPTOR.name not in present:
            module.DESCRIPTOR.CopyToProto(result.file.add())
    for file in result.file:
        file.ClearField("source_code_info")
        # For code generators, and not the same in every package that ships such a file.
        file.ClearField("options")
        for service in file.service:
            _adapt_bindings(service)
    return result


def _adapt_bindings(service: ServiceDescriptorProto) -> None:
    for method in service.method:
        if method.options.HasExtension(annotations_pb2.http):
            rule = method.options.Extensions[annotations_pb2.http]
            rule.ClearField("response_body")
            if rule.get and not method.server_streaming:
                rule.additional_bindings.add().custom.MergeFrom(
                    CustomHttpPattern(kind="HEAD", path=rule.get)
                )
