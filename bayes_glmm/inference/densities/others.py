"""From white coordinates to beta and the effects of the other factors, and the way back for slopes.

What is done is in :mod:`~bayes_glmm.inference.others`; ``h`` is c and what the later sets add to it.
"""

from __future__ import annotations

import math

import numpy as np

from bayes_glmm.inference.densities.products import add_product, add_product_transposed
from bayes_glmm.inference.densities.variances import compiled


@compiled
def others_forward(data, L, sd, w, beta, h, u, z):  # type: ignore[no-untyped-def] # pragma: no cover
    """Write beta, h, and z and u of the other factors; returns the log Jacobian."""
    p, log_jacobian = len(beta), 0.0
    moved, white = np.zeros(len(h)), np.zeros(len(h))  # rows of one matrix would not be known to be contiguous
    for e in range(len(h)):
        h[e] = data.pull[p + e]
    for k in range(len(data.sets) - 1, -1, -1):
        start, stop, row = data.sets[k, 0], data.sets[k, 1], data.sets[k, 2]
        s = sd[row] / data.variances.mode[row]
        add_product(data.steps, p + start, p + stop, moved[stop:], h[start:stop])
        for e in range(start, stop):
            stretch = 1.0 + s * s * data.curvature[e]
            white[e] = s * h[e] / stretch + w[p + e] / math.sqrt(stretch)
            log_jacobian -= 0.5 * math.log(stretch)
        add_product(data.steps, p + start, p + start, white[start:stop], moved[start:stop])
        for e in range(start, stop):
            z[data.order[e]] = moved[e]
            moved[e] *= s
    for c in range(p):
        beta[c] = data.pull[c]
        log_jacobian += math.log(data.steps[c, c])
    add_product(data.steps, 0, 0, w[:p], beta)
    add_product(data.steps, 0, p, moved, beta)
    start = 0
    for b in range(len(data.blocks)):
        levels, d, place = data.blocks[b, 0], data.blocks[b, 1], data.blocks[b, 2]
        for j in range(start, start + levels * d, d):
            for i in range(d):
                u[j + i] = 0.0
                for k in range(i + 1):
                    u[j + i] += L[place + i * d + k] * z[j + k]
        start += levels * d
    return log_jacobian


@compiled
def others_back(data, at, w, beta_slope, u_slope, L_slope, sd_slope, w_slope):  # type: ignore[no-untyped-def] # pragma: no cover
    """Write the slope in w, from those in beta and in u of the other factors; adds to the slopes in L and sd."""
    p, own = len(beta_slope), len(at.z) - len(at.h)
    z = at.z[own:]
    n = len(at.h)
    z_slope, moved_slope, inner, h_slope = np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n)
    start = 0
    for b in range(len(data.blocks)):
        levels, d, place = data.blocks[b, 0], data.blocks[b, 1], data.blocks[b, 2]
        for j in range(start, start + levels * d, d):
            for k in range(d):
                z_slope[j + k] = -z[j + k]
                for i in range(k, d):
                    z_slope[j + k] += at.L[place + i * d + k] * u_slope[j + i]
                    L_slope[place + i * d + k] += u_slope[j + i] * z[j + k]
        start += levels * d
    for k in range(len(w_slope)):
        w_slope[k] = 0.0
    add_product_transposed(data.steps, 0, 0, beta_slope, w_slope[:p])
    add_product_transposed(data.steps, 0, p, beta_slope, moved_slope)
    for k in range(len(data.sets)):
        start, stop, row = data.sets[k, 0], data.sets[k, 1], data.sets[k, 2]
        s, along = at.sd[row] / data.variances.mode[row], 0.0
        for e in range(start, stop):
            inner[e] = z_slope[data.order[e]] + s * moved_slope[e]
            along += moved_slope[e] * z[data.order[e]]
        add_product_transposed(data.steps, p + start, p + start, inner[start:stop], w_slope[p + start : p + stop])
        for e in range(start, stop):
            a, white_slope = data.curvature[e], w_slope[p + e]
            stretch = 1.0 + s * s * a
            root = math.sqrt(stretch)
            bent = at.h[e] * (1.0 - s * s * a) / stretch - w[p + e] * s * a / root
            along += (white_slope * bent - s * a) / stretch
            h_slope[e] = white_slope * s / stretch
            w_slope[p + e] = white_slope / root
        add_product_transposed(data.steps, p + start, p + stop, h_slope[start:stop], moved_slope[stop:])
        sd_slope[row] += along / data.variances.mode[row]
