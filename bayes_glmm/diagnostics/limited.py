"""Which checks can compare values of censored responses.

Replicated responses are censored at limits of their own (:mod:`bayes_glmm.design.recensor`), so that statistics of
values compare like with like. Where these limits are not known such checks are skipped: residuals are then what shows
whether the model could have made the data, as they ask only where a row lies within its range.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from bayes_glmm.design.recensor import UNKNOWN, censoring_limits
from bayes_glmm.diagnostics.check import Check, Skipped
from bayes_glmm.posterior import Posterior

Checked = Callable[[Posterior], Check | Skipped]


def of_values(name: str, title: str) -> Callable[[Checked], Checked]:
    """Skip a check that compares values where what is known of them is not comparable; the mean says why for all."""

    def skipping(check: Checked) -> Checked:
        @wraps(check)
        def checked(posterior: Posterior) -> Check | Skipped:
            if censoring_limits(posterior.design) is not None:
                return check(posterior)
            return Skipped(name, title, UNKNOWN if name == "mean" else "")

        return checked

    return skipping
