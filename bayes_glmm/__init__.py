"""Bayesian generalized linear mixed models: conditional and population-averaged effects, with their uncertainty.

Names are imported when first used, so that ``import bayes_glmm`` and the command line's help answer at once.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bayes_glmm.errors import ConfigError as ConfigError
    from bayes_glmm.errors import DataError as DataError
    from bayes_glmm.errors import GLMMError as GLMMError
    from bayes_glmm.errors import SamplingError as SamplingError
    from bayes_glmm.errors import SpecError as SpecError
    from bayes_glmm.families import FAMILIES as FAMILIES
    from bayes_glmm.families import LINKS as LINKS
    from bayes_glmm.families import Family as Family
    from bayes_glmm.families import Parameter as Parameter
    from bayes_glmm.glmm import GLMM as GLMM
    from bayes_glmm.glmm import Fit as Fit
    from bayes_glmm.glmm import load as load
    from bayes_glmm.interop import from_bambi as from_bambi
    from bayes_glmm.posterior import Posterior as Posterior
    from bayes_glmm.spec import ModelSpec as ModelSpec
    from bayes_glmm.spec import Prior as Prior
    from bayes_glmm.studies import compare_models as compare_models
    from bayes_glmm.studies import kfold as kfold
    from bayes_glmm.studies import refit_bad as refit_bad
    from bayes_glmm.studies import simulation_based_calibration as simulation_based_calibration

__version__ = version("bayes-glmm")

_NAMES = {
    "errors": ("ConfigError", "DataError", "GLMMError", "SamplingError", "SpecError"),
    "families": ("FAMILIES", "LINKS", "Family", "Parameter"),
    "glmm": ("GLMM", "Fit", "load"),
    "interop": ("from_bambi",),
    "posterior": ("Posterior",),
    "spec": ("ModelSpec", "Prior"),
    "studies": ("compare_models", "kfold", "refit_bad", "simulation_based_calibration"),
}
_HOME = {name: module for module, names in _NAMES.items() for name in names}
_PACKAGES = (
    "approx",
    "datasets",
    "design",
    "diagnostics",
    "effects",
    "families",
    "inference",
    "interop",
    "plots",
    "report",
    "studies",
)


def __getattr__(name: str) -> Any:
    """A public name from its home, or a package by its name."""
    if name in _HOME:
        return getattr(import_module(f"bayes_glmm.{_HOME[name]}"), name)
    if name in _PACKAGES:
        return import_module(f"bayes_glmm.{name}")
    raise AttributeError(f"module 'bayes_glmm' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME, *_PACKAGES])
