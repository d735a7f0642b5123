"""From a posterior to what people report: conditional and population-averaged effects, and their uncertainty."""

from __future__ import annotations

from bayes_glmm.effects.averaged import averaged_means as averaged_means
from bayes_glmm.effects.coefficients import approximate_marginal_coefficients as approximate_marginal_coefficients
from bayes_glmm.effects.coefficients import coefficients as coefficients
from bayes_glmm.effects.coefficients import marginal_coefficients as marginal_coefficients
from bayes_glmm.effects.comparisons import compare as compare
from bayes_glmm.effects.comparisons import slopes as slopes
from bayes_glmm.effects.effective import effective_parameters as effective_parameters
from bayes_glmm.effects.estimands import ESTIMANDS as ESTIMANDS
from bayes_glmm.effects.estimands import Estimand as Estimand
from bayes_glmm.effects.grid import balanced as balanced
from bayes_glmm.effects.grid import means as means
from bayes_glmm.effects.grid import reference_grid as reference_grid
from bayes_glmm.effects.hypotheses import hypothesis as hypothesis
from bayes_glmm.effects.hypotheses import probability_within as probability_within
from bayes_glmm.effects.integrate import average_over_normal as average_over_normal
from bayes_glmm.effects.interactions import interact as interact
from bayes_glmm.effects.levels import ranef as ranef
from bayes_glmm.effects.levels import ranks as ranks
from bayes_glmm.effects.methods import EffectMethods as EffectMethods
from bayes_glmm.effects.missing import missing_responses as missing_responses
from bayes_glmm.effects.nakagawa import r_squared_nakagawa as r_squared_nakagawa
from bayes_glmm.effects.percentiles import group_percentiles as group_percentiles
from bayes_glmm.effects.predictions import predict as predict
from bayes_glmm.effects.spread import r_squared as r_squared
from bayes_glmm.effects.spread import response_icc as response_icc
from bayes_glmm.effects.spread import response_variance as response_variance
from bayes_glmm.effects.tidy import Estimates as Estimates
from bayes_glmm.effects.variance import variance as variance
