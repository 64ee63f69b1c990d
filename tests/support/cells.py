"""Many cells of one promise in one test: all are tried, and each that breaks it is named."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest


class Cells:
    """What a test found out about each cell of its matrix."""

    def __init__(self) -> None:
        self._tried = 0
        self._broken: list[str] = []

    @contextmanager
    def cell(self, *name: object) -> Iterator[None]:
        """One cell; what fails in it is kept until `hold`.

        Args:
            name: what tells it from the others.
        """
        self._tried += 1
        try:
            yield
        except (Exception, pytest.fail.Exception) as error:
            said = f"{type(error).__name__}: {error}"
            self._broken.append(f"{' '.join(map(str, name))}: {said}")

    def hold(self) -> None:
        """Asserts that there were cells, and that none was broken."""
        assert self._tried, "the matrix is empty"
        assert not self._broken, "\n".join((f"{len(self._broken)} of {self._tried}", *self._broken))
