"""One self-contained HTML file: the verdict, the answers, effects in the population, then the model and its data."""

from __future__ import annotations

from bayes_glmm.report.answer import Answer as Answer
from bayes_glmm.report.describe import Description as Description
from bayes_glmm.report.describe import describe as describe
from bayes_glmm.report.render import render as render
from bayes_glmm.report.section import Section as Section
from bayes_glmm.report.sections import SECTIONS as SECTIONS
