"""Fast answers beside the posterior: approximate maximum likelihood and marginal models. Knows no PyMC."""

from __future__ import annotations

from bayes_glmm.approx.aghq import aghq as aghq
from bayes_glmm.approx.comparison import LikelihoodRatio as LikelihoodRatio
from bayes_glmm.approx.comparison import likelihood_ratio as likelihood_ratio
from bayes_glmm.approx.conditional import ConditionalAIC as ConditionalAIC
from bayes_glmm.approx.conditional import conditional_aic as conditional_aic
from bayes_glmm.approx.cross_check import CrossCheck as CrossCheck
from bayes_glmm.approx.cross_check import cross_check as cross_check
from bayes_glmm.approx.em import em as em
from bayes_glmm.approx.gee import gee as gee
from bayes_glmm.approx.gee import side_by_side as side_by_side
from bayes_glmm.approx.intervals import intervals as intervals
from bayes_glmm.approx.laplace import laplace as laplace
from bayes_glmm.approx.pql import pql as pql
from bayes_glmm.approx.resample import laplace_posterior as laplace_posterior
from bayes_glmm.approx.result import ApproxFit as ApproxFit
