"""Bayesian generalized linear mixed models: conditional and population-averaged effects, with their uncertainty."""

from __future__ import annotations

from importlib.metadata import version

from bayes_glmm.errors import ConfigError as ConfigError
from bayes_glmm.errors import DataError as DataError
from bayes_glmm.errors import GLMMError as GLMMError
from bayes_glmm.errors import SamplingError as SamplingError
from bayes_glmm.errors import SpecError as SpecError
from bayes_glmm.families import FAMILIES as FAMILIES
from bayes_glmm.families import LINKS as LINKS
from bayes_glmm.glmm import GLMM as GLMM
from bayes_glmm.glmm import Fit as Fit
from bayes_glmm.glmm import load as load
from bayes_glmm.posterior import Posterior as Posterior
from bayes_glmm.spec import ModelSpec as ModelSpec
from bayes_glmm.spec import Prior as Prior

__version__ = version("bayes-glmm")
