"""Errors as a program deals with them: what a server answered, the fields at fault, when to ask again, and what to do."""

from typing import NamedTuple

import grpc
from google.rpc import error_details_pb2, status_pb2

from .policy import POLICY

# The `domain` of the reasons of waymark.
_DOMAIN = "waymark"
_DETAILS = "grpc-status-details-bin"
# Sites that an error names; further ones are counted.
_NAMED_MAX = 5


class Violation(NamedTuple):
    """A field of a request that the server does not take."""

    # Its path in the request, such as `site.display_name`.
    field: str
    # What it takes.
    description: str


class WaymarkError(Exception):
    """Why a call has no answer: the server refused it, or was not heard.

    code            the code of gRPC, a `grpc.StatusCode`
    reason          the reason, such as `SITE_NAME_TAKEN`: one of `ErrorReason` without its prefix; empty for none
    message         what happened, for people
    violations      the fields at fault, and what each of them takes
    resource        the name of the resource that is not there, or there already; empty where none is named
    retry_after_s   seconds before which the server does not want to be asked again; None where it does not say
    is_lost         whether it came from no server of waymark: the connection broke, or something on the way did. The call may
                    be done.
    advice          what to do, as a word: look, operator, later, read_again, correct, sign_in, permission, missing, taken,
                    change_first, report
    what_to_do      the same as a sentence
    """

    def __init__(self, code, message, details=None):
        super().__init__(message)
        self.code, self.message = code, message
        self.reason, self.resource, self.retry_after_s = "", "", None
        self.violations = []
        for detail in details.details if details is not None else []:
            self._take(detail)
        self.is_lost = not self.reason and POLICY.is_lost(code.name)
        self.advice, self.what_to_do = POLICY.advice(self)

    @classmethod
    def of(cls, cause):
        """The error that a `grpc.RpcError` tells of."""
        details = None
        for key, value in cause.trailing_metadata() or ():
            if key == _DETAILS:
                details = _parsed(value)
        return cls(cause.code(), cause.details() or "", details)

    @property
    def counted_as(self):
        """The name of the code that the rules for repeats go by: a loss counts as UNAVAILABLE."""
        return "UNAVAILABLE" if self.is_lost else self.code.name

    def _take(self, detail):
        if (info := _unpacked(detail, error_details_pb2.ErrorInfo)) and info.domain == _DOMAIN:
            self.reason = info.reason
        elif bad := _unpacked(detail, error_details_pb2.BadRequest):
            self.violations += [Violation(told.field, told.description) for told in bad.field_violations]
        elif about := _unpacked(detail, error_details_pb2.ResourceInfo):
            self.resource = about.resource_name
        elif (retry := _unpacked(detail, error_details_pb2.RetryInfo)) and retry.HasField("retry_delay"):
            self.retry_after_s = retry.retry_delay.seconds + retry.retry_delay.nanos / 1e9

    def __str__(self):
        reason = f", {self.reason}" if self.reason else ""
        fields = "".join(f"; {field}: {description}" for field, description in self.violations)
        return f"{self.message} ({self.code.name}{reason}){fields}"


def lost(message):
    """The error of a connection that was given up on this side."""
    return WaymarkError(grpc.StatusCode.UNAVAILABLE, message)


def left_out(names):
    """The error of a list that lacks sites because their records are damaged: STORAGE_CORRUPT, as for one of them by its name."""
    details = status_pb2.Status()
    details.details.add().Pack(error_details_pb2.ErrorInfo(reason="STORAGE_CORRUPT", domain=_DOMAIN))
    named = ", ".join(names[:_NAMED_MAX]) + (" and others" if len(names) > _NAMED_MAX else "")
    message = f"{len(names)} sites are left out, because their records are damaged: {named}"
    return WaymarkError(grpc.StatusCode.DATA_LOSS, message, details)


def _parsed(value):
    try:
        return status_pb2.Status.FromString(value)
    except ValueError:
        # What is no status says nothing more than the code does.
        return None


def _unpacked(detail, kind):
    message = kind()
    return message if detail.Unpack(message) else None
