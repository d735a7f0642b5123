"""Words of formulas in R, brms, patsy, Bambi and Stata: functions, operators, words, random and response terms."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bayes_glmm.foreign.matching import first_match

_OWN = "Make a column of the data first, and name it."
_SPLINE = "Penalised smooths and Gaussian processes are not supported. Write a regression spline: bs({x}, df=5)."
_GROUP = "Write (1 | {x}) for an intercept per level."

_COVARIANCES = "cs(0 + f | g), ar1(0 + C(t) | g), ou(0 + C(t) | g)"
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
        ("ar", "ar1", "arma", "ou", "cosy", "car", "sar", "mat", "exp_cov", "toep", "rr", "fcor", "unstr"),
        f"Covariances of effects are {_COVARIANCES}; those of gaussian residuals ar(t, gr = g), cosy(gr = g) and "
        "unstr(t, gr = g). Write (x | g) or (1 | g) for others.",
    ),
    "cs": "Effects that differ between thresholds are a term of their own, + cs({x}), with interactions inside: "
    "cs({x}:z). Random effects have none; their covariance with one correlation is cs(0 + f | g).",
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
    (r"(?:un|re|random)\((?P<x>[^|]*)\|(?P<g>[^|]*)\)", "Write ({x} | {g})."),
    (
        r"[\w.]+\((?P<x>[^|]*)\|(?P<g>[^|]*)\)",
        f"Covariances of effects are {_COVARIANCES}. A free one is ({{x}} | {{g}}).",
    ),
    (
        r"(?P<x>[\w.]+)\s*\|\|?\s*(?P<g>[\w.:/]+)",
        "Put the random term in parentheses: ({x} | {g}). Fixed effects of the levels are C({g}).",
    ),
)


def bar_advice(term: str) -> str:
    """What to write for a random term of brms, glmmTMB or fixest; empty if it is unknown."""
    return first_match(_BARS, term)


_TRIALS = "Write p({y}, {n}) ~ ... for {y} successes of {n} trials"
_RESPONSES: tuple[tuple[str, str], ...] = (
    (
        r".*[|+]\s*\w+\(.*",
        "Terms after the bar are trials(n), rate(t), se(s), weights(w, frequency), weights(w, precision), cens(c, y2) "
        "and trunc(lb=0, ub=10).",
    ),
    (r"(c|cbind|mvbind)\((?P<y>[^,]*),(?P<n>[^,]*)\)", _TRIALS + "; several responses are a model each."),
    (
        r"(c|cbind|mvbind)\(.*",
        "Counts of categories are columns, cbind(a, b, c) ~ ..., without trials; several responses are a model each.",
    ),
    (r"Surv\((?P<y>[^,]*),(?P<event>[^,]*)\)", "Write {y} | cens(1 - {event}) ~ ..., {event} being 1 for an event."),
    (r"Surv\(.*", "Write y | cens(c, y2) ~ ... with c one of left, none, right, interval."),
    (r"(?P<y>[\w.]+)\s*/\s*(?P<n>[\w.]+)", _TRIALS + "; make another ratio a column of the data first."),
)


def response_advice(response: str) -> str:
    """What to write for a left-hand side of brms, Bambi or survival; empty if it is unknown."""
    return first_match(_RESPONSES, response)


_WHOLE: tuple[tuple[str, str], ...] = (
    (r"(bf|brmsformula|formula|Formula|as\.formula)\(.*", "Write the formula itself, one for the mean: 'y ~ x'."),
    (r".*,\s*random\s*=.*", "Random terms are part of the formula: y ~ x + (1 | g)."),
    (r".*,\s*(?P<name>\w+)\s*[=~].*", "The formula has one part; {name} is not supported in it."),
    (r"[^~=<>!]+=[^=].*", "Write '~' for '='."),
)


def formula_advice(formula: str) -> str:
    """What to write for a formula with no ``~`` or with several; empty if it is unknown."""
    return first_match(_WHOLE, formula)


_KEYWORDS: tuple[tuple[str, str], ...] = (
    (r"offset\s*=(?P<x>.*)", "Write + offset({x})."),
    (r"weights?\s*=\s*(?P<w>.*)", "Write y | weights({w}, frequency) ~ ..., or weights({w}, precision)."),
    (r"random\s*=.*", "Write + (1 | g)."),
    (r"(?P<x>.*[^=<>!])=(?P<y>[^=].*)", "Write a comparison as I({x} == {y})."),
)


def keyword_advice(term: str) -> str:
    """What to write for a term with ``=``; empty for comparisons."""
    return first_match(_KEYWORDS, term)
