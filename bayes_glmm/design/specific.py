"""Effects that differ between the thresholds of ordered categories.

Their columns have no intercept at each threshold: it is the threshold itself. So the default priors of thresholds, at
the centre of these columns, are those of thresholds that are higher by :attr:`~bayes_glmm.design.Canonical.lift` times
the coefficients at x = 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from bayes_glmm.design.canonical import Canonical
from bayes_glmm.design.canonical_columns import constant_in
from bayes_glmm.design.design import Design, Predictors
from bayes_glmm.design.rank import rank_of
from bayes_glmm.errors import SpecError
from bayes_glmm.spec import Formula


def after_threshold(formula: Formula, names: Sequence[str], X: np.ndarray) -> int:
    """The position of the first column that has a coefficient, after checks that no other column is a constant.

    Raises
    ------
    SpecError
        If the columns have a constant of their own, or nothing beside one.
    """
    first, written = int(bool(names) and names[0] == "Intercept"), f"cs({formula.fixed})"
    if constant_in(X[:, first:]) is not None:
        raise SpecError("The columns of cs() add up to a constant, which thresholds are.", written, "Leave out 0 +.")
    if len(names) == first:
        raise SpecError("Without cs(), thresholds differ already: its constant is theirs.", written, "Leave it out.")
    return first


def check_not_common(predictors: Predictors, formula: Formula) -> None:
    """Check that no effect is both the same at all thresholds and different between them.

    Raises
    ------
    SpecError
    """
    if not predictors.specific:
        return
    common, own = predictors.location, predictors.specific[0]
    if (twice := rank_of(np.hstack([common.X, own.X])).aliased).size:
        name = [*common.coefficients, *own.coefficients][twice[0]]
        raise SpecError(
            f"The effect of {name} is in the formula twice: the same at all thresholds, and different between them.",
            f"{formula.fixed} and cs({formula.specific})",
            "Leave it out of one of them.",
        )


def with_steps_at_zero(
    steps: Mapping[str, float], beta: np.ndarray, canonical: Canonical, design: Design
) -> dict[str, float]:
    """Constants with the steps between thresholds at x = 0 in place of those at the centre.

    Parameters
    ----------
    steps : mapping of name to float
        The constants.
    beta : array [coefficient]
        Coefficients as written, of one parameter after another.
    canonical : Canonical
    design : Design
    """
    lift = canonical.lift @ beta
    names = design.steps if len(lift) else ()
    return dict(steps) | {name: steps[name] + float(own) for name, own in zip(names, np.diff(lift), strict=True)}
