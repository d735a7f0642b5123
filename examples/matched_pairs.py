"""How near does the posterior come to a case with known answers?

Two visits of 126 patients make a 2 x 2 table: 63 without pain at both, 16 at the first only, 12 at the second only,
35 at neither. By maximum likelihood the log odds ratio is log(12 / 16) for a patient and
logit(75 / 126) - logit(79 / 126) for the population.

    python examples/matched_pairs.py [draws]
"""

import sys

import numpy as np
from scipy.special import logit

import bayes_glmm as bg
from bayes_glmm.datasets import spinal

draws = int(sys.argv[1]) if len(sys.argv) > 1 else 1000

model = bg.GLMM("nopain ~ x + (1 | patient)", spinal(), family="bernoulli", priors={"beta": "Normal(0, 5)"})
fit = model.fit(draws=draws, tune=draws, seed=1, progress=False)

table = fit.marginal_coefficients().table.query("coefficient == 'x'").set_index("effect")
table["maximum likelihood"] = [np.log(12 / 16), logit(75 / 126) - logit(79 / 126)]
print(table[["maximum likelihood", "estimate", "mcse", "lower", "upper"]].round(3).to_string())
