"""The questions that anything with draws answers, as methods: of a fit, of an approximation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from bayes_glmm.effects.averaged import averaged_means
from bayes_glmm.effects.coefficients import coefficients, marginal_coefficients
from bayes_glmm.effects.comparisons import compare, slopes
from bayes_glmm.effects.estimands import Part
from bayes_glmm.effects.interactions import interact
from bayes_glmm.effects.missing import missing_responses
from bayes_glmm.effects.nakagawa import r_squared_nakagawa
from bayes_glmm.effects.percentiles import group_percentiles
from bayes_glmm.effects.predictions import Scale, predict
from bayes_glmm.effects.spread import r_squared, response_icc, response_variance
from bayes_glmm.effects.tidy import Estimates
from bayes_glmm.effects.variance import variance
from bayes_glmm.summaries import IntervalKind

BOTH = ("integrated", "zero")


class EffectMethods(ABC):
    """Effects, predictions and variance components; every method is one call downward, with the same arguments.

    ``level`` and ``interval`` choose the intervals: 0.95 and equal-tailed (``"eti"``) by default, ``"hdi"`` for the
    shortest. Estimates are posterior medians, or what the table's description names.
    """

    @abstractmethod
    def _ask(self, question: Callable[..., Estimates], *arguments: Any, **options: Any) -> Estimates:
        """The answer to a question, a function whose first argument is a posterior."""

    def predict(
        self,
        newdata: pd.DataFrame | None = None,
        random_effects: str | Sequence[str] = BOTH,
        scale: Scale = "response",
        *,
        level: float = 0.95,
        interval: IntervalKind = "eti",
        seed: int = 0,
        keep: str | Sequence[str] = (),
        part: Part | None = None,
    ) -> Estimates:
        """Means or outcomes of rows; see :func:`bayes_glmm.effects.predict`."""
        return self._ask(
            predict, newdata, random_effects, scale, level=level, interval=interval, seed=seed, keep=keep, part=part
        )

    def missing_responses(
        self,
        random_effects: str | Sequence[str] = "known_or_new",
        scale: Scale | None = None,
        *,
        level: float = 0.95,
        interval: IntervalKind = "eti",
        seed: int = 0,
        part: Part | None = None,
    ) -> Estimates:
        """Predictions of rows without a response; see :func:`bayes_glmm.effects.missing_responses`."""
        return self._ask(missing_responses, random_effects, scale, level=level, interval=interval, seed=seed, part=part)

    def means(
        self,
        variable: str | None = None,
        values: Sequence[Any] | None = None,
        *,
        newdata: pd.DataFrame | None = None,
        by: str | Sequence[str] | None = None,
        random_effects: str | Sequence[str] = BOTH,
        level: float = 0.95,
        interval: IntervalKind = "eti",
        seed: int = 0,
        keep: str | Sequence[str] = (),
        weights: str | np.ndarray | None = None,
        part: str | None = None,
    ) -> Estimates:
        """Averaged means, at each value of a variable; see :func:`bayes_glmm.effects.averaged_means`."""
        return self._ask(
            averaged_means, variable, values, newdata=newdata, by=by, random_effects=random_effects, level=level,
            interval=interval, seed=seed, keep=keep, weights=weights, part=part,
        )  # fmt: skip

    def compare(
        self,
        variable: str,
        contrast: Any = None,
        *,
        newdata: pd.DataFrame | None = None,
        by: str | Sequence[str] | None = None,
        random_effects: str | Sequence[str] = BOTH,
        estimands: str | Sequence[str] = ("difference", "ratio", "odds_ratio"),
        level: float = 0.95,
        interval: IntervalKind = "eti",
        seed: int = 0,
        keep: str | Sequence[str] = (),
        weights: str | np.ndarray | None = None,
        part: Part | None = None,
    ) -> Estimates:
        """What changing a variable changes, on average; see :func:`bayes_glmm.effects.compare`."""
        return self._ask(
            compare, variable, contrast, newdata=newdata, by=by, random_effects=random_effects, estimands=estimands,
            level=level, interval=interval, seed=seed, keep=keep, weights=weights, part=part,
        )  # fmt: skip

    def slopes(
        self,
        variable: str,
        *,
        newdata: pd.DataFrame | None = None,
        by: str | Sequence[str] | None = None,
        random_effects: str | Sequence[str] = BOTH,
        level: float = 0.95,
        interval: IntervalKind = "eti",
        seed: int = 0,
        keep: str | Sequence[str] = (),
        weights: str | np.ndarray | None = None,
        part: Part | None = None,
    ) -> Estimates:
        """Average derivative of the mean; see :func:`bayes_glmm.effects.slopes`."""
        return self._ask(
            slopes, variable, newdata=newdata, by=by, random_effects=random_effects, level=level, interval=interval,
            seed=seed, keep=keep, weights=weights, part=part,
        )  # fmt: skip

    def interact(
        self,
        variable: str,
        moderator: str,
        contrast: Any = None,
        moderator_contrast: Any = None,
        *,
        newdata: pd.DataFrame | None = None,
        random_effects: str | Sequence[str] = BOTH,
        estimands: str | Sequence[str] = ("difference",),
        level: float = 0.95,
        interval: IntervalKind = "eti",
        seed: int = 0,
        keep: str | Sequence[str] = (),
        weights: str | np.ndarray | None = None,
        part: Part | None = None,
    ) -> Estimates:
        """How a comparison changes with a second variable; see :func:`bayes_glmm.effects.interact`."""
        return self._ask(
            interact, variable, moderator, contrast, moderator_contrast, newdata=newdata,
            random_effects=random_effects, estimands=estimands, level=level, interval=interval, seed=seed, keep=keep,
            weights=weights, part=part,
        )  # fmt: skip

    def coefficients(
        self, parameter: str | None = None, *, level: float = 0.95, interval: IntervalKind = "eti"
    ) -> Estimates:
        """Conditional coefficients; see :func:`bayes_glmm.effects.coefficients`."""
        return self._ask(coefficients, parameter, level=level, interval=interval)

    def marginal_coefficients(self, *, level: float = 0.95, interval: IntervalKind = "eti") -> Estimates:
        """Coefficients of the marginal model; see :func:`bayes_glmm.effects.marginal_coefficients`."""
        return self._ask(marginal_coefficients, level=level, interval=interval)

    def variance(self, *, level: float = 0.95, interval: IntervalKind = "eti") -> Estimates:
        """Sds, correlations, intraclass correlations; see :func:`bayes_glmm.effects.variance`."""
        return self._ask(variance, level=level, interval=interval)

    def response_variance(
        self, newdata: pd.DataFrame | None = None, *, level: float = 0.95, interval: IntervalKind = "eti"
    ) -> Estimates:
        """Variance and correlation of the response itself; see :func:`bayes_glmm.effects.response_variance`."""
        return self._ask(response_variance, newdata, level=level, interval=interval)

    def response_icc(self, *, level: float = 0.95, interval: IntervalKind = "eti", draws: int = 400) -> Estimates:
        """Correlation of responses within groups, over all rows; see :func:`bayes_glmm.effects.response_icc`."""
        return self._ask(response_icc, level=level, interval=interval, draws=draws)

    def group_percentiles(
        self,
        newdata: pd.DataFrame | None = None,
        percentiles: Sequence[float] = (5.0, 25.0, 50.0, 75.0, 95.0),
        *,
        level: float = 0.95,
        interval: IntervalKind = "eti",
    ) -> Estimates:
        """How much groups differ at rows; see :func:`bayes_glmm.effects.group_percentiles`."""
        return self._ask(group_percentiles, newdata, percentiles, level=level, interval=interval)

    def r_squared(self, *, level: float = 0.95, interval: IntervalKind = "eti", draws: int = 400) -> Estimates:
        """Bayesian R2 of the response; see :func:`bayes_glmm.effects.r_squared`."""
        return self._ask(r_squared, level=level, interval=interval, draws=draws)

    def r_squared_nakagawa(self, *, level: float = 0.95, interval: IntervalKind = "eti") -> Estimates:
        """R2 on the latent scale; see :func:`bayes_glmm.effects.r_squared_nakagawa`."""
        return self._ask(r_squared_nakagawa, level=level, interval=interval)
