"""Akaike's criterion for predicting new responses of the same groups, by their predicted random effects."""

from __future__ import annotations

from dataclasses import dataclass

from bayes_glmm.approx.result import ApproxFit
from bayes_glmm.effects import effective_parameters
from bayes_glmm.errors import SpecError
from bayes_glmm.predictive import log_likelihood


@dataclass(frozen=True)
class ConditionalAIC:
    """The conditional Akaike criterion, with what it is made of.

    Attributes
    ----------
    aic : float
        -2 log p(y | beta, u) + 2 (effective parameters + auxiliary parameters).
    log_likelihood : float
        log p(y | beta, u), given the predicted random effects.
    effective_parameters : float
        Trace of the hat matrix, between the number of coefficients and that plus the number of random effects.
    auxiliary : int
        Number of the family's further parameters.
    """

    aic: float
    log_likelihood: float
    effective_parameters: float
    auxiliary: int

    def __str__(self) -> str:
        return (
            f"Conditional AIC {self.aic:.2f}: log likelihood given the random effects {self.log_likelihood:.4f}, "
            f"{self.effective_parameters:.2f} effective parameters, {self.auxiliary} auxiliary."
        )


def conditional_aic(fit: ApproxFit) -> ConditionalAIC:
    """Akaike's criterion for a focus on the groups at hand; :attr:`ApproxFit.aic` is for a focus on new groups.

    Parameters
    ----------
    fit : ApproxFit

    Returns
    -------
    ConditionalAIC

    Raises
    ------
    SpecError
        For a method that predicts no random effects.
    DataError
        For more than 6,000 fixed and random effects.

    Notes
    -----
    After Vaida & Blanchard (2005, Biometrika 92, 351-370), in its form for large samples and known variances: that
    variances are estimated is not paid for, so that it leans to larger models. Outside the linear model the hat matrix
    is that of the working response (Lu, Hodges & Carlin 2007).
    """
    if fit.random_effects is None:
        raise SpecError(f"{fit.method} predicts no random effects.", advice="Use bg.approx.laplace(model).")
    conditional = float(log_likelihood(fit.point).to_numpy().sum())
    effective = effective_parameters(fit.point)
    auxiliary = len(fit.parameters.auxiliary)
    return ConditionalAIC(-2.0 * conditional + 2.0 * (effective + auxiliary), conditional, effective, auxiliary)
