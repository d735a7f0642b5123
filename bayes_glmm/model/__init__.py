"""The plain PyMC model, written to be read. It is the definition of the posterior."""

from __future__ import annotations

from bayes_glmm.model.builder import build_model as build_model
from bayes_glmm.model.builder import plain_likelihood as plain_likelihood
