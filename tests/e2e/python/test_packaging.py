"""What is shipped, made of the program under test and unpacked as it would be: it runs from there, and its papers tell the truth."""

import gzip
import json
import os
import re
import shutil
import subprocess

import pytest

from cli import objects, run
from client import fetch
from server import BINARY, ROOT, Server

PACK_S_MAX = 300
TOOLS = ("dpkg-deb", "dpkg", "strip", "objdump", "readelf")
pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, TOOLS)), reason=f"a Debian package is made with {', '.join(TOOLS)}"
)


def done(*command, **options):
    """What a command of the system prints."""
    options = {"check": True, "text": True, "stdout": subprocess.PIPE, "timeout": PACK_S_MAX} | options
    return subprocess.run(list(map(str, command)), **options).stdout


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """The package, made once. Without what a debugger needs it is made in seconds."""
    directory = tmp_path_factory.mktemp("package")
    slim = directory / "waymark"
    done("strip", "--strip-debug", "-o", slim, BINARY)
    done(ROOT / "scripts/package-deb", slim, directory, env=os.environ | {"DEB_COMPRESSION": "none"})
    slim.unlink()
    (made,) = directory.glob("*.deb")
    return made


@pytest.fixture(scope="module")
def root(package, tmp_path_factory):
    """A root file system with nothing but the package."""
    directory = tmp_path_factory.mktemp("root")
    done("dpkg-deb", "-x", package, directory)
    return directory


def test_the_package_says_what_it_is(package, root):
    version = run("--version").split()[1]
    architecture = done("dpkg", "--print-architecture").strip()
    assert package.name == f"waymark_{version}_{architecture}.deb"
    fields = dict(line.split(": ", 1) for line in done("dpkg-deb", "-f", package).splitlines() if line[0] != " ")
    assert (fields["Package"], fields["Version"], fields["Architecture"]) == ("waymark", version, architecture)
    assert re.match(r"libc6 \(>= 2\.\d+\)", fields["Depends"]), fields
    listed = done("dpkg-deb", "-c", package)
    assert all(line.split()[1] == "root/root" for line in listed.splitlines()), listed
    control = package.parent / "control"
    done("dpkg-deb", "-e", package, control)
    assert (control / "conffiles").read_text() == "/etc/waymark/waymark.toml\n"
    done("md5sum", "--check", "--quiet", control / "md5sums", cwd=root)
    for script in ("postinst", "prerm", "postrm"):
        assert os.access(control / script, os.X_OK)
        done("sh", "-n", control / script)


def test_a_server_starts_from_it(root, tmp_path):
    binary = root / "usr/bin/waymark"
    assert run("--version", "--verbose", binary=binary) == run("version")
    config = root / "etc/waymark/waymark.toml"
    assert run("check-config", config, binary=binary) == f"{config} is in order\n"
    server = Server(tmp_path / "data", geoip=False, extra=["--config", config])
    server.command[0] = str(binary)
    with server:
        assert fetch(server.target, "/readyz")[0] == 200
        status, _, page = fetch(server.target, "/")
        assert status == 200 and b"<html" in page, "the dashboard is in it"
        (made,) = objects("account", "create", "acme", "--format", "json", server=server, binary=binary)
        assert made["name"] == "accounts/acme"


def test_shells_man_and_systemd_find_their_files(root):
    script = root / "usr/share/bash-completion/completions/waymark"
    done("bash", "-euc", 'source "$1" && complete -p waymark', "bash", script)
    assert (root / "usr/share/zsh/vendor-completions/_waymark").read_text().startswith("#compdef waymark")
    assert "complete -c waymark" in (root / "usr/share/fish/vendor_completions.d/waymark.fish").read_text()
    pages = list((root / "usr/share/man/man1").iterdir())
    assert len(pages) > 30 and all(b".TH" in gzip.decompress(page.read_bytes()) for page in pages)
    unit = (root / "usr/lib/systemd/system/waymark.service").read_text()
    (started,) = re.findall(r"^ExecStart=(\S+) serve --config (\S+)$", unit, re.M)
    assert all((root / path.lstrip("/")).exists() for path in started)
    doc = root / "usr/share/doc/waymark"
    assert json.loads((doc / "waymark.schema.json").read_text()) == json.loads(run("config-schema"))
    assert json.loads((doc / "openapi.json").read_text()) == json.loads(run("openapi"))
    # What the pages that are shipped lead to.
    for page in (doc / "docs").glob("*.md"):
        for path in re.findall(r"\]\(\.\./(deploy/[\w.-]+)\)", page.read_text(encoding="utf-8")):
            assert (doc / path).exists(), f"{page.name}: {path}"


def test_what_it_is_made_of_is_listed(root):
    doc = root / "usr/share/doc/waymark"
    assert "Apache-2.0" in (doc / "copyright").read_text()
    bill = json.loads(gzip.decompress((doc / "sbom.cdx.json.gz").read_bytes()))
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    parts = {part["bom-ref"]: part for part in bill["components"]}
    assert len(parts) == len(bill["components"]), "each once"
    program = bill["metadata"]["component"]
    assert program["name"] == "waymark" and program["version"] == run("--version").split()[1]
    graph = {node["ref"]: node["dependsOn"] for node in bill["dependencies"]}
    assert set(graph) == {program["bom-ref"], *parts}
    reached, waiting = set(), [program["bom-ref"]]
    while waiting:
        part = waiting.pop()
        if part not in reached:
            reached.add(part)
            waiting += graph[part]
    assert reached == set(graph), "each is there for something"
    # What Cargo itself says is linked, and nothing else.
    tree = ["cargo", "tree", "--locked", "--offline", "-e", "normal", "--prefix", "none", "--format", "{p}"]
    linked = {f"pkg:cargo/{name}@{version}" for name, version in re.findall(r"^(\S+) v(\S+)", done(*tree, cwd=ROOT), re.M)}
    assert {part for part in graph if part.startswith("pkg:cargo/")} == linked
    assert "pkg:npm/maplibre-gl@" in str(sorted(parts)) and "pkg:npm/vite@" not in str(sorted(parts))
    for part in parts.values():
        assert part["licenses"][0]["expression"] and part["hashes"][0]["content"], part
    licences = gzip.decompress((doc / "THIRD-PARTY-LICENSES.txt.gz").read_bytes()).decode()
    for part in parts.values():
        assert f"{part['name']} {part['version']}: " in licences, part
    assert "Permission is hereby granted" in licences and "SIL OPEN FONT LICENSE" in licences
