"""Could the model have made these data? Statistics of the response against the same statistics of replicated responses.

For a statistic T and replicates y_rep of the posterior predictive distribution, the Bayesian p-value is
P(T(y_rep) > T(y)), ties half (Gelman, Meng & Stern 1996, Statistica Sinica 6, 733-807); T may also look at the
parameters. It lies near 0.5 under a true model, nearer than a uniform number would.

Of many statistics, such as the shares of all categories, some are unusual by chance. Their tail areas allow for that:
half the probability that the most unusual of them is as unusual in replicated data (Westfall & Young 1993, max T).

Two statistics look where a GLMM can be wrong: Pearson residuals given u (dispersion, serial correlation within groups);
and group means, replicated with **new** groups u ~ N(0, G), since the groups' own u would reproduce any spread of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd

from bayes_glmm.design import RandomBlock
from bayes_glmm.diagnostics.check import Check, Skipped, Verdict
from bayes_glmm.diagnostics.group_likelihood import level_blocks
from bayes_glmm.diagnostics.limited import of_values
from bayes_glmm.posterior import Posterior
from bayes_glmm.predictive import at, drawn_at, fixed_predictor, replicate, spread_draws, values_at

SOURCE = "Gelman, Carlin, Stern, Dunson, Vehtari & Rubin (2013), Bayesian Data Analysis, section 6.3"
LOOK, FAIL = 0.01, 0.001  # tail areas; the second together with a difference that matters in practice
MATTERS = 0.1  # a difference of 10 % of the statistic, or of a tenth of a standard deviation for a mean
SEED = 20210
SHOWN = 10  # statistics that a check shows though they are as replicated
THIRDS_DRAWS = 100  # that decide which rows have a low or a high predictor
VALUES = 10_000_000  # replicated values held at once

Statistic = Callable[[np.ndarray], np.ndarray]  # responses [draw, row] -> [draw]


@dataclass(frozen=True)
class Comparison:
    """One statistic of the data and of its replicates.

    Attributes
    ----------
    label : str
    observed, replicated : array [draw]
        ``observed`` changes with the draw where the statistic looks at the parameters.
    scale : float
        What a difference is measured by; the replicates' mean by default.
    among_many : float, optional
        The tail area that allows for the number of statistics, where this is one of many.
    """

    label: str
    observed: np.ndarray
    replicated: np.ndarray
    scale: float | None = None
    among_many: float | None = None

    @property
    def p(self) -> float:
        """P(T(y_rep) > T(y)), ties counted half."""
        return float(np.mean((self.replicated > self.observed) + 0.5 * (self.replicated == self.observed)))

    @property
    def tail(self) -> float:
        """The smaller of p and 1 - p; of one of many statistics that which allows for their number."""
        return min(self.p, 1.0 - self.p) if self.among_many is None else self.among_many

    @property
    def difference(self) -> float:
        """Mean of observed less replicated, as a share of the scale."""
        scale = self.scale or abs(float(self.replicated.mean())) or 1.0
        return float((self.observed - self.replicated).mean()) / scale

    @property
    def row(self) -> tuple[str, float, float, float, float, float, float]:
        """A line of evidence."""
        low, high = np.quantile(self.replicated, [0.025, 0.975])
        return self.label, self.tail, self.p, float(self.observed.mean()), float(self.replicated.mean()), low, high


@of_values("mean", "Statistics of values")
def check_mean(posterior: Posterior) -> Check | Skipped:
    """The mean of the response; for successes of trials, their share."""
    if posterior.spec.family.categories:
        return Skipped("mean", "Mean of the response", "The shares of the categories decide it.")
    share, spread = _response(posterior)
    found = _compare(posterior, "all rows", lambda y: share(y).mean(axis=1), spread)
    advice = "The mean is off: check the offset, the link, and priors that pull the intercept."
    return judged("mean", "Mean of the response", [found], advice)


@of_values("sd", "SD of the response")
def check_sd(posterior: Posterior) -> Check | Skipped:
    """The standard deviation of the response, where the mean does not decide it."""
    name, title = "sd", "SD of the response"
    if posterior.spec.family.response.is_binary:
        return Skipped(name, title, "The mean of 0/1 responses decides their sd.")
    if posterior.spec.family.categories:
        return Skipped(name, title, "The shares of the categories decide it.")
    share, _ = _response(posterior)
    found = _compare(posterior, "all rows", lambda y: share(y).std(axis=1))
    return judged(
        name, title, [found], f"The response varies {_more(found)} than the model's: {_spread(posterior, found)}."
    )


@of_values("zeros", "Share of zeros")
def check_zeros(posterior: Posterior) -> Check | Skipped:
    """The share of zeros, of counts and of responses in which 0 has a probability of its own."""
    name, title = "zeros", "Share of zeros"
    if not posterior.spec.family.response.has_zeros:
        return Skipped(name, title, "Not applicable to this response.")
    found = _compare(posterior, "all rows", lambda y: (y == 0).mean(axis=1))
    if found.difference > 0:
        advice = f"There are more zeros than the model makes: {wider_family(posterior)}, or find what makes the zeros."
    else:
        advice = (
            "There are fewer zeros than the model makes: see whether zeros were left out or cannot occur, and whether "
            "rows were selected. A wider family makes more zeros, not fewer."
        )
    return judged(name, title, [found], advice)


@of_values("max", "Extremes")
def check_max(posterior: Posterior) -> Check | Skipped:
    """The largest response, for counts and for continuous responses; also the smallest on the real line."""
    name, title = "max", "Extremes"
    range_of_mean = posterior.spec.family.response.range
    if posterior.spec.family.categories:
        return Skipped(name, title, "Categories have no extremes that another data set could pass.")
    if range_of_mean == "unit":
        return Skipped(name, title, "The response is bounded on both sides.")
    spread = float(np.std(posterior.design.y)) if range_of_mean == "real" else None
    found = [_compare(posterior, "largest", lambda y: y.max(axis=1), spread)]
    if range_of_mean == "real":
        found.append(_compare(posterior, "smallest", lambda y: y.min(axis=1), spread))
    worst = min(found, key=lambda comparison: comparison.tail)
    outward = (worst.difference > 0) == (worst.label == "largest")
    advice = (
        f"The {worst.label} response lies further out than the model's: check that row, and {wider_family(posterior)}."
        if outward
        else f"The {worst.label} response lies less far out than the model's: see whether the response is limited "
        f"or cut off, and {narrower(posterior)}."
    )
    return judged(name, title, found, advice)


def check_categories(posterior: Posterior) -> Check | Skipped:
    """The share of each category: in all rows, which thresholds fit, and in thirds of the rows by linear predictor."""
    name, title = "categories", "Shares of categories"
    if not posterior.spec.family.categories:
        return Skipped(name, title, "")
    y, replicated = posterior.design.y[None], replicate(posterior, draws_for(posterior), SEED)
    found = []
    for k, (category, parameter) in enumerate(_predictor_of_each(posterior).items(), start=1):
        for where, rows in _thirds(posterior, parameter).items():
            observed, shares = ((values[:, rows] == k).mean(axis=1) for values in (y, replicated))
            middle = float(shares.mean())
            spread = float(np.sqrt(middle * (1.0 - middle))) or 1.0
            found.append(Comparison(f"{category} in {where}", observed, shares, spread))
    found = among_many(found)
    worst = min(found, key=lambda comparison: comparison.tail)
    nominal = posterior.spec.family.response.nominal
    advice = (
        f"Rows of {worst.label} are {_more(worst)} frequent than the model makes them: see whether the effect of a "
        "covariate is not linear"
    ) + (", and which covariates are missing." if nominal else " or differs between thresholds, and try another link.")
    return judged(name, title, found, advice)


@of_values("groups", "Spread of group means")
def check_groups(posterior: Posterior) -> Check | Skipped:
    """The standard deviation of the group means, replicated with new groups u ~ N(0, G)."""
    name, title = "groups", "Spread of group means"
    if not posterior.design.blocks:
        return Skipped(name, title, "The model has no groups.")
    replicated = _replicate_new_groups(posterior)
    y = posterior.design.y[None]
    found = []
    for block in posterior.design.blocks:
        for of, score in _scores(posterior).items():
            observed, spread = (_group_means(score(values), block).std(axis=1) for values in (y, replicated))
            found.append(Comparison(f"{block.group}{of}", observed, spread))
    found = among_many(found) if posterior.spec.family.response.nominal else found
    worst = min(found, key=lambda comparison: comparison.tail)
    advice = f"Means of {worst.label} differ {_more(worst)} than new groups from N(0, G) would: " + (
        "a covariate of the group is missing, the prior of its sd is too narrow, or its effects have heavy tails."
        if worst.difference > 0
        else "the prior of its sd pulls upward, or groups were balanced or matched by design."
    )
    return judged(name, title, found, advice)


@of_values("dispersion", "Over-dispersion ratio")
def check_dispersion(posterior: Posterior) -> Check | Skipped:
    """Mean squared Pearson residual given u: above that of the replicates the family is too narrow, below too wide."""
    name, title = "dispersion", "Over-dispersion ratio"
    if posterior.spec.family.categories:
        return Skipped(name, title, "Single categories carry no dispersion.")
    if not posterior.spec.family.response.counted:
        return Skipped(name, title, "The family has its own dispersion, or single 0/1 responses that carry none.")
    observed, replicated = (np.square(residuals).mean(axis=1) for residuals in _pearson(posterior))
    found = Comparison("all rows", observed, replicated)
    advice = f"Rows vary {_more(found)} than the family allows: {_spread(posterior, found)}."
    return judged(name, title, [found], advice)


@of_values("serial", "Correlation within groups")
def check_serial(posterior: Posterior) -> Check | Skipped:
    """Correlation of Pearson residuals, given u, of rows that follow each other in a group."""
    name, title = "serial", "Correlation within groups"
    if posterior.spec.family.response.nominal:
        return Skipped(name, title, "Categories without an order have no residuals.")
    residuals = list(_pearson(posterior))
    found = []
    for block in level_blocks(posterior.design):
        first, second = _neighbours(block)
        if len(first) >= 10:
            pair = [(r[:, first] * r[:, second]).mean(axis=1) / np.square(r).mean(axis=1) for r in residuals]
            found.append(Comparison(block.group, pair[0], pair[1], scale=1.0))
    if not found:
        return Skipped(name, title, "No group has enough rows.")
    worst = min(found, key=lambda comparison: comparison.tail)
    if posterior.design.residual is not None:
        advice = (
            f"Correlated residuals do not explain how rows of {worst.label} go together: try unstr(), or add effects."
        )
    elif worst.difference > 0:
        advice = (
            f"Rows of {worst.label} that follow each other are alike beyond what u explains: let a slope vary by "
            f"{worst.label}, or add time or order as a covariate. In data without an order, rows are sorted by "
            "something that matters."
        )
    else:
        advice = (
            f"Rows of {worst.label} that follow each other are less alike than u explains: look for something that "
            "alternates, such as two conditions in turn, and for totals that are fixed within a level."
        )
    return judged(name, title, found, advice)


def _scores(posterior: Posterior) -> dict[str, Statistic]:
    """The values to average by group: the response, or one indicator per category where they have no order."""
    if not posterior.spec.family.response.nominal:
        return {"": _response(posterior)[0]}
    return {f", {category}": partial(np.equal, k) for k, category in enumerate(posterior.design.categories, start=1)}


def _predictor_of_each(posterior: Posterior) -> dict[str, str]:
    """Whose linear predictor goes with each category: one for all where they have an order, the first has none else."""
    known, categories = posterior.design.predictors.parameters, posterior.design.categories
    own = ("", *known) if posterior.spec.family.response.nominal else known[:1] * len(categories)
    return dict(zip(categories, own, strict=True))


def _thirds(posterior: Posterior, parameter: str) -> dict[str, np.ndarray]:
    """Positions of all rows, and of those in the thirds by linear predictor at u = 0, where it differs between rows."""
    rows = {"all rows": np.arange(len(posterior.design.y))}
    if not parameter:
        return rows
    draws = spread_draws(posterior, THIRDS_DRAWS)
    fitted = fixed_predictor(posterior, posterior.design.predictors, draws, parameter).mean(axis=0)
    third = np.searchsorted(np.quantile(fitted, [1 / 3, 2 / 3]), fitted)
    if third.min() == third.max():
        return rows
    names = ("the lowest third", "the middle third", "the highest third")
    return rows | {name: np.flatnonzero(third == k) for k, name in enumerate(names) if (third == k).any()}


def among_many(found: Sequence[Comparison]) -> list[Comparison]:
    """The same with tail areas that allow for the number of statistics."""
    replicated = np.column_stack([each.replicated for each in found])
    observed = np.array([each.observed.mean() for each in found])
    middle, sd = replicated.mean(axis=0), replicated.std(axis=0).clip(1e-12)  # of shares that are always the same
    most = (np.abs(replicated - middle) / sd).max(axis=1)
    distances = np.abs(observed - middle) / sd
    return [
        replace(each, among_many=0.5 * float(np.mean(most >= distance - 1e-9)))
        for each, distance in zip(found, distances, strict=True)
    ]


def judged(name: str, title: str, found: list[Comparison], advice: str) -> Check:
    """The verdict of the most extreme comparison."""
    found = sorted(found, key=lambda comparison: comparison.tail)
    verdicts = [_grade(comparison) for comparison in found]
    verdict: Verdict = "fail" if "fail" in verdicts else "look" if "look" in verdicts else "pass"
    columns = ["statistic", "value", "p", "observed", "replicated", "lower", "upper"]
    shown = [comparison for i, comparison in enumerate(found) if i < SHOWN or comparison.tail < LOOK]
    evidence = pd.DataFrame([comparison.row for comparison in shown], columns=columns)
    worst = evidence.iloc[0]
    label = "" if len(found) == 1 and worst["statistic"] == "all rows" else f"{worst['statistic']}: "
    return Check(
        name, title, verdict, float(worst["value"]), LOOK, "above",
        finding=f"{label}observed {worst['observed']:.4g}, replicated {worst['lower']:.4g} to {worst['upper']:.4g}",
        evidence=evidence,
        advice=() if verdict == "pass" else (advice,),
        source=SOURCE,
    )  # fmt: skip


def _grade(comparison: Comparison) -> Verdict:
    if comparison.tail >= LOOK:
        return "pass"
    return "fail" if comparison.tail < FAIL and abs(comparison.difference) > MATTERS else "look"


def wider_family(posterior: Posterior) -> str:
    """What to try where the spread is off."""
    return posterior.spec.family.wider or "try another family, or more of the structure of the data as random effects"


def narrower(posterior: Posterior) -> str:
    """What to try where the response varies less than the model allows."""
    if posterior.spec.family.response.counted:
        family = posterior.spec.family
        limits = (*family.limits.values(), *family.limits_at_zero.values())
        simpler = f', but family="{limits[0]}" may' if limits else ""
        advice = family.narrower or f"no wider family helps{simpler}"
        return (
            f"{advice}. See whether rows are repeated, rounded or sums with a fixed total, and "
            "leave out effects by row; intervals are too wide rather than too narrow"
        )
    return "see whether rows are averages, repeated or cut off, and whether a prior keeps the scale of the family large"


def _spread(posterior: Posterior, found: Comparison) -> str:
    return wider_family(posterior) if found.difference > 0 else narrower(posterior)


def _more(found: Comparison) -> str:
    return "more" if found.difference > 0 else "less"


def draws_for(posterior: Posterior) -> int:
    """How many replicated responses a check takes."""
    return int(np.clip(VALUES // len(posterior.design.y), 100, 1000))


def _response(posterior: Posterior) -> tuple[Statistic, float]:
    """The response on the scale of one trial, and its spread."""
    trials = posterior.design.trials
    share: Statistic = (lambda y: y) if trials is None else (lambda y: y / trials)
    return share, float(np.std(share(posterior.design.y))) or 1.0


def _compare(posterior: Posterior, label: str, statistic: Statistic, scale: float | None = None) -> Comparison:
    replicated = statistic(replicate(posterior, draws_for(posterior), SEED))
    return Comparison(label, statistic(posterior.design.y[None]), replicated, scale)


def _pearson(posterior: Posterior) -> Iterator[np.ndarray]:
    """Pearson residuals given u, of the data and of the replicates, draw by draw [draw, row]."""
    draws = draws_for(posterior)
    chosen = spread_draws(posterior, draws)
    family, known = posterior.spec.family, at(posterior, draws=chosen)
    mean, variance = family.mean.value(known), family.variance_of_rows(posterior.design.observed, known)
    variance = np.where(np.isfinite(variance), variance, 1.0)  # Student's t: a factor that ratios are free of
    if posterior.design.trials is not None:
        mean = mean * posterior.design.trials
    sd = np.sqrt(np.maximum(variance, np.finfo(float).tiny))
    for y in (posterior.design.y, replicate(posterior, draws, SEED)):
        yield (y - mean) / sd


def _replicate_new_groups(posterior: Posterior) -> np.ndarray:
    """Responses of the data's rows, had their groups been drawn anew from N(0, G) [draw, row]."""
    chosen = spread_draws(posterior, draws_for(posterior))
    rng = np.random.default_rng(SEED)
    predictors = posterior.design.predictors
    eta = {name: fixed_predictor(posterior, predictors, chosen, name) for name in predictors.parameters}
    for block in predictors.blocks:
        values, vectors = np.linalg.eigh(posterior.G(block.group)[chosen])  # G may be singular, which Cholesky refuses
        root = vectors * np.sqrt(np.maximum(values, 0.0))[:, None, :]
        z = rng.standard_normal((len(chosen), len(block.levels), len(block.effects)))
        u = np.einsum("dek,dlk->dle", root, z)
        for k, name in enumerate(block.parameters):
            eta[name] += u[:, block.index, k] * block.values[:, k]
    return drawn_at(posterior, values_at(posterior, eta, chosen), rng)


def _group_means(y: np.ndarray, block: RandomBlock) -> np.ndarray:
    """Means by level [draw, level]."""
    counts = np.bincount(block.index, minlength=len(block.levels))
    order = np.argsort(block.index, kind="stable")
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    return np.add.reduceat(y[:, order], starts, axis=1) / counts


def _neighbours(block: RandomBlock) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of rows that follow each other in the data within a level."""
    order = np.argsort(block.index, kind="stable")
    same = block.index[order[1:]] == block.index[order[:-1]]
    return order[:-1][same], order[1:][same]
