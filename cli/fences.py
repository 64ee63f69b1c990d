"""A fence for import-linter that it has no kind for: what belongs to a feature alone."""

from __future__ import annotations

from typing import Any

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


class PrivateModules(Contract):
    """Some modules of each package are imported from inside that package only.

    A package that is new is fenced like the others.

    Configuration options:
        packages: the package whose children own their modules.
        private: the names of the modules, below each child.
        allowed_importers: modules that may import them all the same.
    """

    type_name = "private_modules"

    packages = fields.StringField()
    private = fields.SetField(subfield=fields.StringField())
    allowed_importers = fields.SetField(subfield=fields.StringField(), required=False)

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Looks at every import of a private module."""
        allowed: set[str] = set(self.allowed_importers or ())  # type: ignore[arg-type]
        offences = [
            {"importer": importer, "imported": module}
            for owner in sorted(graph.find_children(str(self.packages)))
            for module in self._private_modules(graph, owner)
            for importer in sorted(graph.find_modules_that_directly_import(module) - allowed)
            if importer != owner and not importer.startswith(f"{owner}.")
        ]
        return ContractCheck(kept=not offences, metadata={"offences": offences})

    def _private_modules(self, graph: ImportGraph, owner: str) -> list[str]:
        names: set[str] = set(self.private)  # type: ignore[call-overload]
        return sorted(f"{owner}.{name}" for name in names if f"{owner}.{name}" in graph.modules)

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Names each import."""
        offences: list[dict[str, Any]] = check.metadata["offences"]
        for one in offences:
            output.print_error(f"- {one['importer']} -> {one['imported']}", bold=False)
