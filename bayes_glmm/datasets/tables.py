"""Published tables, small enough to be typed in and checked against the sums printed with them.

Factors are pandas categories whose first level is the one that the publication takes as reference, so that coefficients
compare with the printed ones as they stand.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

SITUATIONS = ("poor", "single", "any")  # the order in which the survey asked
# Yes (1) or no (0) to the three situations, in their order: how many men, how many women.
_ABORTION = {
    (1, 1, 1): (342, 440),
    (1, 1, 0): (26, 25),
    (0, 1, 1): (6, 14),
    (0, 1, 0): (21, 18),
    (1, 0, 1): (11, 14),
    (1, 0, 0): (32, 47),
    (0, 0, 1): (19, 22),
    (0, 0, 0): (356, 457),
}
# No pain (1) or pain (0) at visit 1 and at visit 2: how many patients.
_SPINAL = {(1, 1): 63, (1, 0): 16, (0, 1): 12, (0, 0): 35}
# By clinic: favourable of all under the drug, favourable of all under control.
_CLINICS = (
    (11, 36, 10, 37),
    (16, 20, 22, 32),
    (14, 19, 7, 19),
    (2, 16, 1, 17),
    (6, 17, 0, 12),
    (1, 11, 0, 10),
    (1, 5, 1, 9),
    (4, 6, 6, 7),
)
# Germinated of all, plate by plate.
_SEEDS = {
    ("O75", "bean"): ((10, 39), (23, 62), (23, 81), (26, 51), (17, 39)),
    ("O75", "cucumber"): ((5, 6), (53, 74), (55, 72), (32, 51), (46, 79), (10, 13)),
    ("O73", "bean"): ((8, 16), (10, 30), (8, 28), (23, 45), (0, 4)),
    ("O73", "cucumber"): ((3, 12), (22, 41), (15, 30), (32, 51), (3, 7)),
}
# Ratings of bitterness by judge, bottle by bottle: two cold without contact, two cold with it, then the four warm ones.
_WINE = (
    (2, 3, 3, 4, 4, 4, 5, 5),
    (1, 2, 1, 3, 2, 3, 5, 4),
    (2, 3, 3, 2, 5, 5, 4, 4),
    (3, 2, 3, 2, 3, 2, 5, 3),
    (2, 3, 4, 3, 3, 3, 3, 3),
    (3, 2, 3, 2, 2, 4, 5, 4),
    (1, 1, 2, 2, 2, 3, 2, 3),
    (2, 2, 2, 3, 3, 3, 3, 4),
    (1, 2, 3, 2, 3, 2, 4, 4),
)
# Weeks of remission; + where a child was still in remission.
_LEUKAEMIA = {
    "placebo": "1 1 2 2 3 4 4 5 5 8 8 8 8 11 11 12 12 15 17 22 23",
    "6-MP": "6 6 6 6+ 7 9+ 10 10+ 11+ 13 16 17+ 19+ 20+ 22 23 25+ 32+ 32+ 34+ 35+",
}
# Incomes of husbands by region and presence of children: of women who do not work, work part time, work full time.
_WOMENLF = {
    ("Atlantic", "absent"): (
        "17",
        "6",
        "11 16",
    ),
    ("Atlantic", "present"): (
        "1 1 3 7 9 9 9 9 15 15 15 17 19 19 23 23 23 23 45",
        "9 11 11",
        "5 9 17 17",
    ),
    ("BC", "absent"): (
        "5 13 15 19 19 28",
        "12 12",
        "6 13 13 13 15 27",
    ),
    ("BC", "present"): (
        "7 9 13 13 15 19 23 23",
        "8 11 15 15 19 28",
        "16",
    ),
    ("Ontario", "absent"): (
        "9 9 9 9 13 13 19 35 35 35",
        "19 28",
        "9 9 9 9 9 11 13 13 13 14 14 15 15 15 18 18 20 22 24 27 28",
    ),
    ("Ontario", "present"): (
        "3 5 7 7 7 7 9 9 9 13 13 13 13 13 13 14 14 15 15 15 15 15 15 15 15 15 15 15 17 17 17 17 17 17 17 19 19 19 "
        "19 19 19 19 23 23 23 23 23 23 23 26 28 28 28 45",
        "4 5 9 9 9 10 13 14 15 19 19 23 30 38 38",
        "7 11 11 13 17 17",
    ),
    ("Prairie", "absent"): (
        "",
        "23",
        "1 1 10 15",
    ),
    ("Prairie", "present"): (
        "9 9 11 11 11 13 13 13 13 13 17 17 17 17 19 23 23",
        "10 10 13 13 13",
        "5 5 7 14",
    ),
    ("Quebec", "absent"): (
        "5 9 11 11 13 15 23 23 23",
        "15",
        "2 3 5 5 6 10 10 11 11 11 15 15 16",
    ),
    ("Quebec", "present"): (
        "5 7 7 7 9 11 11 11 11 11 13 13 13 13 13 13 13 15 15 15 15 15 15 15 15 17 19 19 19 19 28",
        "9 17 19 23 23 23",
        "3 5 5 6 20",
    ),
}


def abortion() -> pd.DataFrame:
    """Attitudes toward legal abortion: 1,850 people, three questions each.

    Returns
    -------
    DataFrame
        One row a person and question, 5,550 in all: ``person`` (1 to 1850), ``gender`` (male, female), ``situation``
        (see below) and ``response`` (1 for yes). References: male, any. Should a woman be able to have an abortion if
        her family has a low income and cannot afford more children (``poor``), if she is not married and does not want
        to marry the man (``single``), for any reason (``any``)?

    Notes
    -----
    General Social Survey 1994. Printed in Agresti (2002), Categorical Data Analysis (2nd ed.), table 10.13; analysed in
    Agresti (2015), Foundations of Linear and Generalized Linear Models, section 9.7.

    Examples
    --------
    >>> abortion().groupby("situation", observed=True)["response"].sum().to_dict()
    {'any': 868, 'poor': 937, 'single': 892}
    """
    people = [
        (gender, answers)
        for column, gender in enumerate(("male", "female"))
        for answers, counts in _ABORTION.items()
        for _ in range(counts[column])
    ]
    gender = np.repeat([person[0] for person in people], len(SITUATIONS))
    return pd.DataFrame(
        {
            "person": np.repeat(np.arange(1, len(people) + 1), len(SITUATIONS)),
            "gender": pd.Categorical(gender, ["male", "female"]),
            "situation": pd.Categorical(np.tile(SITUATIONS, len(people)), ["any", "poor", "single"]),
            "response": np.concatenate([answers for _, answers in people]),
        }
    )


def spinal() -> pd.DataFrame:
    """Spinal pain at two visits: 126 patients, a 2 x 2 table of matched pairs.

    Returns
    -------
    DataFrame
        One row a patient and visit, 252 in all: ``patient`` (1 to 126), ``visit`` (1, 2), ``x`` (0 at the first, 1 at
        the second visit) and ``nopain`` (1 for no pain).

    Notes
    -----
    A table used in teaching; its first publication is not known to us. It is kept for its closed forms: by maximum
    likelihood the conditional log odds ratio is log(12 / 16) with standard error sqrt(1/12 + 1/16), the
    population-averaged one is logit(75 / 126) - logit(79 / 126).

    Examples
    --------
    >>> spinal().groupby("visit")["nopain"].sum().to_dict()
    {1: 79, 2: 75}
    """
    answers = [pair for pair, count in _SPINAL.items() for _ in range(count)]
    visit = np.tile([1, 2], len(answers))
    return pd.DataFrame(
        {
            "patient": np.repeat(np.arange(1, len(answers) + 1), 2),
            "visit": visit,
            "x": visit - 1,
            "nopain": np.concatenate(answers),
        }
    )


def clinics() -> pd.DataFrame:
    """A drug against control in eight clinics: favourable responses of patients treated.

    Returns
    -------
    DataFrame
        One row a clinic and treatment, 16 in all: ``clinic`` (1 to 8), ``treatment`` (control, drug), ``favourable``
        and ``n``. Reference: control.

    Notes
    -----
    Beitler & Landis (1985), A mixed-effects model for categorical data, Biometrics 41, 991-1000: 55 of 130
    favourable under the drug, 47 of 143 under control.

    Examples
    --------
    >>> clinics().groupby("treatment", observed=True)[["favourable", "n"]].sum().values.tolist()
    [[47, 143], [55, 130]]
    """
    counts = np.array(_CLINICS).reshape(-1, 2)
    return pd.DataFrame(
        {
            "clinic": np.repeat(np.arange(1, len(_CLINICS) + 1), 2),
            "treatment": pd.Categorical(np.tile(["drug", "control"], len(_CLINICS)), ["control", "drug"]),
            "favourable": counts[:, 0],
            "n": counts[:, 1],
        }
    )


def seeds() -> pd.DataFrame:
    """Germination of two kinds of broomrape seed on two root extracts: 21 plates.

    Returns
    -------
    DataFrame
        One row a plate: ``plate`` (1 to 21), ``seed`` (O75, O73), ``extract`` (bean, cucumber), ``germinated`` and
        ``n``. References: O75, bean.

    Notes
    -----
    Crowder (1978), Beta-binomial anova for proportions, Applied Statistics 27, 34-37, table 3. Analysed again in
    Breslow & Clayton (1993), Approximate inference in generalized linear mixed models, JASA 88, 9-25.

    Examples
    --------
    >>> seeds().groupby(["seed", "extract"], observed=True)[["germinated", "n"]].sum().values.tolist()
    [[99, 272], [201, 295], [49, 123], [75, 141]]
    """
    plates = [(*factors, *counts) for factors, cell in _SEEDS.items() for counts in cell]
    order = sorted(plates, key=lambda plate: plate[1])  # all plates on bean first, as printed
    kind, extract, germinated, n = zip(*order, strict=True)
    return pd.DataFrame(
        {
            "plate": np.arange(1, len(order) + 1),
            "seed": pd.Categorical(kind, ["O75", "O73"]),
            "extract": pd.Categorical(extract, ["bean", "cucumber"]),
            "germinated": germinated,
            "n": n,
        }
    )


def wine() -> pd.DataFrame:
    """Bitterness of eight bottles of white wine, each rated by the same nine judges.

    Returns
    -------
    DataFrame
        One row per judge and bottle, 72 in all: ``judge`` (1 to 9), ``bottle`` (1 to 8), ``temp`` (cold, warm) and
        ``contact`` (no, yes), and ``rating``, ordered from 1, the least bitter, to 5. References: cold, no. The grapes
        were crushed cold or warm, and the juice had contact with their skins or not; two bottles per combination.

    Notes
    -----
    Randall (1989), The analysis of sensory data by generalised linear model, Biometrical Journal 31, 781-793. The table
    is ``wine`` in R's package ordinal.

    Examples
    --------
    >>> wine().groupby(["temp", "rating"], observed=False).size().unstack().values.tolist()
    [[5, 16, 13, 2, 0], [0, 6, 13, 10, 7]]
    """
    judges, bottles = len(_WINE), len(_WINE[0])
    return pd.DataFrame(
        {
            "judge": np.repeat(np.arange(1, judges + 1), bottles),
            "bottle": np.tile(np.arange(1, bottles + 1), judges),
            "temp": pd.Categorical(np.tile(np.repeat(["cold", "warm"], 4), judges), ["cold", "warm"]),
            "contact": pd.Categorical(np.tile(np.repeat(["no", "yes"], 2), 2 * judges), ["no", "yes"]),
            "rating": pd.Categorical(np.ravel(_WINE), range(1, 6), ordered=True),
        }
    )


def leukaemia() -> pd.DataFrame:
    """Weeks of remission of 42 children with acute leukaemia, under 6-mercaptopurine or placebo.

    Returns
    -------
    DataFrame
        One row per child: ``treatment`` (placebo, 6-MP), ``weeks`` in remission and ``censored``: ``none`` after a
        relapse, ``right`` where the child was still in remission at the end of the study. Reference: placebo.

    Notes
    -----
    Freireich and others (1963), The effect of 6-mercaptopurine on the duration of steroid-induced remissions in acute
    leukemia, Blood 21, 699-716: 9 relapses in 359 weeks under 6-mercaptopurine, 21 in 182 under placebo. Treatments
    were assigned within pairs, which are left out here as in most analyses.

    Examples
    --------
    >>> leukaemia().groupby("treatment", observed=True)["weeks"].sum().tolist()
    [182, 359]
    """
    rows = [
        (treatment, int(weeks.removesuffix("+")), "right" if weeks.endswith("+") else "none")
        for treatment, times in _LEUKAEMIA.items()
        for weeks in times.split()
    ]
    table = pd.DataFrame(rows, columns=["treatment", "weeks", "censored"])
    return table.assign(treatment=pd.Categorical(table["treatment"], list(_LEUKAEMIA)))


def womenlf() -> pd.DataFrame:
    """Work outside the home of 263 married Canadian women, with the incomes of their husbands.

    Returns
    -------
    DataFrame
        One row per woman: ``partic`` (not.work, parttime, fulltime; categories without an order), ``hincome``, the
        husband's income in thousands of dollars, ``children`` in the household (absent, present) and ``region`` of
        Canada (Atlantic, BC, Ontario, Prairie, Quebec). References: not.work, absent.

    Notes
    -----
    From a survey of 1977, the Social Change in Canada Project of York University. Analysed in Fox (1997), Applied
    Regression Analysis, Linear Models, and Related Methods. The table is ``Womenlf`` in R's package carData, which has
    its rows in another order.

    Examples
    --------
    >>> womenlf().groupby(["children", "partic"], observed=True).size().unstack().values.tolist()
    [[26, 7, 46], [129, 35, 20]]
    """
    statuses = ("not.work", "parttime", "fulltime")
    rows = [
        (status, int(income), children, region)
        for (region, children), cell in _WOMENLF.items()
        for status, incomes in zip(statuses, cell, strict=True)
        for income in incomes.split()
    ]
    table = pd.DataFrame(rows, columns=["partic", "hincome", "children", "region"])
    return table.assign(
        partic=pd.Categorical(table["partic"], statuses),
        children=pd.Categorical(table["children"], ["absent", "present"]),
    )
