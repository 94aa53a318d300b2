"""The schema of configuration files, held by a validator of others against what a server takes: neither knows a key that the other
does not."""

import copy
import json
import re
import tomllib

import fastjsonschema
import pytest

from cli import FAILED, run
from server import ROOT

EXAMPLES = sorted((ROOT / "deploy").glob("*.toml"))
# What stands for a text where not any will do.
SAMPLES = {
    "address": "127.0.0.1:0",
    "assigned": 'labels.team = "north"',
    "metrics_listen": "127.0.0.1:0",
    "private_networks": "10.0.0.0/8",
    "public_url": "https://waymark.example.com",
    "trusted_proxies": "10.0.0.0/8",
}


@pytest.fixture(scope="module")
def schema():
    text = run("config-schema")
    assert run("check-config", "--schema") == text
    return json.loads(text)


@pytest.fixture(scope="module")
def validate(schema):
    # It would write what holds without a key into what it checks.
    return fastjsonschema.compile(schema, use_default=False)


def toml(value):
    """A value as TOML has it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {toml(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value)


def verdict(tmp_path, config, code):
    """What a check says of a configuration."""
    path = tmp_path / "waymark.toml"
    path.write_text("".join(f"{key} = {toml(value)}\n" for key, value in config.items()), encoding="utf-8")
    return run("check-config", path, code=code)


def tables(value, path=()):
    """Each table, by the way to it."""
    if isinstance(value, dict):
        yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inner:
        yield from tables(part, (*path, key))


def test_examples_are_valid_and_no_other_key_is(validate, tmp_path):
    texts = {path.name: path.read_text(encoding="utf-8") for path in EXAMPLES}
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        found = re.findall(r"^```toml\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S)
        texts |= {f"{page.name} {number}": text for number, text in enumerate(found)}
    of = {name.partition(" ")[0] for name in texts}
    assert {"one-machine.toml", "README.md", "certificates.md", "identity.md", "traffic.md"} <= of, "they are found"
    seen = 0
    for name, text in texts.items():
        config = tomllib.loads(text)
        validate(config)
        for path in tables(config):
            bad = copy.deepcopy(config)
            at = bad
            for key in path:
                at = at[key]
            at["colour"] = 1
            with pytest.raises(fastjsonschema.JsonSchemaException):
                validate(bad)
            assert "unknown field `colour`" in verdict(tmp_path, bad, FAILED), (name, path)
            seen += 1
    assert seen >= 15


def test_commented_lines_of_the_example_are_good_too(validate):
    """Whoever takes a comment sign away gets a file that is taken."""
    text = (ROOT / "deploy/one-machine.toml").read_text(encoding="utf-8")
    text = text.replace("databases = []\n", "", 1)
    config = tomllib.loads(re.sub(r"^# (\[{1,2}[a-z.]+\]{1,2}$|[a-z_]+ = )", r"\1", text, flags=re.M))
    assert {"mail", "auth", "geocode", "geoip"} <= set(config) and config["listen"]["tls"]
    validate(config)


def sample(schema, part, name=""):
    """A value with every key that the schema has."""
    if "$ref" in part:
        return sample(schema, schema["definitions"][part["$ref"].rpartition("/")[2]], name)
    for choice in ("anyOf", "oneOf", "allOf"):
        if choice in part:
            # The last one that is no null: of a file or a table the table.
            options = [option for option in part[choice] if option.get("type") != "null"]
            return sample(schema, options[-1], name)
    if "const" in part:
        return part["const"]
    if "enum" in part:
        return part["enum"][0]
    kind = part["type"] if isinstance(part["type"], str) else part["type"][0]
    if kind == "object":
        return {key: sample(schema, inner, key) for key, inner in part["properties"].items()}
    if kind == "array":
        return [sample(schema, part["items"], name)]
    return {"string": SAMPLES.get(name, "x"), "boolean": True, "integer": 1, "number": 1.0}[kind]


def leaves(value):
    if isinstance(value, dict):
        return sum(map(leaves, value.values()))
    return sum(map(leaves, value)) if isinstance(value, list) else 1


def test_every_key_of_the_schema_is_read(schema, validate, tmp_path):
    config = sample(schema, schema)
    validate(config)
    assert leaves(config) >= 60, config
    told = verdict(tmp_path, config, FAILED)
    # The values are nonsense, and told to be; the keys and their types are known.
    for fault in ("unknown field", "invalid type", "missing field", "line "):
        assert fault not in told, told
    assert "\nerror\tmail\t" in told and "\nerror\tredis\t" in told


def test_types_and_bounds_are_those_of_the_reader(validate, tmp_path):
    for config in (
        {"listen": {"address": 1}},
        {"service": {"address_retry_s": 0}},
        {"service": {"move_after_s": -1}},
        {"redis": {}},
        {"mail": {"host": "x", "from": "x", "public_url": "x", "tls": "ssl"}},
        {"geoip": {"databases": [{"warn_after_days": 1}]}},
        {"geoip": {"databases": [7]}},
        {"log": {"format": "xml"}},
        {"ticketing": {"verify_every_h": 65536}},
        {"geocode": {"providers": [{"kind": "phonon"}]}},
    ):
        with pytest.raises(fastjsonschema.JsonSchemaException):
            validate(config)
        assert "error\tconfig\t" in verdict(tmp_path, config, FAILED), config


def test_a_verdict_is_clear(tmp_path):
    assert verdict(tmp_path, {}, 0) == f"{tmp_path}/waymark.toml is in order\n"
    told = verdict(tmp_path, {"geoip": {"databases": ["nowhere.mmdb"]}}, 0)
    assert told.startswith("warning\tgeoip.databases\t") and told.endswith("is in order, with 1 warning\n")
    bad = {"geocode": {"gazetteer": "nowhere"}, "listen": {"address": "0.0.0.0:1"}}
    lines = verdict(tmp_path, bad, FAILED).splitlines()
    assert [line.split("\t")[:2] for line in lines[:-1]] == [["error", "config"], ["error", "geocode"]]
    assert lines[-1] == f"waymark: {tmp_path}/waymark.toml is refused: 2 errors"
    told = json.loads(run("check-config", tmp_path / "waymark.toml", "--format", "json", code=FAILED).splitlines()[0])
    assert told["ok"] is False and [finding["level"] for finding in told["findings"]] == ["error", "error"]
    assert "nowhere.toml" in run("check-config", "nowhere.toml", code=FAILED)
