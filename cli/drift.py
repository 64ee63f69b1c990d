"""`portico generate --check`: says which generated files are not what the contract gives."""

from __future__ import annotations

import filecmp
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from cli.generate import ROOT, GenerationError, generate

GENERATED = ("generated", "envoy")
# Pages that are written by hand around a generated table.
DOCUMENTS = ("docs/errors.md", "docs/rights.md")


def main() -> int:
    """Generates into a copy of the checkout and compares.

    Returns:
        0 if nothing would change, 1 with the names of the files that would.
    """
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch)
        copy_checkout(ROOT, copy)
        try:
            generate(copy)
        except GenerationError as error:
            print(f"portico generate: {error}", file=sys.stderr)
            return 1
        changed = drift(ROOT, copy)
    for path in changed:
        print(
            f"{path} is not what proto/ and the features give: run `make generate`", file=sys.stderr
        )
    return 1 if changed else 0


def copy_checkout(source: Path, target: Path) -> None:
    """Copies every file that is or could be committed."""
    for path in checkout_files(source):
        destination = target / path
        destination.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source / path, destination)


def drift(source: Path, regenerated: Path) -> list[Path]:
    """The generated files that differ, are missing or are left over."""
    before = generated_files(source)
    after = generated_files(regenerated)
    kept = before & after
    changed = {
        path for path in kept if not filecmp.cmp(source / path, regenerated / path, shallow=False)
    }
    return sorted((before ^ after) | changed)


def generated_files(root: Path) -> set[Path]:
    """Every file that the generator writes, or could have left over."""
    found = {
        path.relative_to(root)
        for folder in GENERATED
        for path in (root / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and "node_modules" not in path.parts
    }
    return found | {Path(name) for name in DOCUMENTS}


def checkout_files(root: Path) -> list[Path]:
    """The files that git knows or would add, those that are deleted aside."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    names = {Path(name) for name in listed.split("\0") if name}
    return sorted(name for name in names if (root / name).is_file())
