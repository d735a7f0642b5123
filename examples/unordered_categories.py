"""Do women with children at home work less, or part time in place of full time?

263 married Canadian women did not work outside the home, or part time, or full time. The categories are taken without
an order: each but the first has its own log odds against it. The answer is a probability for each category.

    python examples/unordered_categories.py [draws]
"""

import sys

import pandas as pd

import bayes_glmm as bg
from bayes_glmm.datasets import womenlf

draws = int(sys.argv[1]) if len(sys.argv) > 1 else 1000

model = bg.GLMM("partic ~ hincome + children + (1 | region)", womenlf(), family="categorical")
fit = model.fit(draws=draws, tune=draws, seed=1, progress=False)

print(model, "\n")
print(fit.check().verdict, "\n")

rows = pd.DataFrame({"hincome": 15, "children": ["absent", "present"]})
print(fit.predict(rows, random_effects="integrated"), "\n")  # of each category, adds up to 1
print(fit.compare("children", estimands="difference", random_effects="integrated"), "\n")
print(fit.slopes("hincome", random_effects="integrated"), "\n")  # per thousand dollars

# log odds against women who do not work: their signs alone do not show which probabilities rise
for name in fit.design.predictors.parameters:
    print(fit.coefficients(name), "\n")
