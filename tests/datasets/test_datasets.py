"""Typed tables against the sums printed with them and the published files; simulations against their stated truth."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import special

from bayes_glmm.datasets import (
    DATASETS,
    abortion,
    clinics,
    hospital,
    leukaemia,
    load_dataset,
    salamanders,
    seeds,
    simulate_hospital,
    simulate_sleep,
    spinal,
    wine,
    womenlf,
)
from bayes_glmm.errors import DataError


@pytest.mark.parametrize("dataset", DATASETS.values(), ids=DATASETS)
def test_every_dataset_is_a_whole_table_and_the_same_each_time(dataset):
    table = dataset.function()
    assert not table.isna().any().any()
    assert table.columns.is_unique
    pd.testing.assert_frame_equal(table, load_dataset(dataset.name))
    assert dataset.title
    assert dataset.source


def test_an_unknown_dataset_names_the_nearest():
    with pytest.raises(DataError, match="Did you mean 'abortion'"):
        load_dataset("abortions")


def test_abortion_has_the_printed_table():
    wide = abortion().pivot(index=["person", "gender"], columns="situation", values="response")[
        ["poor", "single", "any"]
    ]
    printed = {"male": (342, 26, 6, 21, 11, 32, 19, 356), "female": (440, 25, 14, 18, 14, 47, 22, 457)}
    patterns = [(1, 1, 1), (1, 1, 0), (0, 1, 1), (0, 1, 0), (1, 0, 1), (1, 0, 0), (0, 0, 1), (0, 0, 0)]
    for gender, counts in printed.items():
        found = wide.xs(gender, level="gender").value_counts()
        assert list(counts) == [int(found[pattern]) for pattern in patterns]
    assert len(wide) == 1850
    assert wide.groupby("gender", observed=True).size().to_dict() == {"male": 813, "female": 1037}


def test_abortion_equals_the_published_file(shared):
    published = pd.read_csv(shared / "data" / "abortion.csv")
    published["gender"] = published["gender"].map({0: "male", 1: "female"})
    published["situation"] = published["situation"].map({1: "poor", 2: "single", 3: "any"})
    pd.testing.assert_series_equal(_patterns(published), _patterns(abortion()))


def _patterns(long: pd.DataFrame) -> pd.Series:
    wide = long.astype({"gender": str, "situation": str}).pivot(
        index=["person", "gender"], columns="situation", values="response"
    )
    return wide.groupby(["gender", "any", "poor", "single"]).size()


def test_spinal_has_the_printed_table():
    wide = spinal().pivot(index="patient", columns="visit", values="nopain")
    assert wide.value_counts().to_dict() == {(1, 1): 63, (1, 0): 16, (0, 1): 12, (0, 0): 35}
    assert spinal().query("visit == 2")["x"].eq(1).all()


def test_spinal_equals_the_published_file(shared):
    pd.testing.assert_frame_equal(pd.read_csv(shared / "data" / "spinal.csv"), spinal(), check_dtype=False)


def test_clinics_has_the_printed_sums():
    sums = clinics().groupby("treatment", observed=True)[["favourable", "n"]].sum()
    assert list(sums.loc["control"]) == [47, 143]
    assert list(sums.loc["drug"]) == [55, 130]
    assert clinics().groupby("clinic")["n"].sum().tolist() == [73, 52, 38, 33, 29, 21, 14, 13]


def test_clinics_equals_the_published_file(shared):
    published = pd.read_csv(shared / "data" / "beitler_landis.csv")
    ours = clinics().assign(treat=lambda table: (table["treatment"] == "drug").astype(int))
    assert published.to_numpy().tolist() == ours[["clinic", "treat", "favourable", "n"]].to_numpy().tolist()


def test_seeds_has_the_printed_sums():
    sums = seeds().groupby(["seed", "extract"], observed=True)[["germinated", "n"]].sum()
    assert sums.to_numpy().tolist() == [[99, 272], [201, 295], [49, 123], [75, 141]]
    assert len(seeds()) == 21


def test_seeds_equals_the_published_file(shared):
    published = pd.read_csv(shared / "data" / "seeds.csv").assign(extract=lambda table: table["extract"].str.lower())
    expected = published[["plate", "seed", "extract", "r", "n"]].to_numpy().tolist()
    assert expected == seeds()[["plate", "seed", "extract", "germinated", "n"]].astype(object).to_numpy().tolist()


def test_wine_has_the_printed_counts_of_each_cell():
    table = wine()
    counts = table.groupby(["temp", "contact", "rating"], observed=False).size().unstack()
    assert counts.index.tolist() == [("cold", "no"), ("cold", "yes"), ("warm", "no"), ("warm", "yes")]
    assert counts.to_numpy().tolist() == [[4, 9, 5, 0, 0], [1, 7, 8, 2, 0], [0, 5, 8, 3, 2], [0, 1, 5, 7, 5]]
    bottles = table.groupby(["temp", "contact"], observed=True)["bottle"].unique()
    assert np.stack(bottles.to_list()).tolist() == [[1, 2], [3, 4], [5, 6], [7, 8]]


def test_wine_has_its_ratings_in_order():
    rating = wine()["rating"]
    assert rating.cat.ordered
    assert rating.cat.categories.tolist() == [1, 2, 3, 4, 5]


def test_wine_equals_the_published_file(shared):
    published = pd.read_csv(shared / "data" / "wine.csv")[["judge", "bottle", "temp", "contact", "rating"]]
    assert published.to_numpy().tolist() == wine().astype(object).to_numpy().tolist()


def test_salamanders_equal_the_published_file(shared):
    columns = ["site", "mined", "spp", "visit", "count"]
    published = pd.read_csv(shared / "data" / "salamanders_glmmTMB.csv").rename(columns={"sample": "visit"})[columns]
    ours = salamanders().astype({"mined": str, "spp": str})[columns]
    expected, found = (table.sort_values(columns, ignore_index=True) for table in (published, ours))
    assert expected.to_numpy().tolist() == found.to_numpy().tolist()


def test_womenlf_equals_the_published_file(shared):
    columns = ["partic", "hincome", "children", "region"]
    published = pd.read_csv(shared / "data" / "womenlf.csv")[columns].sort_values(columns, ignore_index=True)
    ours = womenlf().astype({"partic": str, "children": str}).sort_values(columns, ignore_index=True)
    assert published.to_numpy().tolist() == ours[columns].to_numpy().tolist()


def test_womenlf_has_its_reference_first_and_no_order():
    table = womenlf()
    assert table["partic"].cat.categories.tolist() == ["not.work", "parttime", "fulltime"]
    assert not table["partic"].cat.ordered
    assert table["partic"].value_counts(sort=False).tolist() == [155, 42, 66]
    assert table["region"].value_counts().to_dict() == {
        "Ontario": 108,
        "Quebec": 65,
        "Prairie": 31,
        "Atlantic": 30,
        "BC": 29,
    }


def test_simulated_hospital_has_the_stated_shape_and_truth():
    data = simulate_hospital()
    assert data[["DID", "HID"]].nunique().to_dict() == {"DID": 407, "HID": 35}
    assert data.groupby("DID")["HID"].nunique().eq(1).all()
    assert data.groupby("DID").size().between(2, 40).all()
    # expected counts with u integrated out: by quadrature for the logit, in closed form for the log
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    eta = 1.467 - 0.056 * data["Age"] + 0.26 * data["Married"] - 0.053 * data["IL6"]
    remission = special.expit(eta.to_numpy()[:, None] + np.sqrt(3.979) * nodes) @ weights / weights.sum()
    tumours = np.exp(-0.233 + 0.026 * data["Age"] - 0.13 * data["Married"] + 0.005 * data["IL6"] + 0.169 / 2)
    # doctors differ with sd 0.3 in remission and 0.42 in relative tumours: 3 standard errors of 407 doctors
    assert remission.mean() == pytest.approx(data["remission"].mean(), abs=3 * 0.3 / np.sqrt(407))
    assert tumours.mean() == pytest.approx(data["ntumors"].mean(), rel=3 * 0.42 / np.sqrt(407))


def test_simulations_follow_their_seed():
    assert not simulate_hospital(1).equals(simulate_hospital(2))
    assert not simulate_sleep(1).equals(simulate_sleep(2))


def test_simulated_sleep_has_the_stated_truth():
    # many data sets: the mean of least-squares lines is the fixed effects, their covariance G + sigma^2 (X'X)^-1
    lines = []
    X = np.column_stack([np.ones(10), np.arange(10)])
    for seed in range(60):
        table = simulate_sleep(seed).pivot(index="Subject", columns="Days", values="Reaction")
        lines.append(np.linalg.lstsq(X, table.to_numpy().T, rcond=None)[0].T)
    found = np.concatenate(lines)
    sds = np.array([24.7, 5.92])
    expected = np.outer(sds, sds) * [[1, 0.07], [0.07, 1]] + 25.6**2 * np.linalg.inv(X.T @ X)
    standard_errors = np.sqrt(np.diag(expected) / len(found))
    assert (np.abs(found.mean(0) - [251.4, 10.47]) < 3.5 * standard_errors).all()
    # a variance of 1,080 lines is known to 4.3 %: three of these
    np.testing.assert_allclose(np.diag(np.cov(found.T)), np.diag(expected), rtol=0.13)
    assert np.corrcoef(found.T)[0, 1] == pytest.approx(expected[0, 1] / np.sqrt(np.prod(np.diag(expected))), abs=0.09)


def test_hospital_reads_a_file_and_keeps_its_other_columns(tmp_path):
    path = tmp_path / "hdp.csv"
    simulate_hospital(3).assign(WBC=1.0).to_csv(path, index=False)
    assert "WBC" in hospital(path)
    pd.testing.assert_frame_equal(simulate_hospital(), hospital())


def test_hospital_says_what_a_file_lacks(tmp_path):
    path = tmp_path / "hdp.csv"
    simulate_hospital(3).drop(columns="IL6").to_csv(path, index=False)
    with pytest.raises(DataError, match="no column 'IL6'"):
        hospital(path)
    with pytest.raises(DataError, match="not there"):
        hospital(tmp_path / "nothing.csv")


def test_hospital_reads_the_published_file(shared):
    assert len(hospital(shared / "data" / "hdp.csv")) == 8525


def test_leukaemia_has_the_printed_totals_and_quartiles():
    table = leukaemia()
    relapsed = table["censored"] == "none"
    assert table.groupby("treatment", observed=True)["weeks"].agg(["size", "sum"]).values.tolist() == [
        [21, 182],
        [21, 359],
    ]
    assert relapsed.groupby(table["treatment"], observed=True).sum().tolist() == [21, 9]
    assert np.quantile(table["weeks"], [0.0, 0.25, 0.5, 0.75, 1.0]).tolist() == [1.0, 6.0, 10.5, 18.5, 35.0]
