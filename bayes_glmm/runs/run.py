"""What the command line does, as functions: run, resume, check, report, data."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pandas as pd

from bayes_glmm.datasets import DATASETS, load_dataset
from bayes_glmm.diagnostics import Checks
from bayes_glmm.diagnostics import check as check_posterior
from bayes_glmm.files import write_file
from bayes_glmm.glmm import Fit
from bayes_glmm.inference import sample
from bayes_glmm.posterior import Posterior, load_posterior
from bayes_glmm.runs.answers import answers_of
from bayes_glmm.runs.config import read_config
from bayes_glmm.runs.figures import write_figures
from bayes_glmm.runs.folder import RECORD, Partial, check_finished, new_run, put_in_place, resumed_run
from bayes_glmm.runs.job import Job, prepare
from bayes_glmm.runs.resume import CONFIG, INPUTS, reopen, write_start
from bayes_glmm.runs.tables import csv_text, result_tables

if TYPE_CHECKING:
    from bayes_glmm.report import Answer

Overrides = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class RunResult:
    """A finished run.

    Attributes
    ----------
    folder : Path
    checks : Checks
        Of convergence; its verdict is the run's.
    predictive : Checks
        Whether the model could have made the data.
    tables : dict of str to DataFrame
        As in ``tables/``.
    answers : dict of str to Answer
        The questions with their estimates, by the names of their tables.
    posterior : Posterior
    report : Path or None
        The report, if one was asked for.
    """

    folder: Path
    checks: Checks
    predictive: Checks
    tables: dict[str, pd.DataFrame]
    answers: dict[str, Answer]
    posterior: Posterior
    report: Path | None


def run(
    config_path: str | Path,
    overwrite: bool = False,
    overrides: Overrides | None = None,
    progress: bool = False,
    cores: int = 0,
    before: Callable[[Job], None] | None = None,
) -> RunResult:
    """Do what a config says: fit, diagnose, average, report.

    Parameters
    ----------
    config_path : str or Path
    overwrite : bool
        Whether to replace a run that stands in the output folder, finished or not.
    overrides : mapping of section to mapping of key to value, optional
        Values in place of the file's, as ``{"sampler": {"draws": 200}}``.
    progress : bool
        Whether to show the sampler's progress bar.
    cores : int
        Chains that run at the same time, where the config leaves it open.
    before : function, optional
        Called with the checked job before anything is sampled.

    Returns
    -------
    RunResult

    Raises
    ------
    ConfigError
        For whatever is wrong with the config, its data or its model, and for an output folder that is taken.
    SamplingError
        If the engine is not installed.
    """
    job = prepare(config_path, overrides)
    with new_run(job.folder, overwrite) as partial:
        if before is not None:
            before(job)
        return _finish(job, partial, write_start(job, partial, overrides or {}, overwrite), progress, cores)


def resume(folder: str | Path, progress: bool = False, cores: int = 0) -> RunResult:
    """Finish a run whose process was stopped: chains that are finished are kept, the others drawn from their beginning.

    The result is that of a run which was not stopped, to the bit.

    Parameters
    ----------
    folder : str or Path
        Where the run would stand.
    progress : bool
        Whether to show the sampler's progress bar.
    cores : int
        Chains that run at the same time, where the config leaves it open.

    Raises
    ------
    ConfigError
        If there is nothing to resume, another process is at it, or config, data, model or the version of this package
        are not what the run began with.
    """
    with resumed_run(folder) as partial:
        job, start = reopen(partial)
        return _finish(job, partial, start, progress, cores)


def _finish(job: Job, partial: Partial, start: dict[str, Any], progress: bool, cores: int) -> RunResult:
    """Draw the chains that are missing, and write the results."""
    clock, kept = time.perf_counter(), partial.finished_chains
    settings = replace(job.settings, progress=progress, cores=job.settings.cores or cores)
    posterior = sample(job.problem, settings, partial.chains)
    if job.config.outputs.log_likelihood:
        posterior = Fit(posterior).with_log_likelihood().posterior
    checks = {group: check_posterior(posterior, group) for group in ("convergence", "predictive")}
    answers = answers_of(posterior, job.effects)
    tables = result_tables(posterior) | {name: answer.estimates.table for name, answer in answers.items()}
    shutil.rmtree(partial.run, ignore_errors=True)  # of a process that was stopped while it wrote
    partial.run.mkdir()
    for name in INPUTS:
        shutil.copyfile(partial.path / name, partial.run / name)
    _write_results(job, partial.run, posterior, tables, answers, checks)
    record = _record(job, posterior, checks["convergence"], start, time.perf_counter() - clock)
    if kept:
        record["resumed"] = {"chains_kept": kept, "versions_at_start": start["versions"]}
    write_file(partial.run / RECORD, _json(record))
    put_in_place(partial, start["overwrite"])
    report = job.folder / "report.html" if job.config.outputs.report else None
    return RunResult(job.folder, checks["convergence"], checks["predictive"], tables, answers, posterior, report)


def check(config_path: str | Path, overrides: Overrides | None = None) -> Job:
    """Validate a config against its data, and build its model, without sampling.

    Raises
    ------
    ConfigError
        For whatever is wrong.
    """
    return prepare(config_path, overrides)


def rebuild_report(folder: str | Path) -> Path:
    """Write the report of a finished run again.

    Returns
    -------
    Path
        The report. Its questions are those of the run's ``config.yaml``.

    Raises
    ------
    ConfigError
        If the folder holds no finished run, or its config is invalid.
    """
    folder = Path(folder)
    check_finished(folder)
    record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    config, _ = read_config(folder / CONFIG)
    posterior = load_posterior(folder / "posterior")
    answers = answers_of(posterior, config.effects or ())
    partial = folder / ".report.html.partial"
    try:
        _render(posterior, partial, record["title"], answers)
        return partial.replace(folder / "report.html")
    finally:
        partial.unlink(missing_ok=True)


def data(name: str | None = None) -> pd.DataFrame:
    """A data set by name, or the list of those there are.

    Raises
    ------
    DataError
        For an unknown name.
    """
    if name is not None:
        return load_dataset(name)
    return pd.DataFrame([{"name": d.name, "title": d.title, "source": d.source} for d in DATASETS.values()])


def _write_results(
    job: Job,
    folder: Path,
    posterior: Posterior,
    tables: Mapping[str, pd.DataFrame],
    answers: Mapping[str, Answer],
    checks: Mapping[str, Checks],
) -> None:
    posterior.save(folder / "posterior")
    (folder / "tables").mkdir()
    for name, table in tables.items():
        write_file(folder / "tables" / f"{name}.csv", csv_text(table))
    write_file(folder / "diagnostics.json", _json({group: found.to_dict() for group, found in checks.items()}))
    if job.config.outputs.figures:
        write_figures(posterior, tables, answers, folder / "figures")
    if job.config.outputs.report:
        # without questions in the config, what was compared is the report's own choice, and shown as such
        asked, made = (answers, {}) if job.config.effects else ({}, answers)
        _render(posterior, folder / "report.html", job.title, asked, made, checks)


def _render(
    posterior: Posterior,
    path: Path,
    title: str,
    asked: Mapping[str, Answer],
    made: Mapping[str, Answer] = MappingProxyType({}),
    checks: Mapping[str, Checks] | None = None,
) -> None:
    from bayes_glmm.report import render  # matplotlib takes a second

    comparisons = [answer.estimates for answer in made.values()]
    render(posterior, path, title, checks, answers=list(asked.values()), comparisons=comparisons)


def _record(job: Job, posterior: Posterior, checks: Checks, start: Mapping[str, Any], seconds: float) -> dict[str, Any]:
    return {
        "title": job.title,
        "model": str(job.spec),
        "verdict": checks.verdict,
        "started": start["started"],
        "seconds": round(seconds, 1),
        "data": start["data"],
        "rows_used": len(job.design.y),
        "sampling": posterior.provenance,
    }


def _json(values: Mapping[str, Any]) -> str:
    return json.dumps(values, indent=2, allow_nan=False) + "\n"
