"""Findings about where a column has its zero, and about what its slope means: between levels, within them, or both."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import pandas as pd

from bayes_glmm.design.design import Design, RandomBlock
from bayes_glmm.design.finding import Finding
from bayes_glmm.spec import ModelSpec

FAR = 1.0  # sds between the centre of a column and 0
MOSTLY = 0.5  # of the variance of a column: the share between levels
_SHIFTED = re.compile(r"^(?:center|scale|standardize)\((.+)\)$")
FEWEST = 5  # levels for a share to mean something


def uncentred(spec: ModelSpec, design: Design) -> Iterator[Finding]:
    """Slopes without a correlated intercept: the likelihood itself depends on where x is 0."""
    for block in design.blocks:
        free = [run for run in block.runs_of_parameters if not _holds_constant(block, run)]
        names = [block.effects[k] for run in free for k in _far(block, run)]
        if names:
            yield Finding(
                "uncentred",
                f"The centre of {_listed(names)} is more than 1 sd from 0: without a correlation between slope and "
                f"intercept, levels of {block.group} are most alike at 0, where there are hardly any data.",
                f"(... || {block.group})",
                f"Write {_centred(names, block.group, '||')}, or ({' + '.join(names)} | {block.group}) with the "
                "correlation, which is the same model wherever 0 is.",
                weight="look",
            )


def given_at_zero(spec: ModelSpec, design: Design) -> Iterator[Finding]:
    """Given priors of a random intercept, or of its correlations, hold at x = 0, which may be far from the data."""
    for block in design.blocks:
        for run in block.runs_of_parameters:
            far = _far(block, run)
            constant = [k for k in run if (block.values[:, k] == 1.0).all()]
            if not far or not constant:
                continue
            g, intercept = block.group, block.effects[constant[0]]
            given = [
                key for key in (f"sd_{g}[{intercept}]", f"sd_{g}", "sd", f"corr_{g}", "corr") if key in spec.priors
            ]
            names = [block.effects[k] for k in far]
            if given:
                yield Finding(
                    "given_at_zero",
                    f"The prior given for {_listed(given)} holds at {_listed(names)} = 0, more than 1 sd from the "
                    "centre of the data.",
                    f"(... | {g})",
                    f"Write {_centred(names, g, '|')}, so that the prior holds at the centre, or leave the prior out.",
                    weight="look",
                )


def mixed_slopes(spec: ModelSpec, design: Design) -> Iterator[Finding]:
    """Covariates that vary mostly between levels, and within them too: one slope for two effects."""
    for block in design.blocks:
        if len(block.levels) < FEWEST or not (block.values == 1.0).all(axis=0).any():
            continue
        names = [column for name, column in _numeric(design) if _mostly_between(design, block, name)]
        if names:
            x = names[0]
            yield Finding(
                "mixed_slopes",
                f"{_listed(names)} {'varies' if len(names) == 1 else 'vary'} mostly between levels of {block.group}, "
                "and within them too: one slope mixes the effect within a level with that between levels.",
                "fixed effects",
                f'Split the column if the two may differ: data["{x}_between"] = data.groupby({_keys(block)})["{x}"]'
                f'.transform("mean") and data["{x}_within"] = data["{x}"] - data["{x}_between"], both in the formula.',
            )


def _far(block: RandomBlock, run: list[int]) -> list[int]:
    """Columns, other than those of 0 and 1, whose mean is more than FAR sds from 0."""
    columns = block.values[:, run]
    mean, sd = np.abs(columns.mean(axis=0)), columns.std(axis=0)
    varies = sd > 1e-12 * np.maximum(mean, 1e-300)
    indicator = np.isin(columns, (0.0, 1.0)).all(axis=0)
    return [run[k] for k in np.flatnonzero(varies & ~indicator & (mean > FAR * sd))]


def _holds_constant(block: RandomBlock, run: list[int]) -> bool:
    """Whether a constant is a combination of the columns of a run."""
    columns = block.values[:, run]
    columns = columns / np.maximum(np.linalg.norm(columns, axis=0), 1e-300)
    one = np.ones(len(columns))
    rest = one - columns @ np.linalg.lstsq(columns, one)[0]
    return bool(np.linalg.norm(rest) < 1e-8 * np.linalg.norm(one))


def _numeric(design: Design) -> list[tuple[str, str]]:
    """Coefficients of numbers as the data have them, or centred or scaled, and their columns of the data."""
    plain = [(name, _SHIFTED.sub(r"\1", name)) for name in design.coefficients]
    return [
        (name, column)
        for name, column in plain
        if column in design.data
        and pd.api.types.is_numeric_dtype(design.data[column])
        and design.data[column].nunique() > 2
    ]


def _mostly_between(design: Design, block: RandomBlock, name: str) -> bool:
    """By the analysis of variance, and where the means of levels are not in the fixed effects already."""
    x = design.X[:, design.coefficients.index(name)]
    counts = np.bincount(block.index, minlength=len(block.levels))
    means = (np.bincount(block.index, x, len(block.levels)) / np.maximum(counts, 1))[block.index]
    n, levels = len(x), int((counts > 0).sum())
    if n == levels:
        return False
    within = float(np.sum((x - means) ** 2)) / (n - levels)
    between = float(np.sum((means - x.mean()) ** 2)) / (levels - 1)
    rows = (n - float(np.sum(counts**2)) / n) / (levels - 1)  # per level, of unequal ones
    spread = max(0.0, (between - within) / rows)
    if within <= 1e-12 * max(between, 1e-300) or spread <= MOSTLY * (spread + within):
        return False
    others = design.X / np.maximum(np.linalg.norm(design.X, axis=0), 1e-300)
    rest = means - others @ np.linalg.lstsq(others, means)[0]
    return bool(np.linalg.norm(rest) > 1e-8 * np.linalg.norm(means))


def _centred(names: list[str], group: str, bar: str) -> str:
    return f"({' + '.join(f'center({name})' for name in names)} {bar} {group})"


def _keys(block: RandomBlock) -> str:
    columns = block.group.split(":")
    return f'"{columns[0]}"' if len(columns) == 1 else str(columns)


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
