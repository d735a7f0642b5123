"""Does shade bring plants to more plots, or more plants to each?

Simulated counts on 15 plots at each of 40 sites. With probability zi no plant can grow on a plot; on the others counts
are Poisson. Both parts depend on shade and on the site. The ratio of means has both in it.

    python examples/many_zeros.py [draws]
"""

import sys

import numpy as np
import pandas as pd
from scipy.special import expit

import bayes_glmm as bg

draws = int(sys.argv[1]) if len(sys.argv) > 1 else 1000

TRUTH = {"mu": (0.8, 0.9), "zi": (0.5, -2.0)}  # intercept and effect of shade, on the log and the logit scale
SD, CORRELATION = (0.5, 1.0), -0.6  # of the sites' effects on both scales

rng = np.random.default_rng(1)
site, shade = np.repeat(np.arange(40), 15), rng.uniform(0, 1, 600).round(2)
covariance = CORRELATION * np.prod(SD)
u = rng.multivariate_normal([0, 0], [[SD[0] ** 2, covariance], [covariance, SD[1] ** 2]], 40)[site]
(a, b), (c, d) = TRUTH.values()
mu, zi = np.exp(a + b * shade + u[:, 0]), expit(c + d * shade + u[:, 1])
plants = np.where(rng.uniform(size=600) < zi, 0, rng.poisson(mu))
data = pd.DataFrame({"site": site, "shade": shade, "plants": plants})

formulas = ["plants ~ shade + (1 |i| site)", "zi ~ shade + (1 |i| site)"]
model = bg.GLMM(formulas, data, family="zero_inflated_poisson")
fit = model.fit(draws=draws, tune=draws, seed=1, progress=False)

print(fit.check().verdict, "\n")
table = fit.summary()[["median", "lower", "upper"]]
table["truth"] = [*TRUTH["mu"], *TRUTH["zi"], *SD, CORRELATION]
print(table.round(2).to_string(), "\n")
for part in ("mean", "mu", "zi", "zero", "positive"):
    print(fit.compare("shade", contrast=[0, 1], part=part, estimands="ratio"), "\n")
