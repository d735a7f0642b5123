"""Tables too large to type in: simulated with the published estimates as truth, column names as in the originals.

Whoever has the original file fits the same model to it; nobody else goes without an example.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from bayes_glmm.errors import DataError, choices

HOSPITAL_COLUMNS = ("remission", "ntumors", "Age", "Married", "IL6", "DID", "HID")
# Intercept, Age, Married, IL6 and the variance between doctors, as published.
_REMISSION = (1.467, -0.056, 0.26, -0.053, 3.979)
_NTUMORS = (-0.233, 0.026, -0.13, 0.005, 0.169)
_DOCTORS, _HOSPITALS = 407, 35


def hospital(path: str | Path | None = None) -> pd.DataFrame:
    """Cancer patients of 407 doctors in 35 hospitals: your copy of the file, or a simulation of it.

    Parameters
    ----------
    path : str or Path, optional
        The CSV file ``hdp.csv`` of the source; :func:`simulate_hospital` where none is given.

    Returns
    -------
    DataFrame
        One row a patient: ``remission`` (0, 1), ``ntumors`` (count), ``Age`` (years), ``Married`` (0, 1), ``IL6``
        (interleukin 6), ``DID`` (doctor), ``HID`` (hospital); a file's further columns are kept.

    Raises
    ------
    DataError
        If the file lacks one of these columns, or is not there.

    Notes
    -----
    UCLA Statistical Consulting Group, Introduction to generalized linear mixed models: itself a simulation, of a lung
    cancer study, with 8,525 patients.
    """
    if path is None:
        return simulate_hospital()
    if not Path(path).is_file():
        raise DataError("The file is not there.", str(path), "Leave the path out for simulated data.")
    data = pd.read_csv(path)
    for column in HOSPITAL_COLUMNS:
        if column not in data.columns:
            raise DataError(f"The file has no column {column!r}.", str(path), choices(column, map(str, data.columns)))
    return data


def simulate_hospital(seed: int = 20260101) -> pd.DataFrame:
    r"""Simulated patients of 407 doctors in 35 hospitals.

    With u_d ~ N(0, 3.979) and v_d ~ N(0, 0.169) for doctor d,

        logit P(remission = 1) =  1.467 - 0.056 Age + 0.26 Married - 0.053 IL6 + u_d
        log E(ntumors)         = -0.233 + 0.026 Age - 0.13 Married + 0.005 IL6 + v_d

    the estimates published for the original (source in :func:`hospital`). Age, Married, IL6 and the patients a doctor
    have the original's means and spreads and are independent; hospitals have no effect.

    Parameters
    ----------
    seed : int

    Returns
    -------
    DataFrame
        Columns as :func:`hospital`.

    Examples
    --------
    >>> simulate_hospital(seed=1)[["DID", "HID"]].nunique().to_dict()
    {'DID': 407, 'HID': 35}
    """
    rng = np.random.default_rng(seed)
    doctor = np.repeat(np.arange(_DOCTORS), rng.integers(2, 41, size=_DOCTORS))
    patients = len(doctor)
    age = rng.normal(51.0, 6.3, size=patients)
    married = rng.binomial(1, 0.6, size=patients)
    il6 = rng.gamma(2.0, 2.0, size=patients)

    def predictor(intercept: float, on_age: float, on_married: float, on_il6: float, variance: float) -> np.ndarray:
        u = rng.normal(0.0, np.sqrt(variance), size=_DOCTORS)
        return intercept + on_age * age + on_married * married + on_il6 * il6 + u[doctor]

    return pd.DataFrame(
        {
            "remission": rng.binomial(1, 1.0 / (1.0 + np.exp(-predictor(*_REMISSION)))),
            "ntumors": rng.poisson(np.exp(predictor(*_NTUMORS))),
            "Age": age.round(2),
            "Married": married,
            "IL6": il6.round(3),
            "DID": doctor + 1,
            "HID": doctor * _HOSPITALS // _DOCTORS + 1,
        }
    )


def simulate_sleep(seed: int = 20260101) -> pd.DataFrame:
    """Simulated reaction times of 18 subjects over ten days of little sleep.

    Reaction = (251.4 + u_0) + (10.47 + u_1) Days + e with sds 24.7 and 5.92 of u_0 and u_1, their correlation 0.07, and
    sd 25.6 of e: the restricted maximum likelihood estimates for the original.

    Parameters
    ----------
    seed : int

    Returns
    -------
    DataFrame
        One row a subject and day: ``Reaction`` (milliseconds), ``Days`` (0 to 9), ``Subject``.

    Notes
    -----
    Original: Belenky et al. (2003), Journal of Sleep Research 12, 1-12, as in lme4's ``sleepstudy``; the estimates
    are in Bates, Mächler, Bolker & Walker (2015), Journal of Statistical Software 67(1).

    Examples
    --------
    >>> simulate_sleep(seed=1).shape
    (180, 3)
    """
    rng = np.random.default_rng(seed)
    sds = np.array([24.7, 5.92])
    G = np.outer(sds, sds) * np.array([[1.0, 0.07], [0.07, 1.0]])
    u = rng.multivariate_normal(np.zeros(2), G, size=18)
    subject, days = np.repeat(np.arange(18), 10), np.tile(np.arange(10), 18)
    reaction = 251.4 + u[subject, 0] + (10.47 + u[subject, 1]) * days + rng.normal(0.0, 25.6, size=180)
    return pd.DataFrame({"Reaction": reaction.round(2), "Days": days, "Subject": [f"S{s + 1:02d}" for s in subject]})
