"""The sections of the report, in the order they are read; a new one is one file and one row."""

from __future__ import annotations

from bayes_glmm.report.section import Section
from bayes_glmm.report.sections.answers import render_answers
from bayes_glmm.report.sections.chains import render_chains
from bayes_glmm.report.sections.coefficients import render_coefficients
from bayes_glmm.report.sections.cross_check import render_cross_check
from bayes_glmm.report.sections.curves import render_curves
from bayes_glmm.report.sections.data import render_data
from bayes_glmm.report.sections.model import render_model
from bayes_glmm.report.sections.paper import render_paper
from bayes_glmm.report.sections.population import render_population
from bayes_glmm.report.sections.predictive import render_predictive
from bayes_glmm.report.sections.priors import render_priors
from bayes_glmm.report.sections.variance import render_variance
from bayes_glmm.report.sections.verdict import render_verdict

SECTIONS: tuple[Section, ...] = (
    Section("Verdict", anchor="verdict", render=render_verdict, checks=("convergence", "predictive")),
    Section("Answers", anchor="answers", render=render_answers, takes=("answers",)),
    Section(
        "Effects in the population",
        anchor="population",
        render=render_population,
        takes=("answers", "comparisons"),
    ),
    Section(
        "For the paper",
        anchor="paper",
        render=render_paper,
        checks=("convergence",),
        takes=("answers", "comparisons"),
    ),
    Section("Curves", anchor="curves", render=render_curves),
    Section("Coefficients", anchor="coefficients", render=render_coefficients),
    Section("Other methods", anchor="cross_check", render=render_cross_check),
    Section("Differences between groups", anchor="variance", render=render_variance),
    Section(
        "Could the model have made the data?", anchor="predictive", render=render_predictive, checks=("predictive",)
    ),
    Section("Prior and data", anchor="priors", render=render_priors),
    Section("Chains", anchor="chains", render=render_chains),
    Section("Data", anchor="data", render=render_data),
    Section("Model", anchor="model", render=render_model),
)
