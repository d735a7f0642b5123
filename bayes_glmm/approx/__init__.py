"""Fast answers beside the posterior: approximate maximum likelihood and marginal models. Knows no PyMC."""

from __future__ import annotations

from bayes_glmm.approx.laplace import laplace as laplace
from bayes_glmm.approx.result import ApproxFit as ApproxFit
