"""Log lines for programs: one JSON object a line, from the start to the end."""

import json

import grpc
from google.protobuf import timestamp_pb2

from client import Account, Caller, absent_site, failure_of
from server import Server


def test_each_line_is_an_object_with_time_level_and_message(tmp_path):
    # A quotation mark and a line break come into it by the operator's own words.
    missing = tmp_path / 'no "such"\ndatabase.mmdb'
    extra = ["--log-format", "json", "--log", "debug", "--geoip", missing]
    with Server(tmp_path / "data", geoip=False, extra=extra) as server:
        with grpc.insecure_channel(server.target) as channel:
            account = Account(Caller(channel, server.admin_token))
            account.create_site("told of")
            failure_of(lambda: account.caller().GetSite(name=absent_site(account.id)))
    lines = [json.loads(line) for line in server.log_text().splitlines()]
    for line in lines:
        timestamp_pb2.Timestamp().FromJsonString(line["timestamp"])
        assert line["level"] in ("ERROR", "WARN", "INFO", "DEBUG") and line["target"], line
    assert {"serving", "draining", "closed"} <= {line["fields"].get("message") for line in lines}
    assert "ERROR" in {line["level"] for line in lines if "database.mmdb" in str(line["fields"])}
