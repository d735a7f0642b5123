"""Every family as a record to try: those of categories with four of them."""

from __future__ import annotations

from bayes_glmm.families import FAMILIES

BY_NAME = {
    name: family.with_categories(tuple("1234")) if family.with_categories else family
    for name, family in FAMILIES.items()
}
EACH = tuple(BY_NAME.values())

# the families that most models have, under their first link
USUAL = (
    ("bernoulli", "logit"),
    ("binomial", "logit"),
    ("poisson", "log"),
    ("negative_binomial", "log"),
    ("gamma", "log"),
    ("gaussian", "identity"),
)
