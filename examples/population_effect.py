"""Does the situation matter to a person's attitude toward legal abortion, and how much to the population's?

People differ so much that the two answers are far apart: the conditional log odds ratio compares the answers of one
person, the population-averaged one the shares of the population that say yes.

    python examples/population_effect.py [draws]
"""

import sys

import bayes_glmm as bg
from bayes_glmm.datasets import abortion

draws = int(sys.argv[1]) if len(sys.argv) > 1 else 1000

model = bg.GLMM(
    "response ~ situation + gender + (1 | person)",
    abortion(),
    family="bernoulli",
    priors={"beta": "Normal(0, 2.5)", "Intercept": "Normal(0, 5)", "sd": "HalfStudentT(3, sigma=5)"},
)
fit = model.fit(draws=draws, tune=draws, seed=1, progress=False)

print(fit.check(), "\n")
print(fit.marginal_coefficients(), "\n")  # Agresti (2015) has 0.835 and 0.149 for poor
print(fit.compare("situation", contrast=["any", "poor"]))  # the same as a difference of shares
