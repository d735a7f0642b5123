"""The four things the command line does, as functions: run, check, report, data."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from bayes_glmm.datasets import DATASETS, load_dataset
from bayes_glmm.design.notation import equations
from bayes_glmm.diagnostics import Checks
from bayes_glmm.diagnostics import check as check_posterior
from bayes_glmm.errors import ConfigError
from bayes_glmm.glmm import Fit
from bayes_glmm.inference import sample
from bayes_glmm.posterior import Posterior, load_posterior
from bayes_glmm.runs.config import config_text
from bayes_glmm.runs.data import data_hash, data_path
from bayes_glmm.runs.figures import write_figures
from bayes_glmm.runs.folder import RECORD, is_run, run_folder
from bayes_glmm.runs.job import Job, prepare
from bayes_glmm.runs.tables import result_tables

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
    posterior : Posterior
    report : Path or None
        The report, if one was asked for.
    """

    folder: Path
    checks: Checks
    predictive: Checks
    tables: dict[str, pd.DataFrame]
    posterior: Posterior
    report: Path | None


def run(
    config_path: str | Path, overwrite: bool = False, overrides: Overrides | None = None, progress: bool = False
) -> RunResult:
    """Do what a config says: fit, diagnose, average, report.

    Parameters
    ----------
    config_path : str or Path
    overwrite : bool
        Whether to replace a run that stands in the output folder.
    overrides : mapping of section to mapping of key to value, optional
        Values in place of the file's, as ``{"sampler": {"draws": 200}}``.
    progress : bool
        Whether to show the sampler's progress bar.

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
    with run_folder(job.folder, overwrite) as partial:
        started, clock = datetime.now(UTC), time.perf_counter()
        settings = replace(job.settings, progress=progress)
        posterior = sample(job.spec, job.design, job.priors, settings)
        if job.config.outputs.log_likelihood:
            posterior = Fit(posterior).with_log_likelihood().posterior
        checks = {group: check_posterior(posterior, group) for group in ("convergence", "predictive")}
        tables = result_tables(posterior, job.effects)
        _write_inputs(job, partial)
        _write_results(job, partial, posterior, tables, checks)
        record = _record(job, posterior, checks["convergence"], started, time.perf_counter() - clock)
        _write_json(partial / RECORD, record)
    report = job.folder / "report.html" if job.config.outputs.report else None
    return RunResult(job.folder, checks["convergence"], checks["predictive"], tables, posterior, report)


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
        The report.

    Raises
    ------
    ConfigError
        If the folder holds no finished run.
    """
    folder = Path(folder)
    if not is_run(folder):
        raise ConfigError("There is no finished run here.", str(folder), "Name the folder that 'bayes-glmm run' wrote.")
    record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    partial = folder / ".report.html.partial"
    try:
        _render(load_posterior(folder / "posterior"), partial, record["title"])
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


def _write_inputs(job: Job, folder: Path) -> None:
    """``config.yaml``, which runs again from where it stands, and ``model.txt``."""
    config = job.config.model_copy(update={"title": job.title})
    if config.data.file is not None:
        path = os.path.relpath(data_path(config.data, job.document).resolve(), folder.resolve())
        config = config.model_copy(update={"data": config.data.model_copy(update={"file": Path(path).as_posix()})})
    (folder / "config.yaml").write_text(config_text(config), encoding="utf-8")
    text = "\n".join([str(job.spec), "", *equations(job.spec, job.design, job.priors)])
    (folder / "model.txt").write_text(text + "\n", encoding="utf-8")


def _write_results(
    job: Job, folder: Path, posterior: Posterior, tables: Mapping[str, pd.DataFrame], checks: Mapping[str, Checks]
) -> None:
    posterior.save(folder / "posterior")
    (folder / "tables").mkdir()
    for name, table in tables.items():
        table.to_csv(folder / "tables" / f"{name}.csv", index=False)
    _write_json(folder / "diagnostics.json", {group: found.to_dict() for group, found in checks.items()})
    if job.config.outputs.figures:
        write_figures(posterior, tables, folder / "figures")
    if job.config.outputs.report:
        _render(posterior, folder / "report.html", job.title, checks)


def _render(posterior: Posterior, path: Path, title: str, checks: Mapping[str, Checks] | None = None) -> None:
    from bayes_glmm.report import render  # matplotlib takes a second

    render(posterior, path, title, checks)


def _record(job: Job, posterior: Posterior, checks: Checks, started: datetime, seconds: float) -> dict[str, Any]:
    source = job.config.data.file or f"dataset {job.config.data.dataset}"
    return {
        "title": job.title,
        "model": str(job.spec),
        "verdict": checks.verdict,
        "started": started.isoformat(timespec="seconds"),
        "seconds": round(seconds, 1),
        "data": {"source": source, "sha256": data_hash(job.config.data, job.document), "rows": len(job.data)},
        "rows_used": len(job.design.y),
        "sampling": posterior.provenance,
    }


def _write_json(path: Path, values: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(values, indent=2, allow_nan=False) + "\n", encoding="utf-8")
