"""Answer: a question that was asked of the posterior, and the estimates that answer it."""

from __future__ import annotations

from dataclasses import dataclass

from bayes_glmm.effects import Estimates
from bayes_glmm.effects.estimands import Part


@dataclass(frozen=True)
class Answer:
    """A question with its estimates.

    Attributes
    ----------
    question : str
        The title in the report.
    variable : str
        The variable whose effect was asked for; empty for predictions. The report leaves it out of its default
        comparisons.
    estimates : Estimates
        What ``compare``, ``slopes`` or ``predict`` returned, with intervals of 95 %.
    part : str or None
        What of the response was asked for; None for what is asked by default.
    """

    question: str
    variable: str
    estimates: Estimates
    part: Part | None = None
