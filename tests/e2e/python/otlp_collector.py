"""A collector of OpenTelemetry on this machine, as far as traces go: it keeps what it is sent, refuses it, or says nothing."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1 import trace_pb2

from client import until

SERVICE = "opentelemetry.proto.collector.trace.v1.TraceService"
# Seconds after which even a collector that says nothing ends a call, should nobody end it before.
SILENT_S_MAX = 120


class Span(NamedTuple):
    """A span that came, with ids as hexadecimal digits."""

    name: str
    kind: str
    trace: str
    id: str
    parent: str
    attributes: dict
    is_error: bool
    # Nanoseconds of the server's clock.
    start: int
    end: int


class Collector:
    """Listens on a port of 127.0.0.1; leave its `with` block to end it."""

    def __init__(self, port=0, credentials=None):
        """`credentials` of gRPC for TLS; plain without."""
        self.port, self.credentials = port, credentials
        # What came: whole requests, their spans, and the headers of each.
        self.requests, self.spans, self.headers = [], [], []
        # The code that every export is refused with, if any, and what was refused.
        self.refuses, self.refused = None, []
        # How many spans of each export are said to be rejected.
        self.rejects = 0
        self.speaks = threading.Event()
        self.speaks.set()
        export = grpc.unary_unary_rpc_method_handler(
            self._export,
            request_deserializer=ExportTraceServiceRequest.FromString,
            response_serializer=ExportTraceServiceResponse.SerializeToString,
        )
        self.server = grpc.server(ThreadPoolExecutor(max_workers=4))
        self.server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, {"Export": export})])

    def __enter__(self):
        address = f"127.0.0.1:{self.port}"
        if self.credentials:
            self.port = self.server.add_secure_port(address, self.credentials)
        else:
            self.port = self.server.add_insecure_port(address)
        assert self.port, f"nobody can listen on {address}"
        self.server.start()
        return self

    def __exit__(self, *_):
        self.speaks.set()
        self.server.stop(None).wait()

    def config(self, *lines, scheme="http"):
        """The table of traces for this collector, all calls traced unless `lines` say otherwise."""
        ratio = [] if any(line.startswith("sample_ratio") for line in lines) else ["sample_ratio = 1.0"]
        return "\n".join(["[traces]", f'endpoint = "{scheme}://127.0.0.1:{self.port}"', *ratio, *lines, ""])

    def named(self, name):
        """The spans of a name."""
        return [span for span in self.spans if span.name == name]

    def one(self, name):
        """The span of a name, when it has come."""
        until(f"no span {name} came", lambda: self.named(name))
        (span,) = self.named(name)
        return span

    def within(self, parent):
        """The spans right below another one."""
        return [span for span in self.spans if (span.trace, span.parent) == (parent.trace, parent.id)]

    @property
    def raw(self):
        """All that came, as a text in which texts can be found."""
        return b"".join(request.SerializeToString() for request in self.requests).decode(errors="replace")

    def _export(self, request, context):
        self.speaks.wait(SILENT_S_MAX)
        if self.refuses:
            self.refused.append(request)
            context.abort(self.refuses, "not now")
        self.headers.append({name: value for name, value in context.invocation_metadata()})
        self.requests.append(request)
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                self.spans.extend(map(_read, scope.spans))
        if not self.rejects:
            return ExportTraceServiceResponse()
        return ExportTraceServiceResponse(partial_success={"rejected_spans": self.rejects, "error_message": "not all"})


def _read(span):
    attributes = {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in span.attributes}
    assert len(attributes) == len(span.attributes), f"an attribute stands twice: {span}"
    return Span(
        name=span.name,
        kind=trace_pb2.Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        attributes=attributes,
        is_error=span.status.code == trace_pb2.Status.STATUS_CODE_ERROR,
        start=span.start_time_unix_nano,
        end=span.end_time_unix_nano,
    )
