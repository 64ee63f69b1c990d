"""What protoc makes of the contract: the descriptor set and the Python stubs."""

from __future__ import annotations

import importlib.resources
import shutil
import subprocess
import sys
from pathlib import Path

from google.protobuf import (
    descriptor_pb2,
    duration_pb2,
    field_mask_pb2,
    timestamp_pb2,
)
from protovalidate._gen.buf.validate import validate_pb

VALIDATE_PROTO = "buf/validate/validate.proto"


class GenerationError(Exception):
    """A generator refused its input; the message is what it said."""


def validation_rules() -> bytes:
    """The descriptor set of protovalidate's annotations, taken from the installed package."""
    files = descriptor_pb2.FileDescriptorSet()
    for module in (descriptor_pb2, duration_pb2, timestamp_pb2, field_mask_pb2):
        module.DESCRIPTOR.CopyToProto(files.file.add())
    files.file.add().ParseFromString(validate_pb._DESC.proto.to_binary())
    return files.SerializeToString()


def descriptor_set(root: Path) -> Path:
    """Where the contract lies as a descriptor set."""
    return root / "generated" / "descriptor.binpb"


def write_descriptor_set(root: Path, rules: Path) -> None:
    """The contract with its imports and comments: gateway, docs and server read it."""
    out = descriptor_set(root)
    out.parent.mkdir(parents=True, exist_ok=True)
    protoc(
        root,
        rules,
        "--include_imports",
        "--include_source_info",
        f"--descriptor_set_out={out}",
        *contract(root),
    )


def write_python(root: Path, rules: Path) -> None:
    """Messages, client stubs and their types, for ours and for the rules that ours import."""
    out = root / "generated" / "python"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    tools = Path(sys.executable).parent
    protoc(
        root,
        rules,
        f"--plugin=protoc-gen-mypy={tools / 'protoc-gen-mypy'}",
        f"--plugin=protoc-gen-mypy_grpc={tools / 'protoc-gen-mypy_grpc'}",
        f"--python_out={out}",
        f"--grpc_python_out={out}",
        f"--mypy_out=quiet:{out}",
        f"--mypy_grpc_out=quiet,only_async:{out}",
        *contract(root),
    )
    protoc(
        root,
        rules,
        f"--plugin=protoc-gen-mypy={tools / 'protoc-gen-mypy'}",
        f"--python_out={out}",
        f"--mypy_out=quiet:{out}",
        VALIDATE_PROTO,
    )
    for stub in out.rglob("*_pb2_grpc.py*"):
        if not has_service(root, stub):
            stub.unlink()


def has_service(root: Path, stub: Path) -> bool:
    """Whether the contract has a service where protoc wrote a service stub."""
    name = stub.relative_to(root / "generated" / "python").as_posix()
    source = (
        root / "proto" / name.replace("_pb2_grpc.pyi", ".proto").replace("_pb2_grpc.py", ".proto")
    )
    return source.exists() and "\nservice " in source.read_text()


def contract(root: Path) -> list[str]:
    """Our .proto files, relative to proto/, in a stable order."""
    proto = root / "proto"
    return sorted(path.relative_to(proto).as_posix() for path in proto.rglob("*.proto"))


def protoc(root: Path, rules: Path, *arguments: str) -> None:
    """Runs protoc on the contract, with every import taken from the installed packages."""
    googleapis = Path(str(importlib.resources.files("google.api"))).parent.parent
    wellknown = Path(str(importlib.resources.files("grpc_tools"))) / "_proto"
    run(
        [
            sys.executable,
            "-m",
            "grpc_tools.protoc",
            f"--descriptor_set_in={rules}",
            f"-I{root / 'proto'}",
            f"-I{googleapis}",
            f"-I{wellknown}",
            *arguments,
        ]
    )


def run(command: list[str], cwd: Path | None = None) -> None:
    """Runs a tool.

    Raises:
        GenerationError: with what it said, if it failed.
    """
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise GenerationError(done.stderr.strip() or done.stdout.strip())
