"""What do my priors say before they see data, and do they matter after?

python examples/own_priors.py [draws]
"""

import sys

import bayes_glmm as bg
from bayes_glmm.datasets import clinics

draws = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
formula = "p(favourable, n) ~ treatment + (1 | clinic)"

default = bg.GLMM(formula, clinics(), family="binomial")
sceptical = bg.GLMM(formula, clinics(), family="binomial", priors={"treatment[drug]": "Normal(0, 0.35)"})

for name, model in {"default": default, "sceptical": sceptical}.items():
    print(f"--- {name}\n{model.priors}")
    before = model.prior_predictive(500)["prior"]["beta"].sel(coefficient="treatment[drug]")
    fit = model.fit(draws=draws, tune=draws, seed=1, progress=False)
    print("log odds ratio of the drug before the data:", f"{float(before.mean()):.2f} +- {float(before.std()):.2f}")
    print(fit.compare("treatment", estimands="odds_ratio"), "\n")
