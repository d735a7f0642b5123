r"""Coefficients of several predictors that are correlated a priori: a fixed mixture of independent ones, beta = M b.

The coefficients of a category are contrasts with the reference, so those of two categories share what is the
reference's. Let category k have a score with coefficients a_k ~ N(0, S^2 / 2 P^-1), independent. The contrasts
beta_k = a_k - a_1 are

    beta ~ N(0, S^2 / 2 (I + J) kron P^-1),     J all ones,

each with prior sd S as by itself, any two with correlation 1/2, and contrasts with another reference have the same
prior. With C C' = (I + J) / 2, C lower triangular, beta_k = sum_l C_kl b_l with independent b_l. M is C for each
canonical column that has its default prior in all of these predictors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from bayes_glmm.design.predictor import Predictor
from bayes_glmm.spec import Prior


def mixture(fixed: Sequence[Predictor], default: Mapping[str, np.ndarray], correlation: float) -> np.ndarray | None:
    """M [coefficient, independent coefficient], of one parameter's after another's; None where nothing is mixed.

    Parameters
    ----------
    fixed : sequence of Predictor
        As written; those with the same columns and the same of them by default are mixed with each other.
    default : mapping of parameter to array of bool [coefficient]
        Which canonical coefficients have their default prior.
    correlation : float
        Between two parameters, as :class:`~bayes_glmm.families.Family` states it.
    """
    ends = np.cumsum([len(one.coefficients) for one in fixed])
    mix = np.eye(int(ends[-1]))
    for group in _alike(fixed, default) if correlation else []:
        size = len(group)
        root = np.linalg.cholesky((1.0 - correlation) * np.eye(size) + correlation)
        first = [int(ends[k]) - len(fixed[k].coefficients) for k in group]
        for j in np.flatnonzero(default[fixed[group[0]].parameter]):
            places = [start + int(j) for start in first]
            mix[np.ix_(places, places)] = root
    return None if np.array_equal(mix, np.eye(len(mix))) else mix


def _alike(fixed: Sequence[Predictor], default: Mapping[str, np.ndarray]) -> list[list[int]]:
    """Positions of predictors with the same columns, group by group."""
    groups: list[list[int]] = []
    for k, one in enumerate(fixed):
        for group in groups:
            other = fixed[group[0]]
            if (
                one.coefficients == other.coefficients
                and np.array_equal(one.X, other.X)
                and np.array_equal(default[one.parameter], default[other.parameter])
            ):
                group.append(k)
                break
        else:
            groups.append([k])
    return groups


def mixed(mix: np.ndarray) -> np.ndarray:
    """Whether each coefficient is mixed with others [coefficient]."""
    elsewhere = mix != np.eye(len(mix))
    return elsewhere.any(axis=0) | elsewhere.any(axis=1)


def independent_priors(priors: Mapping[str, Prior], mix: np.ndarray) -> dict[str, Prior]:
    """The priors of the independent coefficients b, from those of each coefficient by itself.

    Parameters
    ----------
    priors : mapping of key to Prior
        In the order of the rows of M; those of mixed coefficients are ``Normal(mu=..., sigma=...)`` with one sd.
    mix : array [coefficient, independent coefficient]
    """
    named = [dict(prior.keyword) if used else {} for prior, used in zip(priors.values(), mixed(mix), strict=True)]
    means = np.linalg.solve(mix, np.array([one.get("mu", 0.0) for one in named], float))
    return {
        key: Prior("Normal", keyword=(("mu", float(mean)), ("sigma", one["sigma"]))) if one else prior
        for (key, prior), one, mean in zip(priors.items(), named, means, strict=True)
    }
