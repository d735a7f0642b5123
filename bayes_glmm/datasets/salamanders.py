"""Counts of salamanders in streams below mountains with and without coal mines: a published table."""

from __future__ import annotations

import pandas as pd

_SPECIES = ("GP", "PR", "DM", "EC-A", "EC-L", "DES-L", "DF")
# By site, "VF" below a mine: the counts of four visits, species by species.
_COUNTS = {
    "R-1": "2,1,6,2 4,0,2,1 3,2,3,2 2,0,0,0 1,6,4,13 1,8,7,2 1,0,0,0",
    "R-2": "2,5,5,0 0,0,0,0 4,6,3,3 0,0,2,0 2,2,3,11 4,2,14,0 1,1,1,2",
    "R-3": "1,6,4,0 0,0,4,0 1,4,2,0 2,0,0,0 0,0,1,0 10,8,3,7 0,0,2,1",
    "R-4": "1,0,3,2 0,0,2,1 1,0,0,0 4,1,2,0 8,7,7,36 2,5,7,0 5,7,4,5",
    "R-5": "2,3,3,2 0,0,0,0 6,4,4,1 3,2,0,0 1,1,2,9 3,11,5,12 0,0,0,0",
    "R-6": "4,1,2,7 1,2,0,1 5,4,2,2 4,2,0,0 7,4,2,6 7,6,3,8 7,0,1,4",
    "R-7": "1,0,1,0 0,0,0,0 0,2,4,1 4,2,0,0 3,1,3,11 0,0,0,2 5,2,1,1",
    "R-8": "0,1,0,2 0,3,0,0 0,2,5,4 4,0,0,1 4,5,2,6 2,3,0,2 5,4,3,5",
    "R-9": "1,1,0,0 0,0,0,0 0,0,0,0 0,0,0,0 0,0,0,0 8,5,9,0 2,5,0,8",
    "R-10": "0,1,3,10 1,0,0,0 1,2,7,5 5,0,0,0 1,0,0,5 2,2,3,3 0,1,0,2",
    "R-11": "0,2,4,3 0,0,0,0 0,2,1,0 4,0,0,0 1,1,1,4 1,3,0,4 1,1,0,1",
    "R-12": "1,2,7,2 0,0,0,0 13,3,2,1 1,0,1,0 0,0,0,9 0,1,0,3 1,0,2,0",
    "VF-1": "0,0,0,0 0,0,0,0 0,0,2,1 0,1,0,0 0,0,0,0 0,0,2,0 1,0,0,0",
    "VF-2": "0,0,2,0 0,1,0,0 0,1,6,3 2,0,0,0 1,1,0,0 3,2,0,2 2,2,0,1",
    "VF-3": "0,0,0,0 0,0,0,0 0,0,0,0 0,0,0,0 0,0,0,0 0,0,0,0 0,0,0,0",
    "VF-4": "0,0,0,0 0,0,0,0 0,0,0,0 0,0,0,0 0,1,2,2 0,0,0,0 0,0,0,0",
    "VF-5": "0,0,0,0 0,0,0,0 0,0,0,0 0,0,0,0 0,1,0,0 0,0,0,0 0,0,1,0",
    "VF-6": "0,0,0,0 0,0,0,0 0,0,0,1 0,0,0,0 0,0,0,0 0,0,0,0 0,0,1,0",
    "VF-7": "0,0,0,0 0,0,0,0 0,0,0,1 1,0,0,0 0,0,0,0 6,4,1,0 0,0,0,0",
    "VF-8": "0,0,0,0 0,1,3,0 0,0,0,0 0,0,0,0 1,0,0,0 1,1,2,0 0,3,4,1",
    "VF-9": "0,0,0,0 0,0,0,0 3,0,0,0 0,0,0,0 0,0,0,0 1,0,0,0 1,0,0,1",
    "VF-10": "0,0,0,0 0,0,0,0 0,1,0,0 0,0,0,0 0,0,0,0 0,0,0,0 0,0,0,0",
    "VF-11": "0,0,0,0 0,0,0,0 0,0,0,0 0,0,0,0 1,1,0,0 0,0,0,0 0,0,3,4",
}


def salamanders() -> pd.DataFrame:
    """Salamanders counted on four visits to 23 streams, seven species and stages each.

    Returns
    -------
    DataFrame
        One row per site, species and visit, 644 in all: ``site``, ``mined`` (yes: below a mountain whose top was
        removed for coal; no), ``spp`` (GP Gyrinophilus porphyriticus, PR Pseudotriton ruber, DM Desmognathus
        monticola, EC-A and EC-L adults and larvae of Eurycea cirrigera, DES-L larvae of Desmognathus, DF Desmognathus
        fuscus), ``visit`` (1 to 4) and ``count``. References: yes, GP.

    Notes
    -----
    Price, Muncy, Bonner, Drayer & Barton (2016), Journal of Applied Ecology 53, 459-468; data Dryad
    doi:10.5061/dryad.5m8f6. The table is ``Salamanders`` in R's package glmmTMB, with further columns.

    Examples
    --------
    >>> table = salamanders()
    >>> (table["count"] == 0).groupby(table["mined"], observed=True).mean().round(2).tolist()
    [0.84, 0.38]
    """
    rows = [
        (site, "yes" if site.startswith("VF") else "no", species, visit, int(count))
        for site, counts in _COUNTS.items()
        for species, visits in zip(_SPECIES, counts.split(), strict=True)
        for visit, count in enumerate(visits.split(","), start=1)
    ]
    table = pd.DataFrame(rows, columns=["site", "mined", "spp", "visit", "count"])
    return table.assign(mined=pd.Categorical(table["mined"], ["yes", "no"]), spp=pd.Categorical(table["spp"], _SPECIES))
