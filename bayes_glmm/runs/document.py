"""A YAML file as plain values that remember their lines, so that an error can say where.

Read with PyYAML's safe loader: nothing in a file runs. Three readings are YAML 1.2's instead: only ``true`` and
``false`` are truth values, so that a level ``no`` stays text; ``1e-3`` is a number; a date is text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bayes_glmm.errors import ConfigError, GLMMError

Key = str | int


class _Loader(yaml.SafeLoader):
    """The safe loader with YAML 1.2's truth values and floats."""


_OTHER_TAGS = ("tag:yaml.org,2002:bool", "tag:yaml.org,2002:float", "tag:yaml.org,2002:timestamp")
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _OTHER_TAGS]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), list("tf"))
_FLOAT = (
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+|\.inf|\.nan)$"),
    list("-+.0123456789"),
)
_Loader.add_implicit_resolver(*_FLOAT)


class _Dumper(yaml.SafeDumper):
    """The safe dumper; text that either version of YAML would read as a number or a truth value gets quotes."""


_Dumper.add_implicit_resolver(*_FLOAT)


@dataclass(frozen=True)
class Document:
    """What a YAML file says.

    Attributes
    ----------
    path : Path
    values : dict
        Plain values: dicts, lists, text, numbers, truth values, None.
    node : yaml.MappingNode
        The same with line numbers.
    """

    path: Path
    values: dict[str, Any]
    node: yaml.MappingNode

    def line(self, *keys: Key) -> int:
        """The line (1 for the first) of the value under some keys, or of the deepest of them that is there."""
        node: yaml.Node = self.node
        line = node.start_mark.line
        for key in keys:
            found = _child(node, key)
            if found is None:
                break
            line, node = found
        return line + 1

    def error(self, error: GLMMError, *keys: Key) -> ConfigError:
        """An error of a lower layer, with the file and the line of the value that caused it."""
        place = f"{self.path}, line {self.line(*keys)}" + (f": {error.where}" if error.where else "")
        return ConfigError(error.what, place, error.advice)

    @contextmanager
    def at(self, *keys: Key) -> Iterator[None]:
        """Errors inside the block are said to be about the value under these keys.

        Raises
        ------
        ConfigError
            In place of any other error of this package.
        """
        try:
            yield
        except ConfigError:
            raise
        except GLMMError as error:
            raise self.error(error, *keys) from error


def read_document(path: str | Path) -> Document:
    """Read a YAML file whose top level is a mapping.

    Raises
    ------
    ConfigError
        If there is no such file, it is not YAML, a key stands twice, or its top level is not a mapping.
    """
    path = Path(path)
    if not path.is_file():
        near = sorted(other.name for other in path.parent.glob("*.y*ml")) if path.parent.is_dir() else []
        raise ConfigError("There is no such config file.", str(path), f"There are: {', '.join(near)}." if near else "")
    try:
        loader = _Loader(path.read_text(encoding="utf-8"))
        node = loader.get_single_node()
        _check_keys(path, node, set())
        values: Any = None if node is None else loader.construct_document(node)
    except UnicodeDecodeError as error:
        raise ConfigError("The file is not text in UTF-8.", str(path), "Save it as UTF-8.") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error)
        place = str(path) if mark is None else f"{path}, line {mark.line + 1}, column {mark.column + 1}"
        raise ConfigError(f"The file is not valid YAML: {problem}.", place, "Check indents, colons, quotes.") from error
    if not isinstance(node, yaml.MappingNode):
        raise ConfigError("The file holds no keys.", f"{path}, line 1", "Write sections: data, model, sampler, ...")
    return Document(path, values, node)


def document_text(values: dict[str, Any]) -> str:
    """Plain values as YAML text that :func:`read_document` reads back unchanged."""
    return yaml.dump(values, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


def _child(node: yaml.Node, key: Key) -> tuple[int, yaml.Node] | None:
    """Line and node of an entry: of the key in a mapping, of the item in a list."""
    if isinstance(node, yaml.MappingNode):
        pairs = [(name, value) for name, value in node.value if name.value == str(key)]
        return (pairs[-1][0].start_mark.line, pairs[-1][1]) if pairs else None
    if isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
        return node.value[key].start_mark.line, node.value[key]
    return None


def _check_keys(path: Path, node: yaml.Node | None, seen: set[int]) -> None:
    """No mapping names a key twice: YAML would silently take the last. Each node once, however often it is aliased."""
    if node is None or id(node) in seen or isinstance(node, yaml.ScalarNode):
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        children = list(node.value)
    else:
        children = [value for _, value in node.value]
        first: dict[str, int] = {}
        for key, _ in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise ConfigError("A key is not a word.", f"{path}, line {line}", "Write key: value.")
            if key.value in first:
                raise ConfigError(
                    f"The key {key.value!r} stands twice.",
                    f"{path}, line {line}; first on line {first[key.value]}",
                    "Leave one of them out.",
                )
            first[key.value] = line
    for child in children:
        _check_keys(path, child, seen)
