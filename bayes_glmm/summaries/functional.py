r"""Which functional of the posterior is the point estimate. Every table has one and names it.

The posterior **median** is the default. It exists whatever the tails, it follows monotone transformations (the median
of an odds ratio is the exponential of the median log odds ratio), and it lies inside every interval of 50 % or more.
The mean of :math:`e^{\sigma^2/2}`, of a ratio or of an odds ratio is infinite under priors with heavy tails, and the
averages of its draws never settle.

The posterior **mean** is for quantities that are bounded and add up, as the probabilities of categories do, so that
printed estimates add up too; and for expected future observations where that mean exists
(:func:`functional_of_outcomes`).

Differences, totals and ratios are worked out draw by draw and then summarised: the median of a - b is not the median of
a less the median of b.
"""

from __future__ import annotations

from typing import Literal

from bayes_glmm.spec import ModelSpec

Functional = Literal["median", "mean"]


def functional_of_outcomes(spec: ModelSpec) -> Functional:
    """Return the functional for new responses: the mean where it exists whatever the tails, else the median.

    It exists where responses are bounded (yes or no, successes, fractions: the median of yes or no would be 0 or 1) and
    under the identity link. Under the log link the mean of a response in a new group contains exp(variance / 2).
    """
    bounded = spec.family.response.range == "unit"
    return "mean" if bounded or spec.link_of_part(spec.family.mean).name == "identity" else "median"
