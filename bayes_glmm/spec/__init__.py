"""What a person may ask for: a formula or its parts, a family, a link, priors."""

from __future__ import annotations

from bayes_glmm.spec.formula import Formula as Formula
from bayes_glmm.spec.formula import parse_formula as parse_formula
from bayes_glmm.spec.model_spec import ModelSpec as ModelSpec
from bayes_glmm.spec.priors import Prior as Prior
from bayes_glmm.spec.residual import ResidualTerm as ResidualTerm
from bayes_glmm.spec.several import read_formulas as read_formulas
from bayes_glmm.spec.terms import RandomTerm as RandomTerm
