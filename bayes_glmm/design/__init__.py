"""From a specification and data to arrays, and to the priors that their scales suggest."""

from __future__ import annotations

from bayes_glmm.design.block import RandomBlock as RandomBlock
from bayes_glmm.design.build import build_design as build_design
from bayes_glmm.design.canonical import Canonical as Canonical
from bayes_glmm.design.design import Design as Design
from bayes_glmm.design.design import Predictors as Predictors
from bayes_glmm.design.dimensions import dimension_labels as dimension_labels
from bayes_glmm.design.encode import new_predictors as new_predictors
from bayes_glmm.design.finding import Finding as Finding
from bayes_glmm.design.findings import findings as findings
from bayes_glmm.design.predictor import Predictor as Predictor
from bayes_glmm.design.priors import Priors as Priors
from bayes_glmm.design.priors import resolve_priors as resolve_priors
from bayes_glmm.design.problem import Problem as Problem
from bayes_glmm.design.separation import separated as separated
from bayes_glmm.design.subset import take_rows as take_rows
