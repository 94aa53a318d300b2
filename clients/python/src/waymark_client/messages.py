"""The messages and methods of the API, as they were made from its protos."""

import importlib
import pkgutil
import re

from google.protobuf import message_factory

try:
    import waymark.v1
except ImportError as cause:
    raise ImportError("the messages are missing: install the package (pip install clients/python), which makes them") from cause


def _modules():
    names = sorted(module.name for module in pkgutil.iter_modules(waymark.v1.__path__) if module.name.endswith("_pb2"))
    return [importlib.import_module(f"waymark.v1.{name}") for name in names]


_MODULES = _modules()


class _Messages:
    """All messages and enum values by name: `pb.Site`, `pb.SITE_STATUS_ONLINE`."""

    def __init__(self):
        for module in _MODULES:
            for name, value in vars(module).items():
                if not name.startswith("_") and name != "DESCRIPTOR":
                    setattr(self, name, value)


pb = _Messages()


def snake(name):
    """The name of a method as Python writes it: `ListSites` is `list_sites`, `WhoAmI` is `who_am_i`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


class Method:
    """A method: its path, its messages, and which side of it is a stream."""

    def __init__(self, service, descriptor):
        self.name = f"{service.name}/{descriptor.name}"
        self.path = f"/{service.full_name}/{descriptor.name}"
        self.request = message_factory.GetMessageClass(descriptor.input_type)
        self.answer = message_factory.GetMessageClass(descriptor.output_type)
        self.streams_requests = descriptor.client_streaming
        self.streams_answers = descriptor.server_streaming
        self.items = _items(descriptor)

    def message(self, request, fields):
        """The request: the message that is given, or one of these fields."""
        if request is None:
            return self.request(**fields)
        if fields:
            raise TypeError("a request is given as a message or by its fields, not by both")
        if not isinstance(request, self.request):
            raise TypeError(f"{self.name} takes {self.request.__name__}, got {type(request).__name__}")
        return request


def _items(descriptor):
    """The field of an answer that holds the items of a page; None of a method without pages."""
    asked, answer = descriptor.input_type.fields_by_name, descriptor.output_type
    if "page_token" not in asked or "next_page_token" not in answer.fields_by_name:
        return None
    # The first list: an answer may have counts behind its items.
    return next(field.name for field in answer.fields if field.is_repeated)


def _methods():
    found = {}
    for module in _MODULES:
        for service in module.DESCRIPTOR.services_by_name.values():
            for descriptor in service.methods:
                name = snake(descriptor.name)
                if name in found:
                    raise AssertionError(f"two methods are called {name}")
                found[name] = Method(service, descriptor)
    return found


# By their names in Python.
METHODS = _methods()
