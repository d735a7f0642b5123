"""Every family as a record to try: those of categories with four of them."""

from __future__ import annotations

from bayes_glmm.families import FAMILIES

BY_NAME = {
    name: family.with_categories(tuple("1234")) if family.with_categories else family
    for name, family in FAMILIES.items()
}
EACH = tuple(BY_NAME.values())
