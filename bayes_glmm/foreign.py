"""Spellings of R, brms, patsy, Bambi and Stata, and what to write here instead.

One table per kind of name: families, functions, operators, words, random terms, response terms and distributions. Exact
synonyms of a family are translated; every other entry is the advice of an error. Nothing is matched by its letters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_OWN = "Make a column of the data first, and name it."
_NOT_YET = "It is not supported."
_SPLINE = "Penalised smooths and Gaussian processes are not supported. Write a regression spline: bs({x}, df=5)."
_GROUP = "Write (1 | {x}) for an intercept per level."

_INFLATED = "zero_inflated_"
FAMILY_SYNONYMS: dict[str, str] = {
    **dict.fromkeys(("normal", "norm", "gauss"), "gaussian"),
    **dict.fromkeys(("student", "studentt", "t", "tdist"), "student_t"),
    **dict.fromkeys(("nbinom", "nbinom2", "nb", "nb2", "negbin", "negbinom", "negbinomial"), "negative_binomial"),
    **dict.fromkeys(("negativebinomial", "negativebinomial2", "negbinomial2"), "negative_binomial"),
    **dict.fromkeys(("pois",), "poisson"),
    **dict.fromkeys(("zip", "zipoisson", "zeroinflatedpoisson"), "zero_inflated_poisson"),
    **dict.fromkeys(
        ("zinb", "zinb2", "zeroinflatednegbinomial", "zeroinflatednegbinomial2"), f"{_INFLATED}negative_binomial"
    ),
    **dict.fromkeys(("zeroinflatednegativebinomial", "zeroinflatednbinom2"), f"{_INFLATED}negative_binomial"),
    **dict.fromkeys(("zinb1", "zeroinflatednbinom1", "zeroinflatednegbinomial1"), f"{_INFLATED}negative_binomial_1"),
    **dict.fromkeys(("zib", "zibinomial", "zeroinflatedbinomial"), f"{_INFLATED}binomial"),
    **dict.fromkeys(("zibb", "zeroinflatedbetabinomial"), f"{_INFLATED}beta_binomial"),
    **dict.fromkeys(("hurdlepoisson", "truncatedpoisson"), "hurdle_poisson"),
    **dict.fromkeys(("hurdlenegbinomial", "hurdlenegativebinomial", "truncatednbinom2"), "hurdle_negative_binomial"),
    **dict.fromkeys(("nbinom1", "nb1", "negbinomial1", "negativebinomial1"), "negative_binomial_1"),
    **dict.fromkeys(("geom",), "geometric"),
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
        "lognormal responses; others are not supported.",
    ),
    (r"oprobit|orderedprobit", "Write family='cumulative', link='probit'."),
    (r"ordered.*|ordinal.*|cumulative.*|clmm2", "Write family='cumulative'."),
    (r"categorical.*|multinom.*|softmax|mlogit|mclogit", "Write family='categorical', with one row per choice."),
    (r"dirichlet.*", "Families of shares of several categories are not supported."),
    (
        r"(exgaussian|frechet|gengamma"
        r"|shiftedlognormal|gevd?|coxph|cox|vonmises|skewnormal|skewstudent|asymlaplace|laplace|cauchy|tweedie"
        r"|compois|conwaymaxwell.*|genpois|uniform|hypergeometric|skellam|beta4)",
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
    found = _first(_FAMILIES, _plain(name))
    return f"{found} Families: {', '.join(valid)}." if found else ""


def _plain(name: str) -> str:
    return re.sub(r"[\s_.-]|family$", "", name.lower())


_FUNCTIONS: dict[str, str] = {
    # categories
    **dict.fromkeys(("factor", "as.factor", "as_factor", "as.character", "categorical", "i"), "Write C({x})."),
    **dict.fromkeys(("ordered", "as.ordered"), "Write C({x}); the order of a pandas categorical is kept."),
    **dict.fromkeys(("relevel", "fct_relevel", "Treatment", "contr.treatment"), "Write T({x}, {rest})."),
    **dict.fromkeys(("Sum", "contr.sum", "sum_coding", "Deviation"), "Write S({x}): contrasts that sum to 0."),
    **dict.fromkeys(("Poly", "contr.poly"), "Write poly(x, 2) of a numeric column."),
    **dict.fromkeys(("Diff", "Helmert", "contr.helmert", "contr.sdif"), f"This coding is not supported. {_OWN}"),
    **dict.fromkeys(("interaction",), "Write {joined}."),
    **dict.fromkeys(("cut", "cut2", "ntile", "qcut", "bin", "hist"), _OWN),
    **dict.fromkeys(("droplevels", "as.numeric", "as.integer", "float", "int", "numeric"), "Write {x}."),
    **dict.fromkeys(("as.logical", "bool", "is.na", "isnan", "lag", "lead", "diff", "cumsum", "rank"), _OWN),
    # arithmetic
    "Q": "Write `{bare}`: a name in backquotes.",
    "ifelse": "Write where({args}).",
    "if_else": "Write where({args}).",
    "pmin": "Write minimum({args}).",
    "pmax": "Write maximum({args}).",
    "min": "Write minimum(a, b) row by row.",
    "max": "Write maximum(a, b) row by row.",
    "ceiling": "Write ceil({x}).",
    "trunc": "Write sign({x}) * floor(abs({x})) inside I().",
    "asin": "Write arcsin({x}).",
    "acos": "Write arccos({x}).",
    "atan": "Write arctan({x}).",
    "logit": "Write log({x} / (1 - {x})).",
    "qlogis": "Write log({x} / (1 - {x})).",
    "plogis": "Write I(1 / (1 + exp(-({x})))).",
    "expit": "Write I(1 / (1 + exp(-({x})))).",
    "ln": "Write log({x}).",
    "pow": "Write I({x} ** {rest}).",
    "fabs": "Write abs({x}).",
    **dict.fromkeys(("mean", "median", "sd", "std", "var", "sum", "ave"), f"center(x) and scale(x) are there. {_OWN}"),
    **dict.fromkeys(("demean", "mean_center", "mc"), "Write center({x})."),
    **dict.fromkeys(("zscore", "standardise", "rescale", "z"), "Write scale({x})."),
    "log": "Write log2(x), log10(x), or I(log(x) / log(3)).",
    "scale": "scale(x) has mean 0 and sd 1; write center(x) for mean 0.",
    "poly": "Write poly(x, 2), or poly(x, 2, raw=True) for powers.",
    # smooth curves
    **dict.fromkeys(("ns", "rcs", "cr", "cc", "splines", "spline"), "Write a regression spline: bs({x}, df=4)."),
    **dict.fromkeys(("s", "t2", "te", "ti", "lo", "pspline", "smooth", "gp", "hsgp", "HSGP", "rw", "f"), _SPLINE),
    **dict.fromkeys(("mo", "monotonic"), "Monotonic effects are not supported. Write {x}, or C({x})."),
    **dict.fromkeys(("me", "mi"), "Errors in variables and missing values are not supported. Write {x}."),
    **dict.fromkeys(("nl", "SSlogis"), "Non-linear formulas are not supported."),
    # groups and correlations
    **dict.fromkeys(("Error", "re", "random", "frailty", "strata", "cluster", "ranef"), _GROUP),
    **dict.fromkeys(("diag",), "Write (x || g): independent effects."),
    **dict.fromkeys(("us", "un"), "Write (x | g): correlated effects."),
    **dict.fromkeys(
        ("ar", "ar1", "arma", "ou", "cs", "cosy", "car", "sar", "mat", "exp_cov", "toep", "rr", "fcor", "unstr"),
        "Structured correlations are not supported. Write (x | g) or (1 | g).",
    ),
    "mm": "Multi-membership is not supported. Write one grouping factor: (1 | g).",
    "gr": "Write the column itself: (1 | {x}).",
    # the left-hand side
    **dict.fromkeys(
        ("c", "cbind", "mvbind", "matrix", "list"),
        "Lists are not read. Successes of trials are p(y, n) ~ ...; knots are placed by bs(x, df=5).",
    ),
    "Surv": "Write {x} | cens(1 - {rest}) ~ ..., where {rest} is 1 for an event, 0 for a censored time.",
    **dict.fromkeys(
        ("cens", "censored"), "Censoring stands beside the response: y | cens(c) ~ ..., or censored(y, c) ~ ..."
    ),
    "truncated": "Bounds stand beside the response: y | trunc(lb=0, ub=10) ~ ..., or truncated(y, lb=0) ~ ...",
    "weighted": "Write {x} | weights({rest}, frequency) ~ ..., or weights({rest}, precision).",
    **dict.fromkeys(("weights", "w"), "Write y | weights({x}, frequency) ~ ..., or weights({x}, precision)."),
    **dict.fromkeys(("bf", "brmsformula", "Formula", "formula", "nlf", "lf"), "Write the formula itself: 'y ~ x'."),
    "binary": "Name the level in the response: y['yes'] ~ ...; on the right write I(x == 'yes').",
    "offset": "An offset is a term of its own: + offset(x).",
    **dict.fromkeys(("p", "prop", "proportion"), "Successes of trials are the response: p(y, n) ~ ..."),
}

_CODINGS: tuple[tuple[str, str], ...] = (
    (r"(?:contr\.)?[Tt]reatment\(?(?:(?:reference|base|ref)\s*=\s*)?(?P<level>[^()]*)\)?", "Write T({x}{level})."),
    (r"(?:contr\.)?[Ss]um.*|Deviation.*", "Write S({x}): contrasts that sum to 0."),
    (r"(?:contr\.)?(?:poly|Poly).*", "Write poly({x}, 2) of a numeric column."),
    (r"levels\s*=.*", "Make the column a pandas categorical: the order of its categories is the order of levels."),
    (r"(?:contr\.)?[Hh]elmert.*|Diff.*|contr\..*", f"This coding is not supported. {_OWN}"),
)


def function_advice(name: str, arguments: Sequence[str]) -> str:
    """What to write for a function of R, patsy, Bambi or brms; empty if it is unknown.

    Examples
    --------
    >>> function_advice("factor", ["x"]), function_advice("C", ["x", "Treatment('b')"])
    ('Write C(x).', "Write T(x, 'b').")
    """
    x = arguments[0] if arguments else "x"
    rest = [argument.partition("=")[2] or argument for argument in arguments[1:]]
    if name == "C" and len(arguments) > 1:
        for pattern, advice in _CODINGS:
            if match := re.fullmatch(pattern, re.sub(r"^contrasts?\s*=\s*", "", arguments[1])):
                level = match.groupdict().get("level") or ""
                return advice.format(x=x, level=level and f", {level}")
    plain = name.rpartition("::")[2]
    advice = _FUNCTIONS.get(plain, _FUNCTIONS.get(plain.rpartition(".")[2], "") if "." in plain else "")
    return advice.format(
        x=x, bare=x.strip("'\""), rest=", ".join(rest) or "...", args=", ".join(arguments), joined=":".join(arguments)
    )


OPERATORS: dict[str, str] = {
    "%in%": "Add comparisons: I((x == 'a') + (x == 'b')).",
    "%%": "Write the remainder as %: I(x % 2).",
    "%/%": "Write the whole part of a quotient as //: I(x // 2).",
    "%*%": _OWN,
    "%o%": _OWN,
    "%>%": _OWN,
    "|>": _OWN,
    "^": "Write a power as **: I(x ** 2), (a + b) ** 2.",
    "&&": "Write 'and' as a product of comparisons: I((x > 1) * (z < 2)).",
    "&": "Write 'and' as a product of comparisons: I((x > 1) * (z < 2)).",
    "||": "Write 'or' as maximum(x > 1, z < 2).",
    "|": "Write 'or' as maximum(x > 1, z < 2).",
    "!": "Write 'not' as I(x != 'level') or I(1 - (x > 2)).",
    "<-": "A formula assigns nothing. For a comparison with a negative number write x < (-1).",
    ":=": "A formula assigns nothing.",
    "::": "Write the function without its package: bs(x, df=4).",
    "##": "Write main effects with their interaction as *: a * b.",
    "#": "Write an interaction as ':': a:b.",
    "$": "Name the column alone: x.",
    "@": _OWN,
    ";": "Write one formula.",
    "?": _OWN,
    "\\": "Text with a backslash is not read in formulas. Rename the level.",
    "[": "Lists are not read: levels have the order of a pandas categorical. A level of the response is y['yes'] ~ ...",
    ":": "Inside I() and other functions ':' has no meaning. Write a product: I(x * z).",
    "~": _OWN,
    "=": "Write a comparison as I(x == 2).",
}
"""Symbols -> what to write. The longest that fits is taken."""

WORDS: dict[str, str] = {
    **dict.fromkeys(("TRUE", "T"), "Write True."),
    **dict.fromkeys(("FALSE", "F"), "Write False."),
    "NULL": "Write None.",
    **dict.fromkeys(("NA", "NaN", "nan"), "Leave rows with missing values out: missing='drop'."),
    **dict.fromkeys(("Inf", "inf"), "Write a number."),
    **dict.fromkeys(("pi", "np.pi"), "Write 3.141592653589793."),
    ".": "Name the columns: y ~ x + z.",
    "and": OPERATORS["&"],
    "or": OPERATORS["|"],
    "not": OPERATORS["!"],
    "in": OPERATORS["%in%"],
    "is": OPERATORS["="],
    "if": "Write where(x > 0, a, b).",
}
"""Words of R and Python that are not columns unless the data have one of that name."""

_BARS: tuple[tuple[str, str], ...] = (
    (r"\((?P<x>[^|]*)\|\s*gr\(\s*(?P<g>[\w.:]+)\s*\)\s*\)", "Write ({x} | {g})."),
    (r"\(.*\|\s*gr\(.*", "Write (x | g): known covariances, by-variables and shared ids of gr() are not supported."),
    (r"\(.*\|\s*mm\(.*", "Multi-membership is not supported. Write one grouping factor: (1 | g)."),
    (
        r"\((?P<x>[^|]*)\|\s*(?P<a>[\w.]+)\s*[*]\s*(?P<b>[\w.]+)\s*\)",
        "Write ({x} | {a}) + ({x} | {b}) + ({x} | {a}:{b}).",
    ),
    (r"\((?P<x>[^|]*)\|\s*(?P<a>[\w.]+)\s*[+]\s*(?P<b>[\w.]+)\s*\)", "Write ({x} | {a}) + ({x} | {b})."),
    (
        r"\((?P<x>[^|]*)\|\s*(?P<a>[\w.]+)\s*%in%\s*(?P<b>[\w.]+)\s*\)",
        "Write ({x} | {b}:{a}); both levels are ({x} | {b}/{a}).",
    ),
    (
        r"\((?P<x>[^|]*)\|\s*(?:C|factor|as\.factor|as\.character|i)\(\s*(?P<g>[\w.]+)\s*\)\s*\)",
        "Write ({x} | {g}): a grouping factor is always categorical.",
    ),
    (r"\((?P<x>[^|]*)\|\s*interaction\(\s*(?P<a>[\w.]+)\s*,\s*(?P<b>[\w.]+)\s*\)\s*\)", "Write ({x} | {a}:{b})."),
    (r"diag\((?P<x>[^|]*)\|(?P<g>[^|]*)\)", "Write ({x} || {g})."),
    (r"(?:u[sn]|re|random)\((?P<x>[^|]*)\|(?P<g>[^|]*)\)", "Write ({x} | {g})."),
    (
        r"[\w.]+\((?P<x>[^|]*)\|(?P<g>[^|]*)\)",
        "Structured correlations are not supported. Write ({x} | {g}) or (1 | {g}).",
    ),
    (
        r"(?P<x>[\w.]+)\s*\|\|?\s*(?P<g>[\w.:/]+)",
        "Put the random term in parentheses: ({x} | {g}). Fixed effects of the levels are C({g}).",
    ),
)


def bar_advice(term: str) -> str:
    """What to write for a random term of brms, glmmTMB or fixest; empty if it is unknown."""
    return _first(_BARS, term)


def _first(table: Iterable[tuple[str, str]], text: str) -> str:
    for pattern, advice in table:
        if match := re.fullmatch(pattern, text.strip(), re.DOTALL):
            return advice.format(**{name: part.strip() for name, part in match.groupdict().items()})
    return ""


_TRIALS = "Write p({y}, {n}) ~ ... for {y} successes of {n} trials"
_RESPONSES: tuple[tuple[str, str], ...] = (
    (
        r".*[|+]\s*\w+\(.*",
        "Terms after the bar are trials(n), rate(t), se(s), weights(w, frequency), weights(w, precision), cens(c, y2) "
        "and trunc(lb=0, ub=10).",
    ),
    (r"(c|cbind|mvbind)\((?P<y>[^,]*),(?P<n>[^,]*)\)", _TRIALS + "; several responses are a model each."),
    (r"(c|cbind|mvbind)\(.*", "Model one response at a time; y successes of n trials are p(y, n) ~ ..."),
    (r"Surv\((?P<y>[^,]*),(?P<event>[^,]*)\)", "Write {y} | cens(1 - {event}) ~ ..., {event} being 1 for an event."),
    (r"Surv\(.*", "Write y | cens(c, y2) ~ ... with c one of left, none, right, interval."),
    (r"(?P<y>[\w.]+)\s*/\s*(?P<n>[\w.]+)", _TRIALS + "; make another ratio a column of the data first."),
)


def response_advice(response: str) -> str:
    """What to write for a left-hand side of brms, Bambi or survival; empty if it is unknown."""
    return _first(_RESPONSES, response)


_WHOLE: tuple[tuple[str, str], ...] = (
    (r"(bf|brmsformula|formula|Formula|as\.formula)\(.*", "Write the formula itself, one for the mean: 'y ~ x'."),
    (r".*,\s*random\s*=.*", "Random terms are part of the formula: y ~ x + (1 | g)."),
    (r".*,\s*(?P<name>\w+)\s*[=~].*", "The formula has one part; {name} is not supported in it."),
    (r"[^~=<>!]+=[^=].*", "Write '~' for '='."),
)


def formula_advice(formula: str) -> str:
    """What to write for a formula with no ``~`` or with several; empty if it is unknown."""
    return _first(_WHOLE, formula)


_KEYWORDS: tuple[tuple[str, str], ...] = (
    (r"offset\s*=(?P<x>.*)", "Write + offset({x})."),
    (r"weights?\s*=\s*(?P<w>.*)", "Write y | weights({w}, frequency) ~ ..., or weights({w}, precision)."),
    (r"random\s*=.*", "Write + (1 | g)."),
    (r"(?P<x>.*[^=<>!])=(?P<y>[^=].*)", "Write a comparison as I({x} == {y})."),
)


def keyword_advice(term: str) -> str:
    """What to write for a term with ``=``; empty for comparisons."""
    return _first(_KEYWORDS, term)


DISTRIBUTIONS: dict[str, str] = {
    "normal": "Normal(0, 1)",
    "gaussian": "Normal(0, 1)",
    "norm": "Normal(0, 1)",
    "student_t": "StudentT(3, 0, sigma=2.5), or HalfStudentT(3, sigma=2.5) of a standard deviation",
    "studentt": "StudentT(3, 0, sigma=2.5), or HalfStudentT(3, sigma=2.5) of a standard deviation",
    "t": "StudentT(3, 0, sigma=2.5), or HalfStudentT(3, sigma=2.5) of a standard deviation",
    "half_t": "HalfStudentT(3, sigma=2.5)",
    "halft": "HalfStudentT(3, sigma=2.5)",
    "half_normal": "HalfNormal(1)",
    "half_cauchy": "HalfCauchy(1)",
    "cauchy": "Cauchy(0, 1), or HalfCauchy(1) of a standard deviation",
    "exponential": "Exponential(1)",
    "exp": "Exponential(1)",
    "gamma": "Gamma(2, 0.1)",
    "invgamma": "InverseGamma(2, 1)",
    "inv_gamma": "InverseGamma(2, 1)",
    "inverse_gamma": "InverseGamma(2, 1)",
    "lognormal": "LogNormal(0, 1)",
    "laplace": "Laplace(0, 1)",
    "double_exponential": "Laplace(0, 1)",
    "logistic": "Logistic(0, 1)",
    "uniform": "Uniform(0, 10)",
    "flat": "Flat()",
    "improper": "Flat()",
    "beta": "Beta(2, 2)",
    "lkj": "LKJ(2)",
    "lkj_corr": "LKJ(2)",
    "lkj_corr_cholesky": "LKJ(2)",
    "lkjcorr": "LKJ(2)",
    "lkjcholeskycov": "LKJ(2)",
    "horseshoe": "Normal(0, 1): shrinkage priors are not supported",
    "r2d2": "Normal(0, 1): shrinkage priors are not supported",
    "lasso": "Laplace(0, 1)",
}
"""Distributions of Stan, brms and rstanarm in lower case -> PyMC's."""
