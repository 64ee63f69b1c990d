"""Templates: loaded once at the start, everything escaped, nothing undefined passed over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

FOLDER = Path(__file__).parent / "templates"


class Templates:
    """The templates of the pages."""

    def __init__(self, **constants: Any) -> None:
        """Compiles all of them.

        Args:
            constants: what every template can name.

        Raises:
            jinja2.TemplateSyntaxError: if one is not a template.
        """
        self._environment = Environment(
            loader=FileSystemLoader(FOLDER),
            autoescape=True,
            undefined=StrictUndefined,
            auto_reload=False,
            cache_size=-1,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals.update(constants)
        for name in self._environment.list_templates():
            self._environment.get_template(name)

    def render(self, name: str, **values: Any) -> str:
        """A page.

        Raises:
            jinja2.UndefinedError: if the template names something that there is not.
        """
        return self._environment.get_template(name).render(values)
