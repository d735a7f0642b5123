r"""Likelihood ratio tests of nested models, also where the smaller lies on the boundary of the larger.

Twice the difference of the log likelihoods is chi-square with the number of parameters dropped, if they were free on
both sides of their value in the smaller model. A variance is not: it cannot be below 0. Dropping one random effect that
was correlated with k others drops a variance and k covariances, and the reference is an even mixture of chi-square with
k and with k + 1 degrees of freedom (Self & Liang 1987, case 6; Stram & Lee 1994, case 3); coefficients and covariances
of other effects dropped as well add to both. For several random effects the mixture depends on the data; the chi-square
with all parameters then gives an upper bound of the p value: conservative.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayes_glmm.approx.result import ApproxFit
from bayes_glmm.design.check import dependent
from bayes_glmm.design.findings import same_partition
from bayes_glmm.errors import EstimationError, SpecError
from bayes_glmm.likelihood.likelihood import check_free_covariances

_SAME = 1e-8  # of a column: what rounding leaves of one that others explain
_NOISE = 1e-3  # of twice a log likelihood: how far a maximum may be missed


@dataclass(frozen=True)
class LikelihoodRatio:
    """A likelihood ratio test.

    Attributes
    ----------
    smaller, larger : str
        The models.
    statistic : float
        Twice the difference of the log likelihoods.
    degrees_of_freedom : tuple of int
        Of the chi-square reference; two for an even mixture.
    conservative : bool
        Whether the true p value is smaller than the one given.
    p_value : float
    """

    smaller: str
    larger: str
    statistic: float
    degrees_of_freedom: tuple[int, ...]
    conservative: bool
    p_value: float

    @property
    def reference(self) -> str:
        """The reference distribution in words."""
        names = " and ".join(f"chi-square({k})" for k in self.degrees_of_freedom)
        if len(self.degrees_of_freedom) == 2:
            return f"even mixture of {names}: one variance is at its boundary"
        return names + (": conservative, several variances are at their boundary" if self.conservative else "")

    def __str__(self) -> str:
        sign = "<=" if self.conservative else "="
        return (
            f"{self.smaller}\nagainst {self.larger}\n"
            f"Likelihood ratio {self.statistic:.4f}, {self.reference}; p {sign} {self.p_value:.4g}"
        )


def likelihood_ratio(smaller: ApproxFit, larger: ApproxFit) -> LikelihoodRatio:
    """Test a model against a larger one that contains it.

    Parameters
    ----------
    smaller, larger : ApproxFit
        By maximum likelihood, with the same method, of the same rows.

    Returns
    -------
    LikelihoodRatio

    Raises
    ------
    SpecError
        For fits that cannot be compared: other data, families, methods or none by maximum likelihood; and for models
        that are not nested, or the same.
    EstimationError
        If a fit has not converged, or the larger model's likelihood is the lower one.

    Notes
    -----
    The mixtures suppose that the smaller model's own variances are not 0. Approximate likelihoods are compared as if
    they were exact.

    Nesting is decided by spans, not by names: a column may be a combination of columns of the larger model, and random
    effects belong to a factor by the rows it puts together. ``(1 | g) + (1 | g:f)`` within ``(f | g)`` is not
    recognised.

    Examples
    --------
    >>> import bayes_glmm as bg
    >>> def fit(formula):
    ...     return bg.approx.laplace(bg.GLMM(formula, bg.datasets.clinics(), family="binomial"))
    >>> test = likelihood_ratio(fit("p(favourable, n) ~ treatment"), fit("p(favourable, n) ~ treatment + (1 | clinic)"))
    >>> test.reference
    'even mixture of chi-square(0) and chi-square(1): one variance is at its boundary'
    >>> test.p_value < 1e-10
    True
    """
    from scipy import stats

    _check_comparable(smaller, larger)
    q = _coefficients_dropped(smaller, larger)
    variances, covariances = _parts_dropped(smaller, larger)
    total = q + covariances + variances
    if total == 0:
        raise SpecError("Both fits are of the same model.", str(larger.spec.formula), "Drop a term in one of them.")
    statistic = 2.0 * (larger.log_likelihood - smaller.log_likelihood)
    if statistic < -_NOISE:
        raise EstimationError(
            f"The larger model has the lower likelihood, by {-0.5 * statistic:.3g}: its search ended too early.",
            str(larger.spec.formula),
            "Rescale its columns.",
        )
    degrees = (total - 1, total) if variances == 1 else (total,)
    statistic = max(statistic, 0.0)
    # chi-square with 0 degrees of freedom is 0 for certain
    tails = [float(stats.chi2.sf(statistic, k)) if k else float(statistic <= _SAME) for k in degrees]
    return LikelihoodRatio(
        smaller=str(smaller.spec.formula),
        larger=str(larger.spec.formula),
        statistic=statistic,
        degrees_of_freedom=degrees,
        conservative=variances > 1,
        p_value=float(np.mean(tails)),
    )


def _check_comparable(smaller: ApproxFit, larger: ApproxFit) -> None:
    for fit in (smaller, larger):
        if not np.isfinite(fit.log_likelihood) or not fit.method.endswith(", maximum likelihood"):
            raise SpecError(
                f"{fit.method} is not a fit by maximum likelihood.",
                str(fit.spec.formula),
                "Use bg.approx.laplace(model) or bg.approx.aghq(model) for both models.",
            )
    a, b = smaller.design, larger.design
    if not _equal(a.y, b.y) or not _equal(a.trials, b.trials) or not _equal(a.offset, b.offset):
        raise SpecError(
            "The fits are of different responses, rows or offsets.",
            advice="Rows with missing values may have been left out of one: fit both to the same complete rows.",
        )
    for what, one, other in (
        ("families", smaller.spec.family_name, larger.spec.family_name),
        ("links", smaller.spec.link_name, larger.spec.link_name),
        ("methods", smaller.method, larger.method),
    ):
        if one != other and (what != "methods" or a.blocks):  # without random effects all methods are one
            raise SpecError(f"The fits have different {what}: {one} and {other}.", advice="Fit both the same way.")
    for fit in (smaller, larger):
        check_free_covariances(fit.design)
        if not fit.converged:
            raise EstimationError("A fit has not converged.", str(fit.spec.formula), " ".join(fit.messages))


def _equal(a: np.ndarray | None, b: np.ndarray | None) -> bool:
    if a is None or b is None:
        return a is b
    return a.shape == b.shape and bool((a == b).all())


def _coefficients_dropped(smaller: ApproxFit, larger: ApproxFit) -> int:
    """How many dimensions the fixed effects lose; both have full rank."""
    X, wide = smaller.design.X, larger.design.X
    outside = _outside(X, wide)
    if outside.size:
        name = smaller.design.coefficients[int(outside[0])]
        raise SpecError(
            f"The models are not nested: {name} is not among the fixed effects of the larger, nor a sum of them.",
            advice="Give the smaller model first; compare others by AIC.",
        )
    return wide.shape[1] - X.shape[1]


@dataclass(frozen=True)
class Run:
    """Random effects of one factor that are correlated among themselves: G is free on the span of their columns.

    Attributes
    ----------
    group : str
    effects : tuple of str
    index : array [row]
        The level of each row.
    values : array [row, effect]
    """

    group: str
    effects: tuple[str, ...]
    index: np.ndarray
    values: np.ndarray

    def within(self, other: Run) -> bool:
        """Whether every covariance of these effects is one of the other's: the same levels, columns in its span."""
        return same_partition(self.index, other.index) and not _outside(self.values, other.values).size


def _parts_dropped(smaller: ApproxFit, larger: ApproxFit) -> tuple[int, int]:
    """How many variances and how many covariances of random effects the smaller model has not.

    A run of correlated effects is contained in a run of the larger model with the same levels and a span that holds its
    columns, whatever the names: ``(x | g)`` is ``(center(x) | g)``, and ``(x || g)`` is within both.
    """
    wide = _runs(larger)
    kept: dict[int, list[Run]] = {}
    for run in _runs(smaller):
        holders = [k for k, other in enumerate(wide) if run.within(other)]
        if not holders:
            raise SpecError(
                f"The models are not nested: the larger has no random {' and '.join(run.effects)}"
                f"{', correlated,' if len(run.effects) > 1 else ''} by {run.group}, nor effects that combine to "
                f"{'them' if len(run.effects) > 1 else 'it'}.",
                advice="Give the smaller model first; compare others by AIC.",
            )
        # the narrowest holder: that of its own effects where there are several
        kept.setdefault(min(holders, key=lambda k: len(wide[k].effects)), []).append(run)
    variances = covariances = 0
    for k, other in enumerate(wide):
        sizes = [len(run.effects) for run in kept.get(k, [])]
        columns = np.hstack([run.values for run in kept.get(k, [])] or [np.empty((len(other.values), 0))])
        if dependent(columns):
            raise SpecError(
                f"The random effects by {other.group} of the smaller model overlap: how many parameters the models "
                "differ by is not defined.",
                advice="Merge its random terms of this factor into one.",
            )
        m = len(other.effects)
        variances += m - sum(sizes)
        covariances += m * (m - 1) // 2 - sum(size * (size - 1) // 2 for size in sizes)
    return variances, covariances


def _runs(fit: ApproxFit) -> list[Run]:
    runs = []
    for block in fit.design.blocks:
        for part in block.runs:
            runs.append(Run(block.group, block.effects[part], block.index, block.values[:, part]))
    return runs


def _outside(columns: np.ndarray, wide: np.ndarray) -> np.ndarray:
    """Positions of the columns that are no combination of others [column]."""
    if not wide.shape[1]:
        return np.arange(columns.shape[1])
    one, whole = np.ones(len(wide)), np.linalg.norm(columns, axis=0)
    if np.linalg.norm(_rest(one[:, None], wide)) < _SAME * np.sqrt(len(one)):
        # where the span holds a constant, columns are compared around their means: zeros may be far from the data
        columns, wide = columns - columns.mean(axis=0), wide - wide.mean(axis=0)
    size = np.linalg.norm(columns, axis=0)
    constant = size <= 1e-12 * whole
    left = np.linalg.norm(_rest(columns, wide), axis=0)
    return np.flatnonzero(~constant & (left > _SAME * np.maximum(size, np.finfo(float).tiny)))


def _rest(columns: np.ndarray, wide: np.ndarray) -> np.ndarray:
    """Residuals of columns on the span of others, which may depend on each other."""
    U, size, _ = np.linalg.svd(
        wide / np.maximum(np.linalg.norm(wide, axis=0), np.finfo(float).tiny), full_matrices=False
    )
    U = U[:, size > 1e-10 * size.max(initial=0.0)]
    return columns - U @ (U.T @ columns)
