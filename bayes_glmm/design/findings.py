"""What to know about a design before sampling, although the posterior exists: one finding a function.

What makes a model impossible raises in ``check``. A finding does not stop anything: with the proper priors that every
parameter has, there is a posterior, but it may rest on the prior, or be slow to sample. ``FINDINGS`` is the table; a
new finding is one function and one row of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import combinations

import numpy as np

from bayes_glmm.design.anchored import far_from_anchor
from bayes_glmm.design.categories import unused_categories
from bayes_glmm.design.check import dependent
from bayes_glmm.design.design import Design, RandomBlock
from bayes_glmm.design.encode import label_columns
from bayes_glmm.design.finding import Finding
from bayes_glmm.design.noise import noiseless
from bayes_glmm.design.number_text import number_texts
from bayes_glmm.design.origin_findings import given_at_zero, mixed_slopes, uncentred
from bayes_glmm.design.priors import default_spans
from bayes_glmm.design.sampling_weights import pseudo
from bayes_glmm.design.separation import separated, separated_completely
from bayes_glmm.design.unanswered import unanswered
from bayes_glmm.errors import rows_text
from bayes_glmm.spec import ModelSpec

FEW_LEVELS = 5  # below, a variance is hardly learned: Gelman & Hill (2007), section 12.9
NARROW = 0.7  # of the prior sd without the cap: less is worth a line; a million normal numbers reach 0.78
SCALES = 1e4  # ratio of sds, or of a mean to its sd, that slows a sampler before it has adapted


def findings(spec: ModelSpec, design: Design) -> tuple[Finding, ...]:
    """Everything found, in the order of ``FINDINGS``; empty for most designs.

    Parameters
    ----------
    spec : ModelSpec
    design : Design

    Examples
    --------
    >>> import pandas as pd
    >>> from bayes_glmm.design import build_design
    >>> spec = ModelSpec.from_formula("y ~ x", family="bernoulli")
    >>> data = pd.DataFrame({"y": [0, 0, 1, 1], "x": [1.0, 2.0, 3.0, 4.0]})
    >>> [finding.name for finding in findings(spec, build_design(spec, data))]
    ['separation']
    """
    return tuple(_weighed(spec, found) for function in FINDINGS for found in function(spec, design))


def _weighed(spec: ModelSpec, found: Finding) -> Finding:
    """A note, where the person has set the priors that decide."""
    deciding = [parameter for parameter in found.parameters if parameter.startswith(("beta[", "sd_"))]
    if deciding and all(_is_given(spec, parameter) for parameter in deciding):
        return replace(found, weight="note")
    return found


def _is_given(spec: ModelSpec, parameter: str) -> bool:
    kind, _, inside = parameter.partition("[")
    general = {"beta": "beta"}.get(kind, "sd")
    return bool({parameter, kind, general, *([inside[:-1]] if kind == "beta" else [])} & set(spec.priors))


def _separation(spec: ModelSpec, design: Design) -> Iterator[Finding]:
    kind = spec.family.response
    unbounded = spec.link_name == "log" if kind.is_count else spec.link.range == "unit"
    names = separated(design, kind, spec.family.thresholds) if unbounded else ()
    if names:
        if kind.is_count:
            sides = f"{'ones' if kind.least else 'zeros'} from other counts"
        elif kind.ordered:
            sides = "lower from higher categories"
        elif kind.nominal:
            sides = "a category from others"
        elif separated_completely(design):
            sides = "all failures from all successes (complete separation)"
        else:
            sides = "failures from successes in some of the rows (quasi-complete separation)"
        yield Finding(
            "separation",
            f"{', '.join(names)} separate{'s' if len(names) == 1 else ''} {sides}: the likelihood increases without "
            "bound in these coefficients, and their prior alone decides how large they are.",
            "fixed effects",
            "Give them a prior that you would defend, such as "
            f'priors={{"beta[{names[0]}]": "Normal(0, {2.5 / _unit(design, names[0]):.3g})"}}, merge levels that have '
            "few rows, or read no more than the sign from the estimate.",
            weight="look",
            parameters=tuple(
                f"{one.variable}[{name}]"
                for one in (design.predictors.fixed if kind.nominal else design.predictors.of_response)
                for name in names
                if name in one.coefficients
            ),
        )


def _unit(design: Design, name: str) -> float:
    """Return the unit of a column: its sd, but 1 for the indicator of a level (a rare level has a small sd)."""
    one = next(one for one in design.predictors.of_response if name in one.coefficients)
    column = one.X[:, one.coefficients.index(name)]
    return 1.0 if np.isin(column, (0.0, 1.0)).all() else float(column.std()) or 1.0


def _single_rows(spec: ModelSpec, design: Design) -> Iterator[Finding]:
    """A level for every row: an over-dispersion for counts, else a variance that nothing tells apart."""
    for block in design.blocks:
        if len(block.levels) < len(design.y) or spec.family.response.counted or _knows_scale(spec, design):
            continue
        rival = "sigma" if "sigma" in spec.family.auxiliary else "the spread of the family itself"
        yield Finding(
            "single_rows",
            f"Every level of {block.group} has one row: its sd cannot be told from {rival}, and rests on the prior.",
            f"(... | {block.group})",
            "Leave the random term out, or group by something that has several rows per level; longer chains do not "
            "separate the two.",
            weight="look",
            parameters=(f"sd_{block.group}", *spec.family.auxiliary),
        )


def _knows_scale(spec: ModelSpec, design: Design) -> bool:
    """Whether sigma is known row by row: its predictor is an offset alone."""
    if "sigma" not in spec.formulas:
        return False
    blocks = design.predictors.blocks
    return not design.predictors.of("sigma").coefficients and not any(block.of("sigma") for block in blocks)


def _lone_rows(spec: ModelSpec, design: Design) -> Iterator[Finding]:
    """Levels with one row, where they are the most but not all."""
    for block in design.blocks:
        rows = np.bincount(block.index, minlength=len(block.levels))
        alone, levels = int((rows == 1).sum()), len(block.levels)
        if not levels / 2 < alone < levels:
            continue
        yield Finding(
            "lone_rows",
            f"{alone:,} of {levels:,} levels of {block.group} have one row: they hold no information on how alike "
            f"rows of a level are, and the sd of {block.group} rests on the other {levels - alone:,}.",
            f"(... | {block.group})",
            "Keep them, they are pulled toward the mean as they should be; but look at the prior of "
            f"sd_{block.group}, ask for leave-one-out by {block.group} and not by row, and see whether the labels are "
            "those of groups: typing errors make such levels.",
        )


def _few_levels(spec: ModelSpec, design: Design) -> Iterator[Finding]:
    for block in design.blocks:
        if len(block.levels) < FEW_LEVELS:
            yield Finding(
                "few_levels",
                f"{block.group} has {len(block.levels)} levels: they hold little information on the sd of its effects, "
                "of which the prior decides a good part.",
                f"(... | {block.group})",
                f"Set a prior on sd_{block.group} that you would defend, or make {block.group} a fixed effect if no "
                "other levels are of interest.",
                weight="look",
                parameters=(f"sd_{block.group}",),
            )


def _dependent_effects(spec: ModelSpec, design: Design) -> Iterator[Finding]:
    """Effects of a level that are combinations of each other; of fixed effects this is an error."""
    for block in design.blocks:
        rest = _dependent_columns(block)
        if rest:
            names = ", ".join(block.effects[k] for k in rest)
            yield Finding(
                "dependent_effects",
                f"{names} of {block.group} {'is' if len(rest) == 1 else 'are'} a combination of its other effects: "
                "their sds cannot be told apart, and rest on the prior.",
                f"(... | {block.group})",
                f"Leave {names} out of the random term.",
                weight="look",
                parameters=(f"sd_{block.group}", f"corr_{block.group}"),
            )


def _dependent_columns(block: RandomBlock) -> list[int]:
    """Effects that are combinations of others in the predictor of the same parameter."""
    of = [np.array(block.of(parameter)) for parameter in dict.fromkeys(block.parameters)]
    return [int(columns[k]) for columns in of for k in dependent(block.values[:, columns])]


def _same_groups(spec: ModelSpec, design: Design) -> Iterator[Finding]:
    """Factors that put the same rows together and give them the same effects."""
    for one, other in combinations(design.blocks, 2):
        if len(one.levels) != len(other.levels) or not same_partition(one.index, other.index):
            continue
        shared = {values.tobytes() for values in one.values.T} & {values.tobytes() for values in other.values.T}
        if shared:
            yield Finding(
                "same_groups",
                f"{one.group} and {other.group} put the same rows together: the sds of their effects cannot be told "
                "apart, and rest on the prior.",
                f"(... | {one.group}), (... | {other.group})",
                "Leave one of the two random terms out.",
                weight="look",
                parameters=(f"sd_{one.group}", f"sd_{other.group}"),
            )


def same_partition(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two codings put the same rows together, whatever the levels are called."""
    pairs = np.unique(np.column_stack([one, other]), axis=0)
    return len(pairs) == len(np.unique(one)) == len(np.unique(other))


def _absorbed(spec: ModelSpec, design: Design) -> Iterator[Finding]:
    """Levels that the fixed effects tell apart already."""
    for block in design.blocks:
        if len(block.levels) > design.X.shape[1] or not (block.values == 1.0).all(axis=0).any():
            continue
        # a number for each level, drawn at random, is a combination of the columns only if every set of numbers is
        numbers = np.random.default_rng(0).standard_normal(len(block.levels))[block.index]
        columns = design.X / np.linalg.norm(design.X, axis=0)
        rest = numbers - columns @ np.linalg.lstsq(columns, numbers)[0]
        if np.linalg.norm(rest) < 1e-8 * np.linalg.norm(numbers):
            yield Finding(
                "absorbed",
                f"The fixed effects tell all levels of {block.group} apart: nothing is left for its random intercept, "
                "whose sd rests on the prior.",
                f"(... | {block.group})",
                f"Take {block.group} as a fixed effect or as a random one, not as both.",
                weight="look",
                parameters=(f"sd_{block.group}",),
            )


def _still_slopes(spec: ModelSpec, design: Design) -> Iterator[Finding]:
    """Slopes of columns that do not vary within a level, beside an intercept of the level."""
    for block in design.blocks:
        if not (block.values == 1.0).all(axis=0).any():
            continue
        names = [name for name, column in zip(block.effects, block.values.T, strict=True) if _still(block, column)]
        if names:
            yield Finding(
                "still_slopes",
                f"{', '.join(names)} {'does' if len(names) == 1 else 'do'} not vary within any level of "
                f"{block.group}: a slope by {block.group} can hardly be told from its intercept.",
                f"(... | {block.group})",
                "Leave it out of the random term; its fixed effect is not concerned.",
                weight="look",
                parameters=(*(f"sd_{block.group}[{name}]" for name in names), f"corr_{block.group}"),
            )


def _still(block: RandomBlock, column: np.ndarray) -> bool:
    low, high = np.full(len(block.levels), np.inf), np.full(len(block.levels), -np.inf)
    np.minimum.at(low, block.index, column)
    np.maximum.at(high, block.index, column)
    return bool((low == high).all() and not (column == column[0]).all())


def _aliased(spec: ModelSpec, design: Design) -> Iterator[Finding]:
    """Columns that were left out because they depend on earlier ones."""
    if design.aliased:
        names = ", ".join(design.aliased)
        plural = len(design.aliased) > 1
        yield Finding(
            "aliased",
            f"{names} {'depend' if plural else 'depends'} on earlier columns and {'were' if plural else 'was'} left "
            "out, as an empty cell of an interaction or a repeated column makes necessary.",
            "fixed effects",
            "Predictions and comparisons that the data do not determine are shown as missing. Leave the term out, or "
            "merge the levels of the empty cell.",
        )


def _capped(spec: ModelSpec, design: Design) -> Iterator[Finding]:
    """Columns whose default prior was made narrower because a few rows lie far out in them."""
    default = default_spans(spec, design)[design.predictors.location.parameter]
    narrow = {name: ratio for name, ratio in zip(default.columns, default.span.narrowed, strict=True) if ratio < NARROW}
    if narrow:
        rows = np.flatnonzero(default.span.capped)
        yield Finding(
            "capped",
            f"The default prior of {', '.join(narrow)} is up to {1.0 / min(narrow.values()):.2g} times narrower than "
            "the sd of the column suggests, because a few rows lie far out: no row's linear predictor has a prior sd "
            "above four times that of the intercept at the centre.",
            f"fixed effects, {rows_text(rows)}",
            "This keeps rare levels and outliers from being called certain. Check these rows, and set a prior if you "
            "know more.",
        )


def _scales(spec: ModelSpec, design: Design) -> Iterator[Finding]:
    """Columns far larger than others, or far from 0: adaptation starts from one step size for all of them."""
    of_response = (design.predictors.location, *design.predictors.specific[:1])
    names = tuple(name for one in of_response for name in one.coefficients)
    yield from _scales_of(names, np.hstack([one.X for one in of_response]), "fixed effects")
    for block in design.blocks:
        if not set(block.effects) <= set(design.coefficients):  # else it is said already
            yield from _scales_of(block.effects, block.values, f"(... | {block.group})")


def _scales_of(names: tuple[str, ...], columns: np.ndarray, where: str) -> Iterator[Finding]:
    spread, mean = columns.std(axis=0), np.abs(columns.mean(axis=0))
    moving = spread > 0
    if not moving.any():
        return
    smallest = spread[moving].min()
    wide = [name for name, sd in zip(names, spread, strict=True) if sd > SCALES * smallest]
    far = [names[j] for j in np.flatnonzero(moving & (mean > SCALES * spread))]
    if wide:
        small = names[int(np.flatnonzero(spread == smallest)[0])]
        yield Finding(
            "scales",
            f"The sd of {', '.join(wide)} is more than {SCALES:,.0f} times that of {small}: sampling starts slowly.",
            where,
            "Use scale(x), or another unit, for the largest or the smallest.",
        )
    if far:
        yield Finding(
            "far_from_zero",
            f"{', '.join(far)} {'lies' if len(far) == 1 else 'lie'} more than {SCALES:,.0f} sds from 0: the "
            "coefficient and the intercept go together, and the intercept means nothing.",
            where,
            "Use center(x) or scale(x).",
        )


def _number_texts(spec: ModelSpec, design: Design) -> Iterator[Finding]:
    """Factors of text that may be meant as numbers."""
    labels = label_columns(spec.predicted.values())
    for found in number_texts(design.data[[name for name in design.encoder.columns if name not in labels]]):
        if found.suspicious:
            yield Finding("number_text", found.what, found.where, found.advice)


def _row_coefficients(spec: ModelSpec, design: Design) -> Iterator[Finding]:
    """As many coefficients as rows, or nearly: successes of several trials may have that, and learn from it."""
    rows, coefficients = len(design.X), sum(len(one.coefficients) for one in design.predictors.of_response)
    if coefficients < rows and (design.trials is not None or 2 * coefficients <= rows):
        return
    yield Finding(
        "row_coefficients",
        f"The model has {coefficients:,} coefficients for {rows:,} rows: their estimates rest on the prior.",
        "fixed effects",
        "See whether a factor was meant as a number; write a factor with many levels as a random effect, (1 | group).",
    )


FINDINGS: tuple[Callable[[ModelSpec, Design], Iterator[Finding]], ...] = (
    _separation,
    _single_rows,
    _lone_rows,
    _few_levels,
    _dependent_effects,
    _same_groups,
    _absorbed,
    _still_slopes,
    _aliased,
    _capped,
    uncentred,
    given_at_zero,
    mixed_slopes,
    noiseless,
    _scales,
    _number_texts,
    _row_coefficients,
    unused_categories,
    unanswered,
    far_from_anchor,
    pseudo,
)
