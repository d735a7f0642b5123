"""Pictures made for looking: matplotlib figures of effects, conditional beside population-averaged."""

from __future__ import annotations

from bayes_glmm.plots.categories import categories as categories
from bayes_glmm.plots.contrasts import contrasts as contrasts
from bayes_glmm.plots.contrasts_by import contrasts_by as contrasts_by
from bayes_glmm.plots.curves import curves as curves
from bayes_glmm.plots.groups import groups as groups
from bayes_glmm.plots.percentiles import percentiles as percentiles
from bayes_glmm.plots.ranks import ranks as ranks
