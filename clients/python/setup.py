"""Builds the package: makes the messages from the protos, and takes the rules of all clients along.

Both are in the repository around this directory, or in the source distribution itself. Nothing that is made is kept beside the
sources.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

HERE = Path(__file__).resolve().parent
# What is outside of this directory, and how it is called in a source distribution.
OUTSIDE = {"proto": HERE.parents[1] / "proto", "policy.json": HERE.parent / "policy.json"}


def source(name):
    """Where it is: in the source distribution, else in the repository."""
    packed = HERE / name
    return packed if packed.exists() else OUTSIDE[name]


class BuildWithMessages(build_py):
    """Makes `waymark/v1` beside `waymark_client`."""

    def run(self):
        super().run()
        if self.editable_mode:
            raise SystemExit("an editable install has no messages: install the package as it is")
        library = Path(self.build_lib)
        library.mkdir(parents=True, exist_ok=True)
        shutil.copy(source("policy.json"), library / "waymark_client")
        generate(source("proto"), library)


class PackWithSources(sdist):
    """Packs what is outside of this directory, too."""

    def make_release_tree(self, base_dir, files):
        super().make_release_tree(base_dir, files)
        shutil.copytree(source("proto"), Path(base_dir) / "proto", dirs_exist_ok=True)
        shutil.copy(source("policy.json"), base_dir)


def generate(proto, out):
    """Makes Python of all protos but Google's, which googleapis-common-protos has."""
    import grpc_tools
    from grpc_tools import protoc

    files = sorted(str(file.relative_to(proto)) for file in Path(proto, "waymark").rglob("*.proto"))
    builtin = Path(grpc_tools.__file__).parent / "_proto"
    code = protoc.main(["protoc", f"-I{proto}", f"-I{builtin}", f"--python_out={out}", f"--pyi_out={out}", *files])
    if code != 0:
        raise SystemExit(f"protoc ended with {code}")


setup(cmdclass={"build_py": BuildWithMessages, "sdist": PackWithSources})
