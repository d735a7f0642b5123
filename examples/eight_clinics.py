"""Does the drug help, and would it in a ninth clinic?

Clinics differ in how often control succeeds, and the drug may do more in some than in others.

    python examples/eight_clinics.py [draws]
"""

import sys

import bayes_glmm as bg
from bayes_glmm.datasets import clinics

draws = int(sys.argv[1]) if len(sys.argv) > 1 else 1000

model = bg.GLMM(
    "p(favourable, n) ~ treatment + (treatment || clinic)",  # success and the drug's effect vary, independently
    clinics(),
    family="binomial",
    priors={"sd": "HalfNormal(1.5)"},
)
fit = model.fit(draws=draws, tune=draws, seed=1, target_accept=0.95, progress=False)

print(fit.check().verdict, "\n")
print(fit.compare("treatment", random_effects=["integrated", "zero"]), "\n")

# In a new clinic the effect is less certain: the interval also holds how clinics differ.
ninth = fit.compare("treatment", random_effects="new", estimands="difference")
print(ninth, "\n")
print(f"Probability that the drug helps in a ninth clinic: {float((ninth.draws > 0).mean()):.2f}")
