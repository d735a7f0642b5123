"""Estimates in words: the size of a change always with its direction, and its interval in the same terms."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from bayes_glmm.effects import Estimates
from bayes_glmm.effects.estimands import Part, chosen_parts, default_part
from bayes_glmm.plots.point import mean_text
from bayes_glmm.posterior import Posterior
from bayes_glmm.report.html import number

POINTS = "percentage points"
_CATEGORY = {"at_least": "{response} = {{}} or higher"}  # by part of the response, where it is not one category alone


@dataclass(frozen=True)
class Scale:
    """How values of a mean are written.

    Attributes
    ----------
    mean : str
        The name of the mean, such as ``probability of "yes"``.
    factor : float
        The factor of differences: 100 for percentage points.
    unit : str
        The unit of differences; empty for that of the response.
    category : str
        How one of the categories of the response is written, such as ``rating = {}``; empty for one number.
    """

    mean: str
    factor: float = 1.0
    unit: str = ""
    category: str = ""


def scale_of(posterior: Posterior, part: Part | None = None) -> Scale:
    """The scale of the mean of the response, or another part of it: probabilities differ by percentage points."""
    design, kind = posterior.design, posterior.spec.family.response
    response = design.response.strip("`")
    if (part or default_part(posterior.spec)) != "mean":
        asked = next(iter(chosen_parts(part, posterior.spec, design.categories).values()))
        written = (
            _CATEGORY.get(asked.name, "{response} = {{}}") if asked.name in posterior.spec.family.by_category else ""
        )
        category = written.format(response=response.replace("{", "{{").replace("}", "}}"))
        name = f"{asked.title} of {response}"
        return Scale(name, 100.0, POINTS, category) if asked.range == "unit" else Scale(name, category=category)
    if kind.ordered:
        return Scale(mean_text(posterior))
    if kind.trials:
        return Scale(f'probability of "{response}"', 100.0, POINTS)
    if kind.is_binary:
        event = f'"{design.success}"' if design.success else f"{response} = 1"
        return Scale(f"probability of {event}", 100.0, POINTS)
    return Scale(f"mean of {response}")


def change(estimate: float, lower: float, upper: float, scale: Scale, more: str = "") -> str:
    """A difference in words: each number has its own direction, so that no sign can be lost.

    Parameters
    ----------
    estimate, lower, upper : float
        The difference and its 95 % interval.
    scale : Scale
    more : str
        Further text within the parentheses.

    Examples
    --------
    >>> probability = Scale('probability of "yes"', 100.0, POINTS)
    >>> change(-0.024, -0.038, -0.011, probability)
    '2.4 percentage points lower (95 % interval 1.1 to 3.8 lower)'
    >>> change(0.013, -0.001, 0.027, probability)
    '1.3 percentage points higher (the 95 % interval includes 0: 0.10 lower to 2.7 higher)'
    """
    values = [value * scale.factor for value in (estimate, lower, upper)]
    if any(map(math.isnan, values)):
        return "not defined: some draws are not finite"
    middle, low, high = (_size(value, scale) for value in values)
    unit = f" {scale.unit}" if scale.unit else ""
    if values[1] <= 0.0 <= values[2]:
        within = f"the 95 % interval includes 0: {low} {_side(values[1], 'lower')} to {high} {_side(values[2])}"
    else:
        # from the smaller change to the larger one
        ends = (low, high) if values[1] > 0.0 else (high, low)
        within = f"95 % interval {ends[0]} to {ends[1]} {_side(values[1])}"
    return f"{middle}{unit} {_side(values[0])} ({within}{more})"


def _side(value: float, at_zero: str = "higher") -> str:
    """The direction of a change."""
    return "higher" if value > 0.0 else "lower" if value < 0.0 else at_zero


def _size(value: float, scale: Scale) -> str:
    """The size of a change: three digits, or one decimal place of a percentage point."""
    size = abs(float(value))
    if scale.unit != POINTS or size < 0.095:
        return str(number(size, 2 if scale.unit == POINTS else 3))
    return f"{size:.1f}" if size >= 0.95 else f"{size:.2f}"


def listed(names: Sequence[str]) -> str:
    """Return names as a list in a sentence.

    Examples
    --------
    >>> listed(["a"]), listed(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def summary_of(estimates: Estimates) -> str:
    """The functional and the interval of a table, as its description has them.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from bayes_glmm.effects.tidy import tidy
    >>> from bayes_glmm.summaries import Interval
    >>> found = tidy(np.zeros((4, 1)), pd.DataFrame({"name": ["x"]}), Interval(), (1, 4), "Posterior odds of a name.")
    >>> summary_of(found).endswith("equal-tailed interval.")
    True
    """
    start = estimates.description.rfind("Posterior ")
    return estimates.description[max(start, 0) :]


def functional_of(estimates: Estimates) -> str:
    """The functional of the draws that a table has: ``median`` or ``mean``; ``estimate`` where it has no name."""
    found = re.match(r"Posterior (median|mean|mode)\b", summary_of(estimates))
    return found[1] if found else "estimate"


def caption_of(estimates: Estimates) -> str:
    """The caption of a figure: what its dots and lines are."""
    return f"Posterior {functional_of(estimates)}s and 95 % intervals."
