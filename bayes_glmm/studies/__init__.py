"""Questions that take more fits than one."""

from __future__ import annotations

from bayes_glmm.approx import CrossCheck
from bayes_glmm.approx import cross_check as _cross_check
from bayes_glmm.glmm import Fit
from bayes_glmm.studies.calibration import SBC as SBC
from bayes_glmm.studies.calibration import simulation_based_calibration as simulation_based_calibration
from bayes_glmm.studies.cross_validation import CrossValidation as CrossValidation
from bayes_glmm.studies.cross_validation import kfold as kfold
from bayes_glmm.studies.model_comparison import ModelComparison as ModelComparison
from bayes_glmm.studies.model_comparison import compare_models as compare_models
from bayes_glmm.studies.refit import refit_bad as refit_bad


def cross_check(fit: Fit) -> CrossCheck:
    """A fit beside Laplace, adaptive quadrature, PQL and GEE; see :func:`bayes_glmm.approx.cross_check`."""
    return _cross_check(fit.posterior)
