"""With a log link, what changes between an effect given the doctor and one in the population?

Only the intercept: E exp(eta + u) = exp(eta + sigma^2 / 2), so that ratios of means are the same for both.

    python examples/counts.py [draws] [hdp.csv]
"""

import sys

import bayes_glmm as bg
from bayes_glmm.datasets import hospital

draws = int(sys.argv[1]) if len(sys.argv) > 1 else 500
data = hospital(sys.argv[2] if len(sys.argv) > 2 else None)

fit = bg.GLMM("ntumors ~ center(Age) + Married + center(IL6) + (1 | DID)", data, family="poisson").fit(
    draws=draws, tune=draws, seed=1, progress=False
)

print(fit.check().verdict, "\n")
print(fit.marginal_coefficients(), "\n")
print(fit.compare("Married", estimands=["ratio", "difference"]))  # the ratio agrees, the difference does not
