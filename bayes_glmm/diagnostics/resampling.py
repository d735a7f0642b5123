"""Whether draws made by importance resampling, instead of chains, stand for the posterior.

Such draws (:func:`bayes_glmm.approx.laplace_posterior`) are independent; what chains are asked does not arise. Their
numbers were taken when they were made, and stand in the provenance.
"""

from __future__ import annotations

import pandas as pd

from bayes_glmm.diagnostics.check import Check, Skipped, Verdict
from bayes_glmm.posterior import Posterior

SOURCE = "Vehtari, Simpson, Gelman, Yao & Gabry (2024), Pareto smoothed importance sampling, JMLR 25(72)"
SHIFT = 0.1, 0.5  # posterior sds: what chains of 100 effective draws get wrong; what a reader would see
SAMPLE = "Sample with model.fit()."


def check_k_hat(posterior: Posterior) -> Check | Skipped:
    """Do the weights have a mean that so many draws can find? Fails above the limit: no estimate can be trusted."""
    name, title = "k_hat", "Pareto k, resampling"
    k, limit = (posterior.provenance.get(key) for key in ("k_hat", "good_k"))
    if k is None or limit is None:
        return Skipped(name, title, "")
    verdict: Verdict = "pass" if k <= limit else "fail"
    return Check(
        name, title, verdict, k, limit, "below",
        finding="of the parameters' weights",
        evidence=pd.DataFrame({"weights": ["parameters"], "value": [k]}),
        advice=() if verdict == "pass" else (f"The posterior is not like a bell around its mode. {SAMPLE}",),
        source=SOURCE,
    )  # fmt: skip


def check_integration(posterior: Posterior) -> Check | Skipped:
    """How far the error of integrating random effects out may move posterior means, in posterior sds."""
    name, title = "integration", "Integration error / sd"
    error = posterior.provenance.get("integration_error")
    if error is None:
        return Skipped(name, title, "No finer quadrature exists for this model." if _resampled(posterior) else "")
    verdict: Verdict = "pass" if error <= SHIFT[0] else "look" if error <= SHIFT[1] else "fail"
    return Check(
        name, title, verdict, error, SHIFT[0], "below",
        finding="posterior means move by this much at most",
        evidence=pd.DataFrame({"quantity": ["log likelihood"], "value": [error]}),
        advice=() if verdict == "pass" else (f"Take more nodes, until this is below {SHIFT[0]:g}; or: {SAMPLE}",),
        source="First order: the covariance of a quantity with the error of the log likelihood, over the draws",
    )  # fmt: skip


def _resampled(posterior: Posterior) -> bool:
    return posterior.provenance.get("coordinates") == "laplace"
