"""Parameters whose intercept is fixed at 0, as the discrimination of ordered categories.

Twice the discrimination with half the thresholds and coefficients is the same model. So log disc has no intercept: disc
is 1 where its columns and random effects are 0, and thresholds and coefficients have the unit that they have there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from bayes_glmm.design.canonical_columns import constant_in
from bayes_glmm.design.design import Design
from bayes_glmm.design.finding import Finding
from bayes_glmm.errors import SpecError
from bayes_glmm.families import Parameter
from bayes_glmm.spec import Formula, ModelSpec

FAR = 1.0  # of a column's mean from 0, in its sd: from there disc is 1 outside of the data


def anchored_at(parameter: Parameter, formula: Formula, names: Sequence[str], X: np.ndarray) -> int:
    """The position of the first column that has a coefficient, after checks that no other column is a constant.

    Raises
    ------
    SpecError
        For a formula that asks for an intercept, or has nothing to estimate.
    """
    name, written = parameter.name, [term.strip() for term in formula.fixed.split("+")]
    why = (
        f"The intercept of {name} is fixed at 0: with another one, thresholds and coefficients change their unit alone."
    )
    if "1" in written and len(written) > 1:
        raise SpecError(why, str(formula), "Leave out 1 +.")
    first = int(bool(names) and names[0] == "Intercept")
    if constant_in(X[:, first:]) is not None:
        raise SpecError(why, f"{formula}, whose columns add up to a constant", "Leave out 0 +.")
    if len(names) == first and not formula.random and formula.offset is None:
        raise SpecError(why, str(formula), f"Leave the formula out: {name} is 1 then. Or name a column: {name} ~ x.")
    return first


def far_from_anchor(spec: ModelSpec, design: Design) -> Iterator[Finding]:
    """Numeric columns of such a parameter whose 0 is outside of the data."""
    for one in design.predictors.fixed:
        record = spec.family.parameter(one.parameter)
        if not record.anchored or record.threshold:  # thresholds take a shift of their columns
            continue
        mean, sd = one.X.mean(axis=0), one.X.std(axis=0)
        coded = np.isin(one.X, (0.0, 1.0)).all(axis=0)
        for name in np.array(one.coefficients, dtype=object)[(np.abs(mean) > FAR * sd) & ~coded]:
            yield Finding(
                "far_from_anchor",
                f"{one.parameter} is 1 at {name} = 0, far from the data: thresholds and coefficients refer to that "
                "point, and the answer depends on where 0 is.",
                f"formula of {one.parameter}",
                f"Write {one.parameter} ~ center({name}).",
                weight="look",
                parameters=(f"{one.variable}[{name}]",),
            )
