"""The data of the model: rows, the response, and the groups."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from markupsafe import Markup

from bayes_glmm.design import Design
from bayes_glmm.design.notation import limit_lines, residual_lines
from bayes_glmm.posterior import Posterior
from bayes_glmm.report.html import heading, paragraph, table

SHARES = 4  # categories without an order whose shares by level have a column


def render_data(posterior: Posterior) -> Markup:
    """Rows used and dropped, the response in a line, the groups in a table."""
    design = posterior.design
    dropped = f" {design.dropped:,} rows with missing values were left out" if design.dropped else ""
    without = f", {len(design.unanswered):,} of them for a missing response alone" if len(design.unanswered) else ""
    dropped += f"{without}." if dropped else ""
    parts = [paragraph("{rows} rows.{dropped}", rows=f"{len(design.y):,}", dropped=dropped), _response(posterior)]
    if posterior.spec.limited:
        parts.append(_limits(posterior))
    parts += [paragraph("{line}.", line=line[:1].upper() + line[1:]) for line in residual_lines(posterior.spec, design)]
    if design.blocks:
        parts += [heading("Groups"), _groups(design, _level_means(posterior))]
    parts += [heading("Columns"), _columns(design)]
    return Markup("").join(parts)


def _response(posterior: Posterior) -> Markup:
    design, kind = posterior.design, posterior.spec.family.response
    y = design.y
    if posterior.spec.family.categories:
        return _categories(design, kind.nominal)
    if kind.is_binary:
        event = f"{design.response} = {design.success or 1}"
        share = f"{y.mean():.1%}"
        return paragraph("{event} in {count} rows ({share}).", event=event, count=f"{int(y.sum()):,}", share=share)
    if design.trials is not None:
        return paragraph(
            "{name}: {successes} successes of {trials} trials ({share}).",
            name=design.response, successes=f"{int(y.sum()):,}", trials=f"{int(design.trials.sum()):,}",
            share=f"{y.sum() / design.trials.sum():.1%}",
        )  # fmt: skip
    zeros = f", {np.mean(y == 0):.1%} zeros" if kind.has_zeros else ""
    return paragraph(
        "{name}: mean {mean}, sd {sd}, from {low} to {high}{zeros}.",
        name=design.response, mean=f"{y.mean():.4g}", sd=f"{y.std(ddof=1):.4g}", low=f"{y.min():.4g}",
        high=f"{y.max():.4g}", zeros=zeros,
    )  # fmt: skip


def _limits(posterior: Posterior) -> Markup:
    """How many rows are censored, and the bounds of truncated responses."""
    known = "; ".join(line for line in limit_lines(posterior.spec, posterior.design) if line)
    text = "{known}. Values of censored rows are their limits; means and effects are those {before}."
    return paragraph(text, known=known[:1].upper() + known[1:], before=posterior.spec.formula.before)


def _categories(design: Design, nominal: bool) -> Markup:
    """Rows and shares of each category, in their order."""
    counts = np.bincount(design.y.astype(int), minlength=len(design.categories) + 1)[1:]
    text = "{name}: {n} categories from {low} to {high}."
    if nominal:
        text = "{name}: {n} categories without an order. The first, {low}, is the reference."
    names = design.categories
    return paragraph(text, name=design.response, n=len(names), low=names[0], high=names[-1]) + table(
        {
            str(design.response): list(names),
            "rows": counts.tolist(),
            "share": [f"{count / len(design.y):.1%}" for count in counts],
        }.items()
    )


def _level_means(posterior: Posterior) -> dict[str, np.ndarray]:
    """What the levels of groups differ in, by name [row]: the response; if it has no mean, each category or not."""
    design = posterior.design
    if posterior.spec.family.response.nominal:
        shown = list(enumerate(design.categories, start=1))[:SHARES]
        return {f"share of {label}": (design.y == k).astype(float) for k, label in shown}
    what = "mean category" if design.categories else "mean" if design.trials is None else "share"
    return {f"{what} of {design.response}": design.y}


def _groups(design: Design, values: Mapping[str, np.ndarray]) -> Markup:
    trials = np.ones(len(design.y)) if design.trials is None else design.trials
    sizes = [np.bincount(block.index, minlength=len(block.levels)) for block in design.blocks]
    columns: list[tuple[str, list[object]]] = [
        ("group", [block.group for block in design.blocks]),
        ("levels", [len(block.levels) for block in design.blocks]),
        ("rows per level: least, median, most", [_three(*np.quantile(size, [0.0, 0.5, 1.0])) for size in sizes]),
    ]
    for what, of_rows in values.items():
        means = [np.bincount(b.index, of_rows) / np.bincount(b.index, trials) for b in design.blocks]
        quantiles = [_three(*np.quantile(of_levels, [0.05, 0.5, 0.95])) for of_levels in means]
        columns.append((f"{what} by level: 5\u00a0%, 50\u00a0%, 95\u00a0%", list(quantiles)))
    return table(columns)


def _three(*values: float) -> str:
    return ", ".join(f"{value:.3g}" for value in values)


def _columns(design: Design) -> Markup:
    groups = {column for block in design.blocks for column in block.group.split(":")}
    names = list(design.data.columns)
    return table({"column": names, "values": [_describe(design.data[name], name in groups) for name in names]}.items())


def _describe(column: pd.Series, group: bool) -> str:
    numeric = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    if numeric and not group and column.nunique() > 2:
        return f"mean {column.mean():.4g}, sd {column.std():.4g}, from {column.min():.4g} to {column.max():.4g}"
    counts = column.value_counts()
    mixed = column.dtype == object  # values that may not be comparable
    counts = counts.sort_index(key=(lambda index: index.map(str)) if mixed else None)
    shown = [f"{value} ({count:,})" for value, count in counts.head(8).items()]
    return ", ".join(shown) + (f" and {len(counts) - 8:,} more levels" if len(counts) > 8 else "")
