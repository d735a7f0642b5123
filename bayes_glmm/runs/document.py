"""A YAML file as plain values that remember their lines, so that an error can say where.

Read with PyYAML's safe loader: nothing in a file runs. Truth values and numbers are YAML 1.2's: only ``true`` and
``false`` are truth values, so that a level ``no`` stays text; ``1e-3`` is a number; a date and ``1:30`` are text. What
would be read as another number than it shows is text too: ``0100``, ``0x10``, ``1_000``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bayes_glmm.errors import ConfigError, GLMMError, is_storable

Key = str | int
_KEY_TAGS = ("tag:yaml.org,2002:str", "tag:yaml.org,2002:merge")


_MOST_VALUES, _MOST_LEVELS = 100_000, 50  # of a file: with aliases written out, and one within another


class _Loader(yaml.SafeLoader):
    """The safe loader with YAML 1.2's truth values and floats, for text, numbers, lists and mappings."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """A node and those within, to a depth that Python can follow."""
        self.depth += 1
        if self.depth > _MOST_LEVELS:
            mark = self.peek_event().start_mark
            raise yaml.composer.ComposerError(None, None, f"values stand over {_MOST_LEVELS} levels deep", mark)
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """A value; one that its tag does not fit has a place too."""
        try:
            return super().construct_object(node, deep)
        except (ValueError, KeyError) as error:  # !!int x, and numbers of thousands of digits
            problem = f"a value does not fit its tag, {node.tag.removeprefix('tag:yaml.org,2002:')!r}"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark) from error


_PLAIN_TAGS = ("null", "bool", "int", "float", "str", "seq", "map")
_Loader.yaml_constructors = {
    tag: function
    for tag, function in yaml.SafeLoader.yaml_constructors.items()
    if tag is None or tag.removeprefix("tag:yaml.org,2002:") in _PLAIN_TAGS
}
_OTHER_TAGS = tuple(f"tag:yaml.org,2002:{name}" for name in ("bool", "int", "float", "timestamp"))
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _OTHER_TAGS]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^[-+]?(?:0|[1-9][0-9]*)$"), list("-+0123456789"))
_FLOAT = (
    "tag:yaml.org,2002:float",
    re.compile(
        r"^[-+]?(?:(?:(?:0|[1-9][0-9]*)\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|(?:0|[1-9][0-9]*)[eE][-+]?[0-9]+|\.inf|\.nan)$"
    ),
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
        If there is no such file, it cannot be read, it is not YAML, a key is no text or stands twice, or its top level
        is not a mapping.
    """
    path = Path(path)
    _check_place(path)
    try:
        loader = _Loader(path.read_text(encoding="utf-8"))
        node = loader.get_single_node()
        if node is not None and _check_node(path, node, {}) > _MOST_VALUES:
            what = f"The file unfolds to over {_MOST_VALUES:,} values: aliases of aliases."
            raise ConfigError(what, str(path), "Write the values out.")
        values: Any = None if node is None else loader.construct_document(node)
    except UnicodeDecodeError as error:
        raise ConfigError("The file is not text in UTF-8.", str(path), "Save it as UTF-8.") from error
    except OSError as error:
        raise ConfigError(f"The file cannot be read: {error.strerror}.", str(path)) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error)
        place = str(path) if mark is None else f"{path}, line {mark.line + 1}, column {mark.column + 1}"
        raise ConfigError(f"The file is not valid YAML: {problem}.", place, "Check indents, colons, quotes.") from error
    if not isinstance(node, yaml.MappingNode):
        raise ConfigError("The file holds no keys.", f"{path}, line 1", "Write sections: data, model, sampler, ...")
    return Document(path, values, node)


def _check_place(path: Path) -> None:
    try:
        if path.is_file():
            return
        near = sorted(other.name for other in path.parent.glob("*.y*ml")) if path.parent.is_dir() else []
    except OSError:  # a name too long to be
        near = []
    raise ConfigError("There is no such config file.", str(path), f"There are: {', '.join(near)}." if near else "")


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


def _check_node(path: Path, node: yaml.Node, sizes: dict[int, int]) -> int:
    """Text is text, no mapping names a key twice (YAML would take the last); how many values, aliases written out.

    Each node is visited once, however often it is aliased.
    """
    if id(node) in sizes:
        return sizes[id(node)]
    sizes[id(node)] = 1  # for an alias of itself, inside
    if isinstance(node, yaml.ScalarNode):
        if not is_storable(node.value):
            place = f"{path}, line {node.start_mark.line + 1}"
            raise ConfigError("A text holds a character that no file can.", place, "Take NUL and half characters out.")
        return 1
    if isinstance(node, yaml.MappingNode):
        _check_keys(path, node)
    children = [value for _, value in node.value] if isinstance(node, yaml.MappingNode) else node.value
    sizes[id(node)] = 1 + sum(_check_node(path, child, sizes) for child in children)
    return sizes[id(node)]


def _check_keys(path: Path, node: yaml.MappingNode) -> None:
    first: dict[str, int] = {}
    for key, _ in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            raise ConfigError("A key is not a word.", f"{path}, line {line}", "Write key: value.")
        if key.tag not in _KEY_TAGS or not is_storable(key.value):
            raise ConfigError(f"The key {key.value!r} is not text.", f"{path}, line {line}", "Put it in quotes.")
        if key.value in first:
            raise ConfigError(
                f"The key {key.value!r} stands twice.",
                f"{path}, line {line}; first on line {first[key.value]}",
                "Leave one of them out.",
            )
        first[key.value] = line
