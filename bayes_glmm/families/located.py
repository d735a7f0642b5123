"""Located: what of the response the location is the mean of, where that is not the response itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayes_glmm.families.value import At


@dataclass(frozen=True)
class Located:
    """Values of the response as the location has them: its logarithm, or its part above 0.

    Attributes
    ----------
    values : function
        ``(y [row]) -> values``; NaN in rows that have none.
    variance : function
        ``(at) -> variance``, of these values given u.
    """

    values: Callable[[np.ndarray], np.ndarray]
    variance: Callable[[At], Any]
