r"""Canonical columns: the same model in columns whose coefficients, and whose effects' roots, are independent a priori.

    X* = X T,  beta = T b;        Z* = Z A,  u = A u_c,  G = A G_c A'

T holds the default prior of the span (:mod:`~bayes_glmm.design.span`): the constant a is one column, X a = 1, and the
others are the columns about their weighted mean m times R^-1, P = R'R. So b has independent scalar priors, and the
model does not depend on where a covariate's zero is, on its unit, or on the coding of factors and powers. Columns with
a prior of their own stay as they are. A moves correlated effects to the centre of their covariates, where the default
priors of their standard deviations and correlations hold.

Everything that computes (search, sampler, approximations) works in canonical columns; everything that people read is
carried back.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy import linalg

from bayes_glmm.design.design import Design, RandomBlock
from bayes_glmm.design.scale import weights
from bayes_glmm.design.span import Span, span_of

CENTRE = "Intercept[centre]"  # the linear predictor at the centre of the columns, u = 0
_EXACT = 1e-9  # relative residual below which a constant lies in a span


@dataclass(frozen=True, eq=False)
class Canonical:
    """The change from canonical to written columns.

    Attributes
    ----------
    names : tuple of str
        One name per canonical coefficient.
    T : array [coefficient, canonical coefficient]
    centre : array [coefficient]
        Weighted means that are taken off X before T applies: where the constant is in the span, X - 1 m' annihilates
        it exactly. 0 where nothing is centred.
    constant : int or None
        Position of the canonical constant.
    A : mapping of group to array [effect, effect]
    means : mapping of group to array [effect]
        Weighted means of the effects' columns that A takes off.
    """

    names: tuple[str, ...]
    T: np.ndarray
    centre: np.ndarray
    constant: int | None
    A: Mapping[str, np.ndarray]
    means: Mapping[str, np.ndarray]

    @cached_property
    def is_identity(self) -> bool:
        """Whether coefficients are the canonical ones."""
        return bool(np.array_equal(self.T, np.eye(len(self.T))))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Canonical):
            return NotImplemented
        return self._values() == other._values()

    def __hash__(self) -> int:
        return hash(self.names)

    def _values(self) -> tuple:
        """All fields as values that compare to one bool, which arrays do not."""
        effects = [{group: matrix.tolist() for group, matrix in each.items()} for each in (self.A, self.means)]
        return self.names, self.T.tolist(), self.centre.tolist(), self.constant, *effects

    def carried(self, group: str) -> bool:
        """Whether a group's effects have their priors at a centre other than the written zero."""
        return bool(self.means[group].any())

    def columns(self, X: np.ndarray) -> np.ndarray:
        """X* [row, canonical coefficient] of X [row, coefficient]."""
        if self.is_identity:
            return X
        result = (X - self.centre) @ self.T
        if self.constant is not None:
            result[:, self.constant] = 1.0
        return result

    def effect_columns(self, block: RandomBlock) -> np.ndarray:
        """Z* [row, effect] of a block."""
        return block.values - self.means[block.group] if self.carried(block.group) else block.values

    def design(self, design: Design) -> Design:
        """The design in canonical columns."""
        blocks = tuple(replace(block, values=self.effect_columns(block)) for block in design.blocks)
        predictors = replace(design.predictors, X=self.columns(design.X), blocks=blocks)
        return replace(design, coefficients=self.names, predictors=predictors)

    def to_written(self, b: np.ndarray) -> np.ndarray:
        """Coefficients beta [..., coefficient] of b [..., canonical coefficient]."""
        return b if self.is_identity else b @ self.T.T

    def to_canonical(self, beta: np.ndarray) -> np.ndarray:
        """The b [..., canonical coefficient] of beta [..., coefficient]."""
        return beta if self.is_identity else beta @ np.linalg.inv(self.T).T

    def inverse(self, group: str) -> np.ndarray:
        """A^-1 [effect, effect]; exact, since A - I squares to 0."""
        return 2.0 * np.eye(len(self.A[group])) - self.A[group]


@dataclass(frozen=True)
class DefaultSpan:
    """What the default prior of the coefficients rests on, for messages.

    Attributes
    ----------
    columns : tuple of str
        Those with the default prior, the constant excepted.
    span : Span
    """

    columns: tuple[str, ...]
    span: Span


def identity(design: Design) -> Canonical:
    """No change: of a model whose columns have priors of their own, or are canonical already."""
    p = len(design.coefficients)
    return Canonical(
        design.coefficients,
        np.eye(p),
        np.zeros(p),
        None,
        {block.group: np.eye(len(block.effects)) for block in design.blocks},
        {block.group: np.zeros(len(block.effects)) for block in design.blocks},
    )


def conditioned(design: Design) -> Canonical:
    """The canonical columns under default priors: for computations that use no priors, in well-conditioned numbers."""
    names, T, centre, constant, _ = canonical_coefficients(design, ())
    pairs = {block.group: canonical_effects(design, block, literal=False) for block in design.blocks}
    A, means = ({group: pair[k] for group, pair in pairs.items()} for k in (0, 1))
    return Canonical(names, T, centre, constant, A, means)


def without_coefficients(canonical: Canonical, design: Design) -> Canonical:
    """The change of the effects alone."""
    p = len(design.coefficients)
    return replace(canonical, names=design.coefficients, T=np.eye(p), centre=np.zeros(p), constant=None)


def canonical_coefficients(
    design: Design, own: Collection[str]
) -> tuple[tuple[str, ...], np.ndarray, np.ndarray, int | None, DefaultSpan]:
    """Names, T, centre and position of the constant, and what the default prior rests on.

    Parameters
    ----------
    design : Design
    own : collection of str
        Coefficients with a prior of their own, as they are written.
    """
    names, X, w = design.coefficients, design.X, weights(design)
    T, centre = np.eye(len(names)), np.zeros(len(names))
    default = [j for j, name in enumerate(names) if name not in own]
    a = constant_in(X)
    if a is None:
        span = span_of(X[:, default], w)
        T[np.ix_(default, default)] = _inverse(span.root)
        return names, T, centre, None, DefaultSpan(tuple(names[j] for j in default), span)
    k = names.index("Intercept") if "Intercept" in names else int(np.argmax(np.abs(a)))
    mean = w @ X / w.sum()
    literal = [j for j, name in enumerate(names) if name in own]
    slopes = [j for j in default if j != k]
    if any(a[j] for j in literal if j != k) or (k in literal and names[k] != "Intercept"):
        return _given_cells(names, X, w, a, mean, default, k)
    span = span_of((X - mean)[:, slopes], w)
    described = DefaultSpan(tuple(names[j] for j in slopes), span)
    T[np.ix_(slopes, slopes)] = _inverse(span.root)
    if k in literal:
        return names, T, centre, None, described
    if len(names) == 1:
        return names, T, centre, None, described
    moved = T - np.outer(a, mean @ T)  # (I - a m') T: columns about their mean
    moved[:, k] = a
    renamed = tuple(CENTRE if j == k else name for j, name in enumerate(names))
    return renamed, moved, mean, k, described


def _given_cells(
    names: tuple[str, ...], X: np.ndarray, w: np.ndarray, a: np.ndarray, mean: np.ndarray, default: list[int], k: int
) -> tuple[tuple[str, ...], np.ndarray, np.ndarray, int | None, DefaultSpan]:
    """Some cell means with priors of their own: the others as the joint default prior has them given its mean."""
    others = [j for j in range(len(names)) if j != k]
    span = span_of((X - mean)[:, others], w)
    joint = np.zeros((len(names),) * 2)
    joint[:, k] = a
    joint[:, others] = np.eye(len(names))[:, others] - np.outer(a, mean[others])
    joint[:, others] = joint[:, others] @ _inverse(span.root)
    root = np.linalg.inv(joint)[:, default]
    T = np.eye(len(names))
    T[np.ix_(default, default)] = _inverse(np.linalg.qr(root, mode="r"))
    return names, T, np.zeros(len(names)), None, DefaultSpan(tuple(names[j] for j in default), span)


def canonical_effects(design: Design, block: RandomBlock, literal: bool) -> tuple[np.ndarray, np.ndarray]:
    """A [effect, effect] and the means [effect] that it takes off, run by run of correlated effects.

    Parameters
    ----------
    design : Design
    block : RandomBlock
    literal : bool
        Whether the block has a given prior that holds at the written zero only.
    """
    d = len(block.effects)
    A, means = np.eye(d), np.zeros(d)
    start = 0
    for size in block.pattern:
        run = slice(start, start + size)
        a = constant_in(block.values[:, run]) if size > 1 and not literal else None
        start += size
        if a is None:
            continue
        w = weights(design)
        mean = np.where(np.abs(a) < _EXACT, w @ block.values[:, run] / w.sum(), 0.0)
        means[run] = mean
        A[run, run] -= np.outer(a, mean)
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
