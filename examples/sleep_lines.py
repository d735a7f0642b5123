"""How much slower does each person react with each day of little sleep?

Intercept and slope vary by subject and are correlated. What one subject will do is said by their own line (known); what
a person does whom nobody has measured, by a new one.

    python examples/sleep_lines.py [draws] [sleepstudy.csv]
"""

import sys

import pandas as pd

import bayes_glmm as bg
from bayes_glmm.datasets import simulate_sleep

draws = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
data = pd.read_csv(sys.argv[2]) if len(sys.argv) > 2 else simulate_sleep()

model = bg.GLMM("Reaction ~ Days + (Days | Subject)", data)
fit = model.fit(draws=draws, tune=draws, seed=1, target_accept=0.95, progress=False)

print(fit.check().verdict, "\n")
print(fit.summary().round(2).to_string(), "\n")
first = data["Subject"].iloc[0]
tenth_day = pd.DataFrame({"Days": [9], "Subject": [first]})
print(fit.predict(tenth_day, random_effects=["known", "new", "integrated"]), "\n")
print(fit.predict(tenth_day, random_effects=["known", "new"], scale="outcome"))  # a measurement, not a mean
