"""From draws to printed numbers: the point estimate, its Monte Carlo error, the interval. One rule for all tables."""

from __future__ import annotations

from bayes_glmm.summaries.functional import Functional as Functional
from bayes_glmm.summaries.functional import functional_of_outcomes as functional_of_outcomes
from bayes_glmm.summaries.interval import Interval as Interval
from bayes_glmm.summaries.interval import IntervalKind as IntervalKind
from bayes_glmm.summaries.interval import check_level as check_level
from bayes_glmm.summaries.monte_carlo import effective_draws as effective_draws
from bayes_glmm.summaries.monte_carlo import mcse as mcse
from bayes_glmm.summaries.summary import summarise_draws as summarise_draws
from bayes_glmm.summaries.undefined import undefined_as_median as undefined_as_median
