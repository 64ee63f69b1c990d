"""Finds the server programs that come along as Python packages, without importing them."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from cli.run.errors import RunError


def program(package: str, pattern: str, instead: str) -> Path:
    """The path of a program inside an installed package.

    Args:
        package: the import name of the package.
        pattern: where the program is, relative to the package; `*` stands for the platform.
        instead: what to do where there is no such package, for the message.

    Raises:
        RunError: if the package or its program is not there.
    """
    spec = importlib.util.find_spec(package)
    for folder in (spec and spec.submodule_search_locations) or ():
        for path in sorted(Path(folder).glob(pattern)):
            return path
    raise RunError(f"the package {package} is not installed on this machine: {instead}")
