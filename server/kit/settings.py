"""Reads the settings of a process from its environment (PORTICO_*)."""

from __future__ import annotations

import sys
from typing import TypeVar

from pydantic import ValidationError
from pydantic_settings import BaseSettings

AnySettings = TypeVar("AnySettings", bound=BaseSettings)


def read(kind: type[AnySettings]) -> AnySettings:
    """The settings, or an exit with 1 and one line that says what is wrong.

    The line names variables and rules, never a value: it may be a secret.
    """
    try:
        return kind.model_validate({})
    except ValidationError as error:
        wrong = "; ".join(
            f"PORTICO_{'_'.join(map(str, problem['loc'])).upper()}: {problem['msg']}"
            for problem in error.errors()
        )
        sys.exit(f"portico: {wrong}")
