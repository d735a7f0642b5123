"""Docstrings in the form that the site's Markdown wants.

They point at each other as ``:func:`~package.name```, which becomes a link where the reference has the name and code
where it has not; and ``{"a", "b"}``, the values of a parameter, is not to be read as its default.
"""

from __future__ import annotations

import re
from typing import Any

from griffe import Extension, GriffeLoader, Object

_ROLE = re.compile(r":(?:attr|class|func|meth|mod):`(?P<short>~?)(?P<path>[\w.]+)`")
_VALUES = re.compile(r"^(?P<names>[\w, ]+ : )\{(?P<values>.*?)\}", re.MULTILINE)


class Roles(Extension):
    """Called by griffe for each object, once all are loaded."""

    def on_object(self, *, obj: Object, loader: GriffeLoader, **_: Any) -> None:
        """Rewrite a docstring."""
        if not obj.docstring:
            return

        def link(found: re.Match[str]) -> str:
            path = found["path"]
            name = path.rpartition(".")[2]
            target = f"{path}.{name}" if _is_module(loader, path) else path  # a function named as its module
            return f'<autoref identifier="{target}" optional><code>{name if found["short"] else path}</code></autoref>'

        text = _VALUES.sub(lambda found: found["names"] + found["values"].replace(", ", " | "), obj.docstring.value)
        obj.docstring.value = _ROLE.sub(link, text)


def _is_module(loader: GriffeLoader, path: str) -> bool:
    try:
        found = loader.modules_collection[path]
    except KeyError:
        return False
    return bool(found.is_module and not found.is_init_module)
