"""Drawing from the posterior of a pm.Model."""

from __future__ import annotations

from bayes_glmm.inference.coordinates import COORDINATES as COORDINATES
from bayes_glmm.inference.engines import ENGINES as ENGINES
from bayes_glmm.inference.sample import sample as sample
from bayes_glmm.inference.settings import Settings as Settings
