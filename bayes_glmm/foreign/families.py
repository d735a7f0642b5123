"""Names of families in R, brms and Bambi: synonyms of the same likelihood are translated, others get advice."""

from __future__ import annotations

import re
from collections.abc import Iterable

from bayes_glmm.foreign.matching import first_match

_INFLATED = "zero_inflated_"
FAMILY_SYNONYMS: dict[str, str] = {
    **dict.fromkeys(("normal", "norm", "gauss"), "gaussian"),
    **dict.fromkeys(("student", "studentt", "t", "tdist"), "student_t"),
    **dict.fromkeys(("nbinom", "nbinom2", "nb", "nb2", "negbin", "negbinom", "negbinomial"), "negative_binomial"),
    **dict.fromkeys(("negativebinomial", "negativebinomial2", "negbinomial2"), "negative_binomial"),
    **dict.fromkeys(("pois",), "poisson"),
    **dict.fromkeys(("multinomial", "multinom"), "categorical"),
    **dict.fromkeys(("zip", "zipoisson", "zeroinflatedpoisson"), "zero_inflated_poisson"),
    **dict.fromkeys(
        ("zinb", "zinb2", "zeroinflatednegbinomial", "zeroinflatednegbinomial2"), f"{_INFLATED}negative_binomial"
    ),
    **dict.fromkeys(("zeroinflatednegativebinomial", "zeroinflatednbinom2"), f"{_INFLATED}negative_binomial"),
    **dict.fromkeys(("zinb1", "zeroinflatednbinom1", "zeroinflatednegbinomial1"), f"{_INFLATED}negative_binomial_1"),
    **dict.fromkeys(("zib", "zibinomial", "zeroinflatedbinomial"), f"{_INFLATED}binomial"),
    **dict.fromkeys(("zibb", "zeroinflatedbetabinomial"), f"{_INFLATED}beta_binomial"),
    **dict.fromkeys(("hurdlepoisson",), "hurdle_poisson"),
    **dict.fromkeys(("hurdlenegbinomial", "hurdlenegativebinomial"), "hurdle_negative_binomial"),
    **dict.fromkeys(("truncatedpoisson", "zerotruncatedpoisson", "ztp", "ztpoisson"), "truncated_poisson"),
    **dict.fromkeys(("truncatednbinom2", "truncatednbinom", "ztnb"), "truncated_negative_binomial"),
    **dict.fromkeys(("truncatednbinom1", "ztnb1"), "truncated_negative_binomial_1"),
    **dict.fromkeys(("nbinom1", "nb1", "negbinomial1", "negativebinomial1"), "negative_binomial_1"),
    **dict.fromkeys(("geom",), "geometric"),
    **dict.fromkeys(("compois", "compoisson", "cmp", "cmpoisson", "conwaymaxwellpoisson"), "com_poisson"),
    **dict.fromkeys(("betabinomial", "betabinom", "bb"), "beta_binomial"),
    **dict.fromkeys(("bernoullilogit", "bern"), "bernoulli"),
    **dict.fromkeys(("betar", "betareg", "betafamily"), "beta"),
    **dict.fromkeys(("loggaussian", "lnorm", "lognorm"), "lognormal"),
    **dict.fromkeys(("weibullaft",), "weibull"),
    **dict.fromkeys(("exp", "expon"), "exponential"),
    **dict.fromkeys(("inversegaussian", "invgaussian", "inversegauss", "invgauss", "wald", "ig"), "inverse_gaussian"),
    **dict.fromkeys(("zoib", "zeroinflatedoneinflatedbeta", "zerooneinflatedbeta"), "zero_one_inflated_beta"),
    **dict.fromkeys(("ordbeta", "ordbetareg", "orderedbeta"), "ordered_beta"),
    **dict.fromkeys(("hurdlegamma", "zigamma", "gammahurdle"), "hurdle_gamma"),
    **dict.fromkeys(("hurdlelognormal", "zilognormal", "lognormalhurdle"), "hurdle_lognormal"),
    **dict.fromkeys(("ordinal", "ordered", "clm", "clmm", "polr", "ologit", "proportionalodds"), "cumulative"),
    **dict.fromkeys(("sequential", "stoppingratio"), "sratio"),
    **dict.fromkeys(("continuationratio",), "cratio"),
    **dict.fromkeys(("adjacent", "adjacentcategory", "adjacentcategories"), "acat"),
}
"""Names without case, ``_``, ``.`` and ``-`` -> the family of the same likelihood."""

_AS_HERE = ("gaussian", "gamma", "lognormal", "weibull", "exponential", "bernoulli", "beta", "poisson", "geometric",
            "cumulative", "sratio", "cratio", "acat")  # fmt: skip
_FAMILIES: tuple[tuple[str, str], ...] = (
    (r"binom|logistic|logit", "Write family='binomial' with p(y, n), or family='bernoulli' for a 0/1 response."),
    (r"probit", "Write family='bernoulli', link='probit'."),
    (r"cloglog", "Write family='bernoulli', link='cloglog'."),
    (
        r"(?P<family>\w+)\((link=)?['\"]?(?P<link>\w*)['\"]?,?threshold=['\"](?P<pattern>\w+)['\"]\)",
        "Write family='{family}', thresholds='{pattern}', and link= beside them.",
    ),
    (r"(?P<family>\w+)\(\)", "Write family='{family}', without parentheses."),
    (r"(?P<family>\w+)\((link=)?['\"]?(?P<link>\w+)['\"]?\)", "Write family='{family}', link='{link}'."),
    (
        r"nbin.*|negb.*",
        "Write family='negative_binomial': variance mu + mu^2 / phi; or 'negative_binomial_1': mu (1 + phi).",
    ),
    (
        r"quasipoisson|overdispersedpoisson",
        "A quasi-likelihood has no posterior. Write family='negative_binomial', or family='poisson' with one random "
        "intercept per row.",
    ),
    (
        r"quasibinomial|betabinomial.*",
        "Write family='beta_binomial', or family='binomial' with one random intercept per row, for overdispersion.",
    ),
    (r"quasi", "A quasi-likelihood has no posterior. Name a family."),
    (
        r"(zi|zero|zero.*inflated.*|hurdle.*|trunc.*|zip|zinb|zib).*|.*(hurdle|zeroinflated|inflated)",
        "Zero-inflated families are there for counts and successes, hurdles for Poisson, negative binomial, gamma and "
        "lognormal responses, zero-truncated ones for Poisson and negative binomial counts; others are not supported.",
    ),
    (r"oprobit|orderedprobit", "Write family='cumulative', link='probit'."),
    (r"ordered.*|ordinal.*|cumulative.*|clmm2", "Write family='cumulative'."),
    (
        r"categorical.*|multinom.*|softmax|mlogit|mclogit",
        "Write family='categorical', with one row per choice, or counts of all in cbind(a, b, c) ~ x; reference='b' is "
        "its reference.",
    ),
    (r"dirichlet.*", "Families of shares of several categories are not supported."),
    (
        r"(exgaussian|frechet|gengamma"
        r"|shiftedlognormal|gevd?|coxph|cox|vonmises|skewnormal|skewstudent|asymlaplace|laplace|cauchy|tweedie"
        r"|genpois|uniform|hypergeometric|skellam|beta4)",
        "It is not supported.",
    ),
    (r".+(poisson|binomial|gaussian|normal|gamma|beta|bernoulli)", "It is not supported."),
)


def family_synonym(name: str) -> str:
    """The name here of a family of the same likelihood; the name itself where there is none.

    Examples
    --------
    >>> family_synonym("nbinom2"), family_synonym("Gamma")
    ('negative_binomial', 'gamma')
    """
    plain = _plain(name)
    return plain if plain in _AS_HERE else FAMILY_SYNONYMS.get(plain, name)


def family_advice(name: str, valid: Iterable[str]) -> str:
    """What to write for a family that R, brms or Bambi has and this package does not; empty if it is unknown."""
    found = first_match(_FAMILIES, _plain(name))
    return f"{found} Families: {', '.join(valid)}." if found else ""


def _plain(name: str) -> str:
    return re.sub(r"[\s_.-]|family$", "", name.lower())
