"""HTTP/JSON as the protos describe it: a request message as the request over HTTP that its method's annotation makes of it."""

import http.client
import json
import re
from urllib.parse import quote, urlencode

from google.api import annotations_pb2
from google.protobuf import json_format

from client import CALL_S_MAX
from stubs import methods

VERBS = ["get", "put", "post", "delete", "patch"]
VARIABLE = re.compile(r"\{([a-z_.]+)(?:=([^}]*))?\}")
_METHODS = {method.name: method for _, method in methods()}


def rules(method):
    """The ways to call a method, the first one first."""
    rule = _METHODS[method].GetOptions().Extensions[annotations_pb2.http]
    return [rule, *rule.additional_bindings]


class Answer:
    """What came: status, headers by name in lower case, body."""

    def __init__(self, response, body):
        self.status, self.body = response.status, body
        self.headers = {name.lower(): value for name, value in response.getheaders()}

    @property
    def json(self):
        """The body, which is JSON and says so."""
        assert self.headers["content-type"] == "application/json", self
        return json.loads(self.body)

    @property
    def error(self):
        """The error that it is."""
        told = self.json["error"]
        assert told["code"] == self.status, self
        return told

    @property
    def reason(self):
        """The reason of the error."""
        return self.detail("ErrorInfo")["reason"]

    @property
    def fields(self):
        """The fields at fault."""
        return [violation["field"] for violation in self.detail("BadRequest")["fieldViolations"]]

    def detail(self, kind):
        """The error's detail of a kind of google.rpc."""
        (found,) = [one for one in self.error["details"] if one["@type"].endswith(f"google.rpc.{kind}")]
        return found

    def __repr__(self):
        return f"{self.status} {self.headers} {self.body[:2_000]}"


def open_request(target, verb, path, token=None, body=None, headers=None):
    """Begins a request; gives the connection and its response, whose body is not read."""
    connection = http.client.HTTPConnection(target, timeout=CALL_S_MAX)
    sent = {"authorization": f"Bearer {token}"} if token else {}
    if isinstance(body, (dict, list)):
        body, sent["content-type"] = json.dumps(body), "application/json"
    connection.request(verb, path, body, sent | (headers or {}))
    return connection, connection.getresponse()


def ask(target, verb, path, token=None, body=None, headers=None):
    """A request and its whole answer."""
    connection, response = open_request(target, verb, path, token, body, headers)
    try:
        return Answer(response, response.read())
    finally:
        connection.close()


def call(target, method, message, token=None, way=0, headers=None):
    """A call of a method with a message, in one of its ways over HTTP."""
    verb, path, body = request_of(rules(method)[way], message)
    return ask(target, verb, path, token, body, headers)


def request_of(rule, message):
    """Verb, path with parameters, and body of a call with this message."""
    verb = next(verb for verb in VERBS if getattr(rule, verb))
    left = json_format.MessageToDict(message)
    path = VARIABLE.sub(lambda variable: _captured(variable, message, left), getattr(rule, verb))
    if rule.body == "*":
        return verb.upper(), path, left
    body = left.pop(_camel(rule.body), {}) if rule.body else None
    query = urlencode(list(_parameters(left)))
    return verb.upper(), f"{path}?{query}" if query else path, body


def _captured(variable, message, left):
    """What stands in the path for a variable. It leaves what is left."""
    field, pattern = variable.groups()
    *parents, last = field.split(".")
    for parent in parents:
        message, left = getattr(message, parent), left.get(_camel(parent), {})
    left.pop(_camel(last), None)
    return quote(getattr(message, last), safe="/" if pattern else "")


def _parameters(value, name=""):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _parameters(inner, f"{name}.{key}" if name else key)
    elif isinstance(value, list):
        for item in value:
            yield from _parameters(item, name)
    else:
        yield name, {True: "true", False: "false"}[value] if isinstance(value, bool) else value


def _camel(name):
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
