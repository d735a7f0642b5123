"""Do plates of seeds differ by more than binomial chance?

The predictive checks answer: without an effect of the plate the model cannot make data as dispersed as these.

    python examples/overdispersion.py [draws]
"""

import sys

import bayes_glmm as bg
from bayes_glmm.datasets import seeds

draws = int(sys.argv[1]) if len(sys.argv) > 1 else 1000

for formula in ("p(germinated, n) ~ seed * extract", "p(germinated, n) ~ seed * extract + (1 | plate)"):
    fit = bg.GLMM(formula, seeds(), family="binomial").fit(draws=draws, tune=draws, seed=1, progress=False)
    print(formula)
    print(fit.check("predictive"), "\n")

print(fit.variance(), "\n")
print(fit.compare("extract", by="seed", estimands="odds_ratio"))
