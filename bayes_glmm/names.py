"""Names of the variables and dimensions of the draws: one schema, in which the names of the data always win.

``beta [coefficient]``; for each grouping factor g ``u_g``, ``z_g`` [g, g_effect], ``sd_g [g_effect]``, ``G_g`` and
``corr_g`` [g_effect, g_effect_2]; the family's further parameters as scalars; the response along ``row``. A grouping
factor or a response with a name that the schema has for something else keeps it in formulas and tables; its dimension
or variable gets a suffix.
"""

from __future__ import annotations

KINDS = ("u_", "z_", "sd_", "sd_at_centre_", "G_", "corr_", "chol_")  # variables named after a grouping factor
PARAMETERS = ("sigma", "phi", "nu")  # further parameters of families
DIMENSIONS = ("chain", "draw", "row", "coefficient", "canonical")
RESERVED = frozenset((*DIMENSIONS, *PARAMETERS, "beta", "b"))


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


def _taken(name: str) -> bool:
    return name in RESERVED or name.startswith(KINDS) or "_effect" in name or name.endswith(("_level", "_response"))
