"""Small tables to learn and to test with: the table ``DATASETS``."""

from __future__ import annotations

import pandas as pd

from bayes_glmm.datasets.dataset import Dataset as Dataset
from bayes_glmm.datasets.salamanders import salamanders as salamanders
from bayes_glmm.datasets.simulated import hospital as hospital
from bayes_glmm.datasets.simulated import simulate_hospital as simulate_hospital
from bayes_glmm.datasets.simulated import simulate_sleep as simulate_sleep
from bayes_glmm.datasets.tables import abortion as abortion
from bayes_glmm.datasets.tables import clinics as clinics
from bayes_glmm.datasets.tables import leukaemia as leukaemia
from bayes_glmm.datasets.tables import seeds as seeds
from bayes_glmm.datasets.tables import spinal as spinal
from bayes_glmm.datasets.tables import wine as wine
from bayes_glmm.datasets.tables import womenlf as womenlf
from bayes_glmm.errors import DataError, choices

DATASETS: dict[str, Dataset] = {
    dataset.name: dataset
    for dataset in (
        Dataset(
            "abortion",
            function=abortion,
            title="Attitudes toward legal abortion: 1,850 people, three questions each",
            source="General Social Survey 1994; Agresti (2015), Foundations of Linear and Generalized Linear Models",
        ),
        Dataset(
            "clinics",
            function=clinics,
            title="A drug against control in eight clinics: favourable responses",
            source="Beitler & Landis (1985), Biometrics 41, 991-1000",
        ),
        Dataset(
            "hospital",
            function=simulate_hospital,
            title="Simulated: remission and tumours of cancer patients of 407 doctors in 35 hospitals",
            source="Simulated with the estimates of the UCLA Statistical Consulting Group's introduction to GLMMs",
        ),
        Dataset(
            "leukaemia",
            function=leukaemia,
            title="Weeks of remission of 42 children with acute leukaemia, 12 of them censored",
            source="Freireich and others (1963), Blood 21, 699-716",
        ),
        Dataset(
            "salamanders",
            function=salamanders,
            title="Salamanders of seven kinds on four visits to 23 streams with and without coal mines",
            source="Price et al. (2016), Journal of Applied Ecology 53, 459-468",
        ),
        Dataset(
            "seeds",
            function=seeds,
            title="Germination of two kinds of seed on two root extracts: 21 plates",
            source="Crowder (1978), Applied Statistics 27, 34-37",
        ),
        Dataset(
            "sleepstudy",
            function=simulate_sleep,
            title="Simulated: reaction times of 18 subjects over ten days of little sleep",
            source="Simulated with the estimates of Bates et al. (2015), Journal of Statistical Software 67(1)",
        ),
        Dataset(
            "spinal",
            function=spinal,
            title="Spinal pain at two visits: 126 patients",
            source="A 2 x 2 table used in teaching; first publication not known to us",
        ),
        Dataset(
            "wine",
            function=wine,
            title="Bitterness of eight bottles of wine in five ordered categories: nine judges",
            source="Randall (1989), Biometrical Journal 31, 781-793",
        ),
        Dataset(
            "womenlf",
            function=womenlf,
            title="Work outside the home (none, part time, full time) of 263 married Canadian women",
            source="Social Change in Canada Project 1977; Fox (1997), Applied Regression Analysis",
        ),
    )
}


def load_dataset(name: str) -> pd.DataFrame:
    """The table of that name.

    Raises
    ------
    DataError
        If there is none; the message lists those there are.
    """
    if name not in DATASETS:
        raise DataError(f"There is no data set {name!r}.", advice=choices(name, DATASETS))
    return DATASETS[name].function()
