"""A config file to a :class:`Config`; what pydantic finds wrong becomes one ConfigError with lines and advice."""

from __future__ import annotations

import reprlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bayes_glmm.errors import ConfigError, choices
from bayes_glmm.runs.document import Document, Key, document_text, read_document
from bayes_glmm.runs.schema import SECTIONS, Config


def read_config(path: str | Path, overrides: Mapping[str, Mapping[str, Any]] | None = None) -> tuple[Config, Document]:
    """Read and validate a config file.

    Parameters
    ----------
    path : str or Path
    overrides : mapping of section to mapping of key to value, optional
        Values in place of the file's, as ``{"sampler": {"draws": 200}}``.

    Returns
    -------
    Config, Document
        The document knows the line of every value.

    Raises
    ------
    ConfigError
        One for all that is wrong: keys that are unknown, missing or stand twice, values of a wrong type or range.
    """
    document = read_document(path)
    values = dict(document.values)
    for section, changed in (overrides or {}).items():
        if isinstance(current := values.get(section, {}), dict):  # else validation says what it is instead
            values[section] = current | dict(changed)
    try:
        return Config.model_validate(values), document
    except ValidationError as error:
        raise _one_error(error, document) from error


def config_text(config: Config) -> str:
    """A config as YAML, defaults written out; reading it gives the same config."""
    return document_text(config.model_dump(exclude_none=True))


def _one_error(error: ValidationError, document: Document) -> ConfigError:
    found = list(dict.fromkeys(_findings(error, document)))
    found.sort(key=lambda finding: finding[0])
    line, what, advice = found[0]
    if len(found) == 1:
        return ConfigError(what, f"{document.path}, line {line}", advice)
    listed = "".join(f"\n  line {line}: {what} {advice}".rstrip() for line, what, advice in found)
    return ConfigError(f"{document.path} has {len(found)} errors:{listed}")


def _findings(error: ValidationError, document: Document) -> Iterator[tuple[int, str, str]]:
    """Line, what is wrong, what to do."""
    for detail in error.errors(include_url=False):
        keys: tuple[Key, ...] = tuple(detail["loc"])
        names = tuple(key for key in keys if isinstance(key, str))
        what, advice = _explained(detail["type"], str(detail["msg"]), names, detail["input"], detail.get("ctx", {}))
        yield document.line(*keys), what, advice


def _explained(
    kind: str, message: str, names: tuple[str, ...], value: Any, context: Mapping[str, Any]
) -> tuple[str, str]:
    dotted = ".".join(names) or "The file"
    match kind:
        case "extra_forbidden":
            return _unknown_key(names)
        case "model_type":
            return f"{dotted} should be a section with keys, found {_short(value)}.", choices("", _keys(names))
        case "missing":
            return f"The key {dotted!r} is missing.", "Add it."
        case "literal_error":
            valid = [str(option).strip() for option in str(context["expected"]).replace(" or ", ", ").split(",")]
            return f"{dotted} cannot be {_short(value)}.", choices(str(value), [option.strip("'") for option in valid])
        case "value_error":
            reason = message.removeprefix("Value error, ")
            return f"{dotted} {reason}.", ""
        case "string_type" if isinstance(value, bool | int | float):
            return f"{dotted} should be text, found {_short(value)}.", "Put it in quotes."
        case _:
            reason = (
                message.replace("Input should", "should", 1)
                .replace("a valid string", "text")
                .replace("dictionary", "mapping")
            )
            return f"{dotted} {reason}, found {_short(value)}.", ""


def _unknown_key(names: tuple[str, ...]) -> tuple[str, str]:
    *section, key = names
    here = f"{'.'.join(section)!r} has no key" if section else "The file has no section"
    for other, model in SECTIONS.items():
        if other and key in model.model_fields:
            return f"{here} {key!r}.", f"Move it under '{'.'.join(other)}'."
    return f"{here} {key!r}.", choices(key, _keys(section))


def _keys(section: Sequence[str]) -> list[str]:
    return list(SECTIONS[tuple(section)].model_fields)


def _short(value: Any) -> str:
    return reprlib.Repr(maxlevel=3, maxstring=60, maxother=60).repr(value)
