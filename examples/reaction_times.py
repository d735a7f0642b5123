"""How many milliseconds slower are people after nine days of little sleep: the mean of all, and a typical reaction?

Reaction times are skewed, so their logarithm is taken as normal. Questions are answered in milliseconds: the mean is
exp(mu + sigma^2 / 2), averaged over subjects, and the median of a typical subject exp(mu).

    python examples/reaction_times.py [draws]
"""

import sys

import pandas as pd

import bayes_glmm as bg
from bayes_glmm.datasets import simulate_sleep

draws = int(sys.argv[1]) if len(sys.argv) > 1 else 1000

model = bg.GLMM("Reaction ~ Days + (Days | Subject)", simulate_sleep(), family="lognormal")
fit = model.fit(draws=draws, tune=draws, seed=1, progress=False)
print(fit.check().verdict, "\n")

days = pd.DataFrame({"Days": [0, 9]})
print(fit.predict(days), "\n")
print(fit.predict(days, random_effects="zero", part="median"), "\n")
print(fit.compare("Days", contrast=[0, 9], random_effects="integrated"), "\n")
print(fit.marginal_coefficients())
