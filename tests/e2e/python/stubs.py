"""Makes the gRPC stubs from proto/ when a test run begins, so that no generated code is kept and none can be stale."""

import atexit
import importlib
import shutil
import sys
import tempfile
from pathlib import Path

import grpc_tools
from google.protobuf import descriptor_pb2
from grpc_tools import protoc

ROOT = Path(__file__).resolve().parents[3]
PROTO = ROOT / "proto"
PACKAGE = "waymark.v1"


def _generate():
    out = Path(tempfile.mkdtemp(prefix="waymark-stubs-"))
    atexit.register(shutil.rmtree, out, ignore_errors=True)
    # Google's own come from their package.
    files = sorted(str(path.relative_to(PROTO)) for path in (PROTO / "waymark").rglob("*.proto"))
    builtin = Path(grpc_tools.__file__).parent / "_proto"
    code = protoc.main(
        [
            "protoc",
            f"-I{PROTO}",
            f"-I{builtin}",
            f"--python_out={out}",
            f"--grpc_python_out={out}",
            f"--descriptor_set_out={out / 'all.pb'}",
            "--include_source_info",
            *files,
        ]
    )
    if code != 0:
        raise RuntimeError(f"protoc ended with {code}")
    sys.path.insert(0, str(out))
    described = descriptor_pb2.FileDescriptorSet.FromString((out / "all.pb").read_bytes())
    return files, described


FILES, DESCRIPTORS = _generate()


def _modules(suffix):
    return [importlib.import_module(file[: -len(".proto")].replace("/", ".") + suffix) for file in FILES]


_MESSAGES = _modules("_pb2")
_STUBS = _modules("_pb2_grpc")


class _Namespace:
    """All messages and enum values of the package, by name: `pb.Site`, `pb.SITE_STATUS_ONLINE`."""

    def __init__(self, modules):
        for module in modules:
            for name, value in vars(module).items():
                if not name.startswith("_") and name != "DESCRIPTOR":
                    setattr(self, name, value)


pb = _Namespace(_MESSAGES)


def methods():
    """Every method of every service: (service name, method descriptor), in the order of the files."""
    found = []
    for module in _MESSAGES:
        for service in module.DESCRIPTOR.services_by_name.values():
            found += [(service.name, method) for method in service.methods]
    return found


def stub(service, channel):
    """A client of the service over a channel of grpc or of grpc.aio."""
    for module in _STUBS:
        if hasattr(module, f"{service}Stub"):
            return getattr(module, f"{service}Stub")(channel)
    raise KeyError(service)


def field_comments():
    """(message, field) -> the comment above the field in its proto file."""
    comments = {}
    for file in DESCRIPTORS.file:
        by_path = {tuple(location.path): location.leading_comments for location in file.source_code_info.location}
        for index, message in enumerate(file.message_type):
            for number, field in enumerate(message.field):
                comments[message.name, field.name] = by_path.get((4, index, 2, number), "")
    return comments
