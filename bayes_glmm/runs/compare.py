"""Finished runs side by side: verdicts, leave-one-out, effects.

Leave-one-out ranks models of the *same* response in the *same* rows; of others it would rank data. So runs of different
data, rows or responses are shown without it. By row it asks about new rows of known groups; by group, with the random
effects integrated out, about new groups. Differences of elpd and their standard errors are ArviZ's (Vehtari, Gelman &
Gabry 2017, Statistics and Computing 27, 1413-1432), weights those of stacking (Yao et al. 2018, Bayesian Analysis 13,
917-1007).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bayes_glmm.diagnostics import LOO, loo_by_group, loo_by_row
from bayes_glmm.diagnostics.group_likelihood import level_blocks
from bayes_glmm.diagnostics.loo_groups import why_not
from bayes_glmm.effects.columns import beside, columns_of_table, free_name, in_our_names, is_table_of_estimates
from bayes_glmm.errors import ConfigError, DataError
from bayes_glmm.posterior import Posterior, load_posterior
from bayes_glmm.runs.csv_file import read_csv
from bayes_glmm.runs.folder import RECORD, check_finished
from bayes_glmm.runs.tables import SIDE_BY_SIDE, interval_text

_ABSENT = "–"
_ON_LINK_SCALE = ("coefficients", "variance")
_MANY_K = "k too large"
_LOO_MEANING = (
    "elpd: expected log predictive density; higher is better. By row, of a new row of a known group; by a grouping "
    "factor, of a new level, its effects integrated out. A difference within two standard errors (dse) decides "
    "nothing. Weight: of stacking, the mixture that would predict best."
)
_LOO_TRUST = (
    f" '{_MANY_K}' counts the rows or levels whose elpd the draws cannot tell: where there are any, the comparison is "
    "not to be trusted; bayes_glmm.refit_bad refits without each of them, bayes_glmm.kfold by parts."
)


@dataclass(frozen=True)
class Finished:
    """A finished run, as it is compared.

    Attributes
    ----------
    name : str
        What tables call it.
    folder : Path
    record, diagnostics : dict
        Its ``run.json`` and ``diagnostics.json``.
    """

    name: str
    folder: Path
    record: dict[str, Any]
    diagnostics: dict[str, Any]

    @cached_property
    def posterior(self) -> Posterior:
        """The draws, read when they are asked for."""
        return load_posterior(self.folder)

    @cached_property
    def tables(self) -> dict[str, pd.DataFrame]:
        """Its tables of estimates by name."""
        files = sorted((self.folder / "tables").glob("*.csv"))
        tables = {path.stem: read_csv(path, missing=[""]) for path in files}  # NA may be the name of a level
        if SIDE_BY_SIDE in tables:
            tables["coefficients"] = tables.pop(SIDE_BY_SIDE)  # it has all that the other has
        return {name: table for name, table in tables.items() if is_table_of_estimates(table)}


@dataclass(frozen=True)
class Comparison:
    """Runs side by side.

    Attributes
    ----------
    runs : DataFrame
        One row a run: model, verdicts, sizes.
    loo : dict of str to DataFrame
        By what is left out, ``"row"`` and each grouping factor that all runs have and whose levels can be left out: one
        row a run, best first. Empty where it would not be fair.
    loo_note : str
        What the columns mean; or why there are none.
    effects : dict of str to DataFrame
        By table: one row an estimate, one column a run.
    estimates : dict of str to DataFrame
        The same as numbers, one row per estimate and run, with the column ``run``; of coefficients and variances only
        where all are on one scale.
    """

    runs: pd.DataFrame
    loo: dict[str, pd.DataFrame]
    loo_note: str
    effects: dict[str, pd.DataFrame]
    estimates: dict[str, pd.DataFrame]


def compare(folders: Sequence[str | Path]) -> Comparison:
    """Put finished runs side by side.

    Parameters
    ----------
    folders : sequence of str or Path
        Two or more.

    Raises
    ------
    ConfigError
        If there are fewer than two, one stands twice, or one holds no finished run.
    """
    paths = [Path(folder) for folder in folders]
    if len({path.resolve() for path in paths}) < max(2, len(paths)):
        raise ConfigError("A comparison takes two different runs, or more.", ", ".join(map(str, paths)))
    for path in paths:
        check_finished(path)
    runs = [_read(name, path) for name, path in zip(_names(paths), paths, strict=True)]
    reason = _why_no_loo(runs)
    loo, note = ({}, reason) if reason else _loo(runs)
    return Comparison(_overview(runs), loo, note, _effects(runs), _estimates(runs))


def table_title(name: str) -> str:
    """The name of a table for people: ``compare_treatment`` is ``Compare treatment``."""
    words = name.replace("_", " ")
    return words[0].upper() + words[1:]


def _names(paths: Sequence[Path]) -> list[str]:
    """The names of the folders; with what stands above where two are alike."""
    names = [path.resolve().name for path in paths]
    return names if len(set(names)) == len(names) else [str(path) for path in paths]


def _read(name: str, folder: Path) -> Finished:
    record, diagnostics = (
        json.loads((folder / file).read_text(encoding="utf-8")) for file in (RECORD, "diagnostics.json")
    )
    return Finished(name, folder, record, diagnostics)


def _overview(runs: Sequence[Finished]) -> pd.DataFrame:
    settings = [run.record["sampling"]["settings"] for run in runs]
    return pd.DataFrame(
        {
            "run": [run.name for run in runs],
            "model": [run.record["model"] for run in runs],
            "draws": [f"{chosen['chains']} x {chosen['draws']}" for chosen in settings],
            "rows": [run.record["rows_used"] for run in runs],
            "convergence": [run.diagnostics["convergence"]["verdict"] for run in runs],
            "predictive": [run.diagnostics["predictive"]["verdict"] for run in runs],
        }
    )


def _why_no_loo(runs: Sequence[Finished]) -> str:
    """Why leave-one-out would not compare like with like; nothing if it would."""
    first = runs[0]
    for run in runs[1:]:
        pair = f"{first.name} and {run.name}"
        if first.record["data"]["sha256"] != run.record["data"]["sha256"]:
            return f"No leave-one-out: {pair} have different data. It compares models of the same rows only."
        a, b = first.posterior, run.posterior
        if a.design.response != b.design.response:
            return f"No leave-one-out: the responses of {pair} differ: {a.design.response}, {b.design.response}."
        if not np.array_equal(a.design.y, b.design.y):
            return f"No leave-one-out: {pair} use different rows of the data. Leave the same rows out of both."
        if a.spec.family.discrete != b.spec.family.discrete or _masses(a) != _masses(b):
            return (
                f"No leave-one-out: of {pair} one has probabilities, the other densities "
                f"({a.spec.family_name}, {b.spec.family_name})."
            )
    return ""


def _masses(posterior: Posterior) -> tuple[float, ...]:
    """The values that have a probability beside a density."""
    return posterior.spec.family.response.masses


def _loo(runs: Sequence[Finished]) -> tuple[dict[str, pd.DataFrame], str]:
    """Leave-one-out of all runs by what is left out, and what it means."""
    try:
        found = {"row": {run.name: loo_by_row(run.posterior) for run in runs}}
    except DataError as error:
        return {}, f"No leave-one-out: {error}"
    for group in _shared_groups(runs):
        found[group] = {run.name: loo_by_group(run.posterior, group) for run in runs}
    tables = {unit: _ranked(each) for unit, each in found.items()}
    doubtful = any(table[_MANY_K].any() for table in tables.values())
    return tables, _LOO_MEANING + (_LOO_TRUST if doubtful else "")


def _shared_groups(runs: Sequence[Finished]) -> list[str]:
    """Grouping factors of all runs that put the same rows together, and whose levels can be left out of each."""
    first, *others = ({block.group: block for block in level_blocks(run.posterior.design)} for run in runs)
    same = [
        group
        for group, block in first.items()
        if all(group in blocks and np.array_equal(blocks[group].index, block.index) for blocks in others)
    ]
    kept = []
    for group in same:
        blocks = [next(one for one in level_blocks(run.posterior.design) if one.group == group) for run in runs]
        if not any(why_not(run.posterior, block) for run, block in zip(runs, blocks, strict=True)):
            kept.append(group)
    return kept


def _ranked(found: Mapping[str, LOO]) -> pd.DataFrame:
    """Runs by their elpd, best first."""
    from arviz_stats import compare as compare_elpd

    table = compare_elpd({name: loo.to_arviz() for name, loo in found.items()}, round_to="none")
    table = table[["elpd", "se", "elpd_diff", "dse", "p", "weight"]].rename_axis("run").reset_index()
    return table.assign(**{_MANY_K: [len(found[name].failing) for name in table["run"]]})


def _effects(runs: Sequence[Finished]) -> dict[str, pd.DataFrame]:
    """Every table that a run has, one column a run."""
    tables = {name: _side_by_side({run.name: run.tables.get(name) for run in runs}) for name in _table_names(runs)}
    scales = _scales(runs)
    if len(set(scales.values())) == 1:
        return tables
    text = ", ".join(f"{name} on the {link} scale" for name, link in scales.items())
    return {f"{name}: {text}" if name in _ON_LINK_SCALE else name: tables[name] for name in tables}


def _estimates(runs: Sequence[Finished]) -> dict[str, pd.DataFrame]:
    """Every table that a run has and whose numbers can be compared, runs below each other."""
    alike = len(set(_scales(runs).values())) == 1
    names = [name for name in _table_names(runs) if alike or name not in _ON_LINK_SCALE]
    return {
        name: pd.concat(
            [beside(run.tables[name], run=run.name) for run in runs if name in run.tables], ignore_index=True
        )
        for name in names
    }


def _table_names(runs: Sequence[Finished]) -> list[str]:
    return list(dict.fromkeys(name for run in runs for name in run.tables))


def _scales(runs: Sequence[Finished]) -> dict[str, str]:
    return {run.name: run.posterior.spec.link_name for run in runs}


def _side_by_side(tables: Mapping[str, pd.DataFrame | None]) -> pd.DataFrame:
    """Estimates of runs in columns of text, ``estimate [lower, upper]``; a dash where a run has no such row."""
    found = {name: table for name, table in tables.items() if table is not None}
    own = {name: columns_of_table(table).all_labels for name, table in found.items()}
    labels = list(dict.fromkeys(label for each in own.values() for label in each))
    cells: dict[tuple[str, ...], dict[str, str]] = {}
    for name, table in found.items():
        keys = table[list(own[name])]
        keys = keys.astype(str).where(keys.notna(), "").reindex(columns=labels, fill_value="")
        numbers = in_our_names(table)[["estimate", "lower", "upper"]]
        for key, row in zip(keys.to_numpy(), numbers.itertuples(index=False), strict=True):
            cells.setdefault(tuple(key), {}).setdefault(name, interval_text(*row))
    wide = pd.DataFrame(
        {free_name(name, labels): [row.get(name, _ABSENT) for row in cells.values()] for name in tables}
    )
    return pd.concat([pd.DataFrame(list(cells), columns=labels), wide], axis=1)
