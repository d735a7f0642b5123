"""The questions that can be asked of anything with draws, as methods: of a fit, of an approximation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import pandas as pd

from bayes_glmm.effects.coefficients import coefficients, marginal_coefficients
from bayes_glmm.effects.comparisons import compare, slopes
from bayes_glmm.effects.interactions import interact
from bayes_glmm.effects.nakagawa import r_squared_nakagawa
from bayes_glmm.effects.percentiles import group_percentiles
from bayes_glmm.effects.predictions import predict
from bayes_glmm.effects.spread import r_squared, response_icc, response_variance
from bayes_glmm.effects.tidy import Estimates
from bayes_glmm.effects.variance import variance


class EffectMethods(ABC):
    """Effects, predictions and variance components; every method is one call downward."""

    @abstractmethod
    def _ask(self, question: Callable[..., Estimates], *arguments: Any, **options: Any) -> Estimates:
        """The answer to a question, a function whose first argument is a posterior."""

    def predict(self, newdata: pd.DataFrame | None = None, **options: Any) -> Estimates:
        """Means or outcomes of rows; see :func:`bayes_glmm.effects.predict`."""
        return self._ask(predict, newdata, **options)

    def compare(self, variable: str, **options: Any) -> Estimates:
        """What changing a variable changes, on average; see :func:`bayes_glmm.effects.compare`."""
        return self._ask(compare, variable, **options)

    def slopes(self, variable: str, **options: Any) -> Estimates:
        """Average derivative of the mean; see :func:`bayes_glmm.effects.slopes`."""
        return self._ask(slopes, variable, **options)

    def interact(self, variable: str, moderator: str, **options: Any) -> Estimates:
        """How a comparison changes with a second variable; see :func:`bayes_glmm.effects.interact`."""
        return self._ask(interact, variable, moderator, **options)

    def coefficients(self, **options: Any) -> Estimates:
        """Conditional coefficients; see :func:`bayes_glmm.effects.coefficients`."""
        return self._ask(coefficients, **options)

    def marginal_coefficients(self, **options: Any) -> Estimates:
        """Coefficients of the marginal model; see :func:`bayes_glmm.effects.marginal_coefficients`."""
        return self._ask(marginal_coefficients, **options)

    def variance(self, **options: Any) -> Estimates:
        """Sds, correlations, intraclass correlations; see :func:`bayes_glmm.effects.variance`."""
        return self._ask(variance, **options)

    def response_variance(self, newdata: pd.DataFrame | None = None, **options: Any) -> Estimates:
        """Variance and correlation of the response itself; see :func:`bayes_glmm.effects.response_variance`."""
        return self._ask(response_variance, newdata, **options)

    def response_icc(self, **options: Any) -> Estimates:
        """Correlation of responses within groups, over all rows; see :func:`bayes_glmm.effects.response_icc`."""
        return self._ask(response_icc, **options)

    def group_percentiles(self, newdata: pd.DataFrame | None = None, **options: Any) -> Estimates:
        """How much groups differ at rows; see :func:`bayes_glmm.effects.group_percentiles`."""
        return self._ask(group_percentiles, newdata, **options)

    def r_squared(self, **options: Any) -> Estimates:
        """Bayesian R2 of the response; see :func:`bayes_glmm.effects.r_squared`."""
        return self._ask(r_squared, **options)

    def r_squared_nakagawa(self, **options: Any) -> Estimates:
        """R2 on the latent scale; see :func:`bayes_glmm.effects.r_squared_nakagawa`."""
        return self._ask(r_squared_nakagawa, **options)
