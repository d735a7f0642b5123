"""Spellings of R, brms, patsy, Bambi and Stata, and what to write here instead.

One table per kind of name: families, functions, operators, words, random terms, response terms and distributions. Exact
synonyms of a family are translated; every other entry is the advice of an error. Nothing is matched by its letters.
"""

from __future__ import annotations

from bayes_glmm.foreign.distributions import DISTRIBUTIONS as DISTRIBUTIONS
from bayes_glmm.foreign.families import FAMILY_SYNONYMS as FAMILY_SYNONYMS
from bayes_glmm.foreign.families import family_advice as family_advice
from bayes_glmm.foreign.families import family_synonym as family_synonym
from bayes_glmm.foreign.formulas import OPERATORS as OPERATORS
from bayes_glmm.foreign.formulas import WORDS as WORDS
from bayes_glmm.foreign.formulas import bar_advice as bar_advice
from bayes_glmm.foreign.formulas import formula_advice as formula_advice
from bayes_glmm.foreign.formulas import function_advice as function_advice
from bayes_glmm.foreign.formulas import keyword_advice as keyword_advice
from bayes_glmm.foreign.formulas import response_advice as response_advice
