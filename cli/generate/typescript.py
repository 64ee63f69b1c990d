"""TypeScript messages and service descriptions for typed clients, where Node is there."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from cli.generate.protoc import VALIDATE_PROTO, contract, descriptor_set, run

# What the contract's files import and the runtime library does not bring.
IMPORTED = ("google/api/annotations.proto", "google/api/http.proto", VALIDATE_PROTO)


def write_typescript(root: Path) -> None:
    """Writes generated/typescript/src, or says in one line that it did not.

    Raises:
        GenerationError: if the generator cannot be installed or refuses the contract.
    """
    npm = shutil.which("npm")
    if npm is None:
        print("portico generate: TypeScript is left as it was, for Node is not installed")
        return
    package = root / "generated" / "typescript"
    run([npm, "ci", "--no-audit", "--no-fund", "--loglevel=error"], cwd=package)
    out = package / "src"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    run(
        [
            sys.executable,
            "-m",
            "grpc_tools.protoc",
            f"--descriptor_set_in={descriptor_set(root)}",
            f"--plugin=protoc-gen-es={package / 'node_modules' / '.bin' / 'protoc-gen-es'}",
            f"--es_out={out}",
            "--es_opt=target=ts,import_extension=js",
            *contract(root),
            *IMPORTED,
        ]
    )
