"""Do people differ in how regularly they react, and does that change with days of little sleep?

The residual sd has a formula of its own. Its random intercept shares the name i with the effects of the mean: the model
has the correlations between how slow and how irregular a person is. The simulated data have one sd for all; in the
published file subjects differ.

    python examples/spread.py [draws] [sleepstudy.csv]
"""

import sys

import pandas as pd

import bayes_glmm as bg
from bayes_glmm.datasets import simulate_sleep

draws = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
data = pd.read_csv(sys.argv[2]) if len(sys.argv) > 2 else simulate_sleep()

model = bg.GLMM(["Reaction ~ Days + (Days |i| Subject)", "sigma ~ Days + (1 |i| Subject)"], data)
fit = model.fit(draws=draws, tune=draws, seed=1, target_accept=0.95, progress=False)

print(fit.check().verdict, "\n")
print(fit.coefficients("sigma"), "\n")  # on the log scale
print(fit.summary().filter(like="Subject", axis="index").round(2).to_string(), "\n")
print(fit.predict(pd.DataFrame({"Days": [0, 9]}), part="sigma"), "\n")  # in milliseconds
print(fit.compare("Days", contrast=[0, 9], part="sigma", estimands="ratio"))
