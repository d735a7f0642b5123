"""What a run began with, and whether that still holds when it is resumed.

Chains of one posterior may only be joined where all were drawn from the same: config, data, model and version of this
package are compared with those of the start, and what differs is refused. Other packages may have changed: their chains
have the same distribution, and the record tells.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bayes_glmm.design.notation import equations
from bayes_glmm.errors import ConfigError
from bayes_glmm.files import write_file
from bayes_glmm.inference.machine import machine
from bayes_glmm.inference.sample import versions
from bayes_glmm.runs.config import config_text, read_config
from bayes_glmm.runs.data import data_hash, data_path
from bayes_glmm.runs.folder import RECORD, Partial, check_target, partial_run, shown
from bayes_glmm.runs.job import Job, prepare
from bayes_glmm.runs.schema import Config

FORMAT = 1
INPUTS = CONFIG, MODEL = "config.yaml", "model.txt"  # which a finished run holds too
_ANEW = "start anew with 'bayes-glmm run CONFIG --overwrite'"
log = logging.getLogger(__name__)


def write_start(
    job: Job, partial: Partial, overrides: Mapping[str, Mapping[str, Any]], overwrite: bool
) -> dict[str, Any]:
    """Write ``config.yaml``, which runs again from where the run will stand, ``model.txt`` and ``start.json``.

    Returns
    -------
    dict
        What ``start.json`` says.
    """
    config = job.config.model_copy(update={"title": job.title})
    if config.data.file is not None:
        path = os.path.relpath(data_path(config.data, job.document).resolve(), partial.folder)
        config = config.model_copy(update={"data": config.data.model_copy(update={"file": Path(path).as_posix()})})
    write_file(partial.path / CONFIG, config_text(config))
    write_file(partial.path / MODEL, _model_text(job))
    start = {
        "format": FORMAT,
        "started": datetime.now(UTC).isoformat(),
        "overwrite": overwrite,
        "config": {
            "path": str(job.document.path.resolve()),
            "overrides": overrides,
            "values": job.config.model_dump(mode="json"),
        },
        "data": {
            "source": job.config.data.file or f"dataset {job.config.data.dataset}",
            "sha256": data_hash(job.config.data, job.document),
            "rows": len(job.data),
        },
        "versions": versions(),
        "machine": machine(),
    }
    write_file(partial.start, json.dumps(start, indent=2))
    return start


def reopen(partial: Partial) -> tuple[Job, dict[str, Any]]:
    """The job of an unfinished run, and what ``start.json`` says.

    Raises
    ------
    ConfigError
        If the config, the data, the model or the version of this package is not what the run began with.
    """
    try:
        start = dict(json.loads(partial.start.read_text(encoding="utf-8")))
        if start["format"] != FORMAT:
            raise ValueError(f"format {start['format']}")
    except (ValueError, KeyError) as error:
        raise ConfigError(
            f"This version does not know what was begun: {error}.",
            str(partial.start),
            f"Use the one that began it, or {_ANEW}.",
        ) from error
    changed = [f"{name} {old} -> {new}" for name, old, new in _differences(start["versions"], versions())]
    if own := [text for text in changed if text.startswith("bayes-glmm ")]:
        raise _refused(f"bayes_glmm is another version than at the start: {own[0]}.", partial, "Install that version")
    check_target(partial.folder, start["overwrite"])
    _check_config(start["config"], partial)
    _check_data(start["data"], partial)
    job = prepare(partial.path / CONFIG, {"outputs": {"folder": shown(partial.folder)}})
    if _model_text(job) != (partial.path / MODEL).read_text(encoding="utf-8"):
        what = f"The same config now gives another model ({', '.join(changed) or 'no package has changed'})."
        raise _refused(what, partial, "Install the versions of the start")
    if changed:
        log.warning(
            "The chains that are missing are drawn with other versions than at the start: %s.", ", ".join(changed)
        )
    here = machine()
    if other := [f"{name} {old} -> {new}" for name, old, new in _differences(start.get("machine", here), here)]:
        log.warning(
            "The chains that are missing are drawn on another machine than at the start: %s. They have the same "
            "distribution, but are not the same to the bit as in an uninterrupted run.",
            ", ".join(other),
        )
    return job, start


def check_same(job: Job) -> None:
    """The finished run in a job's folder is what its config asks for.

    Where it was written, from which file the same data came and how many chains ran at a time make no difference.

    Raises
    ------
    ConfigError
        If config or data are not what the run was made from.
    """
    made = partial_run(job.folder).folder
    config, _ = read_config(made / CONFIG)
    now = job.config.model_copy(update={"title": job.title})
    changed = [f"{name}: {old!r} -> {new!r}" for name, old, new in _differences(_asked_for(config), _asked_for(now))]
    record = json.loads((made / RECORD).read_text(encoding="utf-8"))
    if record["data"]["sha256"] != data_hash(job.config.data, job.document):
        changed.append("the data")
    if changed:
        what = f"The run that is there was made from something else: {'; '.join(changed)}."
        raise ConfigError(what, shown(made), "Say --overwrite to replace it, or name another folder.")


def _asked_for(config: Config) -> dict[str, Any]:
    """What a config asks for, as plain values."""
    apart = {"data": {"file", "dataset"}, "sampler": {"cores"}, "outputs": {"folder"}}
    return config.model_dump(mode="json", exclude=apart)


def _check_config(began: Mapping[str, Any], partial: Partial) -> None:
    """The config file says what it said; one that is gone says nothing."""
    path = Path(began["path"])
    if not path.is_file():
        return
    try:
        now = read_config(path, began["overrides"])[0].model_dump(mode="json")
    except ConfigError as error:
        raise _refused(f"The config has changed since the start, and is wrong now: {error.what}", partial) from error
    if changed := [f"{name}: {old!r} -> {new!r}" for name, old, new in _differences(began["values"], now)]:
        raise _refused(f"The config {shown(path)} has changed since the start: {'; '.join(changed)}.", partial)


def _check_data(began: Mapping[str, Any], partial: Partial) -> None:
    """The data are the same, byte by byte; for a file that is gone, reading it will say so."""
    config, document = read_config(partial.path / CONFIG)
    there = config.data.file is None or data_path(config.data, document).is_file()
    if there and data_hash(config.data, document) != began["sha256"]:
        raise _refused(f"The data have changed since the start: {began['source']}.", partial, "Put them back")


def _differences(old: Any, new: Any, name: str = "") -> Iterator[tuple[str, Any, Any]]:
    """What differs between plain values, by dotted name."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys([*old, *new]):
            yield from _differences(old.get(key), new.get(key), f"{name}.{key}".removeprefix("."))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for k, pair in enumerate(zip(old, new, strict=True)):
            yield from _differences(*pair, f"{name}.{k}")
    elif old != new:
        yield name, old, new


def _refused(what: str, partial: Partial, undo: str = "Undo the change") -> ConfigError:
    return ConfigError(what, str(partial.path), f"{undo} to finish the run, or {_ANEW}.")


def _model_text(job: Job) -> str:
    return "\n".join([str(job.spec), "", *equations(job.spec, job.design, job.priors)]) + "\n"
