"""The canonical columns of a design: T from the default prior of the span, A from the centres of the effects."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from scipy import linalg

from bayes_glmm.design.block import RandomBlock
from bayes_glmm.design.canonical import CENTRE, Canonical, Columns
from bayes_glmm.design.design import Design
from bayes_glmm.design.predictor import Predictor
from bayes_glmm.design.scale import weights
from bayes_glmm.design.span import Span, span_of
from bayes_glmm.names import LOCATION, is_specific

_EXACT = 1e-9  # relative residual below which a constant lies in a span
_ROUNDING = 1e-10  # of a column's size: a mean below it is 0


@dataclass(frozen=True)
class DefaultSpan:
    """The columns that share the default prior of the coefficients.

    Attributes
    ----------
    columns : tuple of str
        Those of the span, the constant excepted.
    span : Span
    constant : array [coefficient] or None
        The a with X a = 1; None where the constant is not in the span, and nothing is centred.
    """

    columns: tuple[str, ...]
    span: Span
    constant: np.ndarray | None


def canonical_columns(
    design: Design, own: Mapping[str, Collection[str]] | None = None, literal: Collection[str] = ()
) -> tuple[Canonical, dict[str, DefaultSpan]]:
    """Return the canonical columns of a design, and the span of the default prior of each parameter's coefficients.

    Parameters
    ----------
    design : Design
    own : mapping of parameter to collection of str
        Coefficients with a prior of their own: their columns stay as they are.
    literal : collection of str
        Grouping factors with a prior that holds at the written zero: their effects are not carried.
    """
    w, own = weights(design), own or {}
    at_centre = "Intercept" not in own.get(LOCATION, ())  # where thresholds have their priors
    found = {
        one.parameter: _coefficients(one, w, own.get(one.parameter, ()), at_centre and is_specific(one.parameter))
        for one in design.predictors.fixed
    }
    effects = {block.group: _effects(design, block, block.group in literal) for block in design.blocks}
    A, means = ({group: pair[k] for group, pair in effects.items()} for k in (0, 1))
    fixed = {parameter: columns for parameter, (columns, _) in found.items()}
    return Canonical(fixed, A, means), {parameter: default for parameter, (_, default) in found.items()}


def conditioned(design: Design) -> Canonical:
    """The canonical columns under default priors: for computations that use no priors, in well-conditioned numbers."""
    return canonical_columns(design)[0]


def _coefficients(
    predictor: Predictor, w: np.ndarray, own: Collection[str], centred: bool
) -> tuple[Columns, DefaultSpan]:
    """The canonical columns of one parameter's fixed effects, rows weighted by w, and the span of their default.

    Those without a constant among them are centred where thresholds take what is taken off.
    """
    names, X = predictor.coefficients, predictor.X
    T, nothing = np.eye(len(names)), np.zeros(len(names))
    default = [j for j, name in enumerate(names) if name not in own]
    a = constant_in(X)
    if a is None:
        mean = w @ X / w.sum() if centred else nothing
        span = span_of((X - mean)[:, default], w)
        T[np.ix_(default, default)] = _inverse(span.root)
        return Columns(names, T, mean, None), DefaultSpan(tuple(names[j] for j in default), span, None)
    k = names.index("Intercept") if "Intercept" in names else int(np.argmax(np.abs(a)))
    mean = w @ X / w.sum()
    if any(a[j] for j in range(len(names)) if names[j] in own and names[j] != "Intercept"):
        return _given_cells(names, X - mean, w, a, mean, default, k)
    slopes = [j for j in default if j != k]
    span = span_of((X - mean)[:, slopes], w)
    described = DefaultSpan(tuple(names[j] for j in slopes), span, a)
    T[np.ix_(slopes, slopes)] = _inverse(span.root)
    if names[k] in own or len(names) == 1:
        return Columns(names, T, nothing, None), described
    moved = _about_the_mean(T, a, mean, k)
    renamed = tuple(CENTRE if j == k else name for j, name in enumerate(names))
    return Columns(renamed, moved, mean, k), described


def _about_the_mean(T: np.ndarray, a: np.ndarray, mean: np.ndarray, k: int) -> np.ndarray:
    """(I - a m') T, columns about their mean; the k-th is the constant."""
    moved = T - np.outer(a, mean @ T)
    moved[:, k] = a
    return moved


def _given_cells(
    names: tuple[str, ...], X: np.ndarray, w: np.ndarray, a: np.ndarray, mean: np.ndarray, default: list[int], k: int
) -> tuple[Columns, DefaultSpan]:
    """Some cell means with priors of their own: the others have the joint default prior given its mean for these."""
    others = [j for j in range(len(names)) if j != k]
    span = span_of(X[:, others], w)
    T = np.eye(len(names))
    T[np.ix_(others, others)] = _inverse(span.root)
    root = np.linalg.inv(_about_the_mean(T, a, mean, k))[:, default]
    given = np.eye(len(names))
    given[np.ix_(default, default)] = _inverse(np.linalg.qr(root, mode="r"))
    described = DefaultSpan(tuple(names[j] for j in others), span, a)
    return Columns(names, given, np.zeros(len(names)), None), described


def _effects(design: Design, block: RandomBlock, literal: bool) -> tuple[np.ndarray, np.ndarray]:
    """A [effect, effect] and the means [effect] that it takes off, run by run of correlated effects.

    Within a run, effects of each parameter are carried to the centre of their own columns.
    """
    d, w = len(block.effects), weights(design)
    A, means = np.eye(d), np.zeros(d)
    for of in block.runs_of_parameters:
        values = block.values[:, of]
        a = constant_in(values) if len(of) > 1 and not literal else None
        if a is None:
            continue
        mean = w @ values / w.sum()
        mean = np.where((a != 0) | (np.abs(mean) < _ROUNDING * np.sqrt(w @ values**2 / w.sum())), 0.0, mean)
        means[of] = mean
        A[np.ix_(of, of)] -= np.outer(a, mean)
    return A, means


def constant_in(columns: np.ndarray) -> np.ndarray | None:
    """The a with ``columns @ a = 1``, exact for a column of ones and for cells; None where there is none."""
    ones = np.flatnonzero((columns == 1.0).all(axis=0))
    if len(ones):
        return np.eye(columns.shape[1])[ones[0]]
    if not columns.shape[1]:
        return None
    size = np.linalg.norm(columns, axis=0)
    a = linalg.lstsq(columns / size, np.ones(len(columns)))[0] / size
    a = np.where(np.abs(a) * size < _EXACT * np.abs(a * size).max(initial=0.0), 0.0, a)
    cells = np.round(a)
    if np.array_equal(columns @ cells, np.ones(len(columns))):
        return cells
    residual = np.abs(columns @ a - 1.0).max()
    return a if residual < _EXACT else None


def _inverse(root: np.ndarray) -> np.ndarray:
    """The inverse of an upper triangular matrix."""
    return linalg.solve_triangular(root, np.eye(len(root))) if len(root) else root
