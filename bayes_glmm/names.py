"""Names of the variables and dimensions of the draws: one schema, in which the names of the data always win.

``beta [coefficient]``, the location's, and ``beta_sigma [coefficient_sigma]`` of a further parameter with a formula,
``beta_mub`` of a category that has a predictor of its own, ``beta_cs1`` of the effects at one threshold alone;
for each grouping factor g ``u_g``, ``z_g`` [g, g_effect], ``sd_g [g_effect]``, ``G_g`` and ``corr_g`` [g_effect,
g_effect_2], where an effect of a further parameter is called ``sigma_x``; parameters without a formula as scalars;
thresholds of ordered categories as ``threshold [adjacent]``; correlations of residuals as ``rho``, ``cosy`` or
``cor_residual [occasion_1, occasion_2]``; the response along ``row``. A grouping factor or a
response with a name that the schema has for something else keeps it in formulas and tables; its dimension or variable
gets a suffix.
"""

from __future__ import annotations

KINDS = (
    "u_",
    "z_",
    "sd_",
    "sd_at_centre_",
    "G_",
    "corr_",
    "chol_",
    "unit_rho_",
    "unit_cor_",
)  # variables named after a grouping factor
LOCATION = "mu"  # its variables go without a name of their own
PARAMETERS = ("sigma", "phi", "nu", "zi", "shape", "hu", "zoi", "coi", "disc")  # further parameters of families
THRESHOLD, ADJACENT = "threshold", "adjacent"  # between ordered categories, and the dimension along them
SPECIFIC = "cs"  # effects of columns that differ between thresholds
COR_RESIDUAL, OCCASION, OCCASION_2 = "cor_residual", "occasion_1", "occasion_2"  # of residuals, and its dimensions
RHO, COSY = "rho", "cosy"  # of residuals, where one correlation makes the matrix
THRESHOLD_BASE = f"{THRESHOLD}_base"  # what thresholds of a pattern follow from, in the plain model
DIMENSIONS = ("chain", "draw", "row", "coefficient", "canonical", ADJACENT, OCCASION, OCCASION_2)
_OF_PARAMETERS = [f"{kind}_{name}" for kind in ("beta", "b", "coefficient", "canonical") for name in PARAMETERS]
RESERVED = frozenset(
    (
        *DIMENSIONS,
        *PARAMETERS,
        "beta",
        "b",
        THRESHOLD,
        RHO,
        COSY,
        COR_RESIDUAL,
        f"unit_{RHO}",
        f"unit_{COSY}",
        *_OF_PARAMETERS,
    )
)


def coefficients(parameter: str) -> str:
    """The variable of a parameter's fixed effects: ``beta``, ``beta_sigma``."""
    return _of("beta", parameter)


def coefficient_dim(parameter: str) -> str:
    """The dimension along a parameter's fixed effects."""
    return _of("coefficient", parameter)


def canonical_coefficients(parameter: str) -> str:
    """The variable of a parameter's canonical coefficients."""
    return _of("b", parameter)


def canonical_dim(parameter: str) -> str:
    """The dimension along a parameter's canonical coefficients."""
    return _of("canonical", parameter)


def effect(parameter: str, column: str) -> str:
    """What varies by group: a column of the location's effects, ``x``, or of another parameter's, ``sigma_x``."""
    return column if parameter == LOCATION else f"{parameter}_{column}"


def step(category: int) -> str:
    """The constant that is the distance from the threshold before to that of a category."""
    return f"{THRESHOLD}_step_{category}"


def specific(threshold: int) -> str:
    """The parameter whose predictor has the effects at one threshold alone, counted from 1: ``cs1``."""
    return f"{SPECIFIC}{threshold}"


def is_specific(parameter: str) -> bool:
    """Whether a parameter is that of one threshold."""
    return parameter.startswith(SPECIFIC) and parameter[len(SPECIFIC) :].isdigit()


def level_dim(group: str) -> str:
    """The dimension along the levels of a grouping factor."""
    return f"{group}_level" if _taken(group) else group


def effect_dim(group: str) -> str:
    """The dimension along the effects of a grouping factor."""
    return f"{group}_effect"


def second_effect_dim(group: str) -> str:
    """The other dimension of matrices over the effects of a grouping factor."""
    return f"{group}_effect_2"


def response_variable(response: str) -> str:
    """The variable of the response; a path would be divided at a ``/``."""
    name = response.strip("`").replace("/", "\N{DIVISION SLASH}")
    return f"{name}_response" if _taken(name) else name


def _of(name: str, parameter: str) -> str:
    return name if parameter == LOCATION else f"{name}_{parameter}"


def threshold(between: str) -> str:
    """The key of a threshold's prior: ``threshold[low|high]``."""
    return f"{THRESHOLD}[{between}]"


def _taken(name: str) -> bool:
    kinds, several = ("beta", "b", "coefficient", "canonical"), (LOCATION, SPECIFIC)
    of_several = (f"{kind}_{name}" for kind in kinds for name in several)
    kind = name.startswith((*KINDS, f"{THRESHOLD}_", *of_several))
    return kind or name in RESERVED or "_effect" in name or name.endswith(("_level", "_response"))
