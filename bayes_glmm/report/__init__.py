"""One self-contained HTML file: diagnostics first, effects in the population, then the model and its data."""

from __future__ import annotations

from bayes_glmm.report.render import render as render
from bayes_glmm.report.section import Section as Section
from bayes_glmm.report.sections import SECTIONS as SECTIONS
