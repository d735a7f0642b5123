"""How much does the doctor matter for remission, and what does that do to the effect of age?

Simulated data; name your copy of hdp.csv (UCLA Statistical Consulting Group) to use it instead.

    python examples/hospital.py [draws] [hdp.csv]
"""

import sys

import bayes_glmm as bg
from bayes_glmm.datasets import hospital

draws = int(sys.argv[1]) if len(sys.argv) > 1 else 500
data = hospital(sys.argv[2] if len(sys.argv) > 2 else None)

model = bg.GLMM("remission ~ center(Age) + Married + center(IL6) + (1 | DID)", data, family="bernoulli")
fit = model.fit(draws=draws, tune=draws, seed=1, progress=False)

print(fit.check().verdict, "\n")
print(fit.variance(), "\n")
print(fit.marginal_coefficients(), "\n")
print(fit.compare("Age", contrast=10, estimands="difference"), "\n")

# The same patient with three of the doctors, and with one whom nobody knows.
patient = data[["Age", "Married", "IL6"]].mean().to_frame().T
print(fit.predict(patient.merge(data[["DID"]].drop_duplicates().head(3), how="cross"), random_effects="known"), "\n")
print(fit.predict(patient, random_effects=["new", "integrated"]))
