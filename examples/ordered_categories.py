"""How much more bitter does wine taste if its grapes are crushed warm?

Nine judges rated eight bottles from 1 to 5. The ratings are ordered categories: a threshold on a latent scale separates
each from the next, and warmth and judge move a bottle along that scale. The answer is a probability for each rating.

    python examples/ordered_categories.py [draws]
"""

import sys

import pandas as pd

import bayes_glmm as bg
from bayes_glmm.datasets import wine

draws = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
formula = "rating ~ temp + contact + (1 | judge)"

model = bg.GLMM(formula, wine(), family="cumulative")
fit = model.fit(draws=draws, tune=draws, seed=1, progress=False)

print(model, "\n")
print(fit.check().verdict, "\n")
print(fit.coefficients(), "\n")  # thresholds, then the effects on the logit scale: above 0 is towards higher ratings

kinds = pd.DataFrame({"temp": ["cold", "warm"], "contact": "no"})
print(fit.predict(kinds, random_effects="integrated"), "\n")  # of each rating, adds up to 1
print(fit.compare("temp", estimands="difference", random_effects="integrated"), "\n")
print(fit.compare("temp", newdata=kinds, part="at_least", estimands="odds_ratio"), "\n")  # one for all at u = 0
print(fit.compare("temp", part="mean"), "\n")  # of the numbers 1, ..., 5

# thresholds that may lie much farther out, at cold and no contact: does the answer change?
wide = bg.GLMM(formula, wine(), family="cumulative", priors={"threshold": "Normal(0, 5)"})
again = wide.fit(draws=draws, tune=draws, seed=1, progress=False)
print(wide.priors.table.head(4).to_string(index=False), "\n")
print(again.compare("temp", estimands="difference", random_effects="integrated"))
