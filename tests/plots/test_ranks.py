"""The picture of a calibration: a panel a quantity, red where the line leaves the envelope."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.colors import to_hex

from bayes_glmm import plots
from bayes_glmm.plots.ranks import OUTSIDE
from bayes_glmm.plots.style import INK


def test_what_leaves_the_envelope_is_red() -> None:
    rng = np.random.default_rng(1)
    good, bad = rng.integers(100, size=200), np.floor(100 * rng.beta(2.0, 1.0, size=200)).astype(int)
    figure = plots.ranks(pd.DataFrame({"beta[x]": good, "sd_g[$x$]": bad, "z": good, "w": good, "v": good}), 99)
    shown = [axes for axes in figure.axes if axes.get_title(loc="left")]
    assert [axes.get_title(loc="left") for axes in shown] == ["beta[x]", "sd_g[$x$]", "z", "w", "v"]
    assert [to_hex(axes.lines[0].get_color()) for axes in shown[:2]] == [INK, OUTSIDE.lower()]
    x, y = (np.asarray(values, float) for values in shown[1].lines[0].get_data())
    share = float(np.mean(bad <= 49)) - 0.5  # at 50 hundredths
    np.testing.assert_allclose(share, np.interp(0.5, x, y), atol=1e-12)
