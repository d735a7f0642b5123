"""The likelihood with the random effects integrated out, and its maximum. Knows no PyMC."""

from __future__ import annotations

from bayes_glmm.likelihood.estimate import Estimate as Estimate
from bayes_glmm.likelihood.estimate import maximum_a_posteriori as maximum_a_posteriori
from bayes_glmm.likelihood.estimate import maximum_likelihood as maximum_likelihood
from bayes_glmm.likelihood.laplace import Evaluation as Evaluation
from bayes_glmm.likelihood.laplace import laplace_log_likelihood as laplace_log_likelihood
from bayes_glmm.likelihood.layout import Layout as Layout
from bayes_glmm.likelihood.layout import layout_of as layout_of
from bayes_glmm.likelihood.likelihood import Likelihood as Likelihood
from bayes_glmm.likelihood.likelihood import Parameters as Parameters
from bayes_glmm.likelihood.likelihood import likelihood_of as likelihood_of
from bayes_glmm.likelihood.modes import Modes as Modes
from bayes_glmm.likelihood.modes import conditional_modes as conditional_modes
