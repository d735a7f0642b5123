r"""From white coordinates to random effects, level by level, and the way back for slopes.

For a level of the main factor, given L, H, r and their growth s, C C' = I + s L'H L, b = C^-1 s L'r, z = C^-T (b + w),
u = L z. The slope in the Cholesky factor becomes one in P = C C' by P-bar = 1/2 C^-T (Phi + Phi') C^-1, Phi the lower
half of C'C-bar with its diagonal halved (Murray 2016, arXiv:1602.07527, eq. 10). Written with M = sqrt(s) L.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numba

from bayes_glmm.inference.densities.variances import compiled
from bayes_glmm.inference.kernels.loops import named
from bayes_glmm.inference.kernels.memory import stack


def make_level_forward(d: int) -> Callable[..., Any]:
    """For each level C, b, z and u; returns the sum of the logarithms of the diagonals of C."""
    entries = d * d

    @compiled
    @named(d)
    def level_forward(H, L, root, r, w, C, b, z, u):  # type: ignore[no-untyped-def] # pragma: no cover
        product, total = 1.0, 0.0
        inverse = numba.carray(stack(d), (d,))  # of the diagonal of C: dividing is what takes longest
        M = numba.carray(stack(entries), (entries,))
        for e in range(entries):
            M[e] = root * L[e]
        for j in range(len(H)):
            at = j * d
            for k in range(d):
                for m in range(k + 1):
                    entry = 1.0 if k == m else 0.0
                    for i in range(k, d):  # P = I + M'HM
                        for h in range(m, d):
                            entry += M[i * d + k] * H[j, i, h] * M[h * d + m]
                    for i in range(m):
                        entry -= C[j, k, i] * C[j, m, i]
                    C[j, k, m] = math.sqrt(entry) if k == m else entry * inverse[m]
                product *= C[j, k, k]
                inverse[k] = 1.0 / C[j, k, k]
                right = 0.0
                for i in range(k, d):
                    right += M[i * d + k] * root * r[at + i]
                for m in range(k):
                    right -= C[j, k, m] * b[at + m]
                b[at + k] = right * inverse[k]
            for k in range(d - 1, -1, -1):
                right = b[at + k] + w[at + k]
                for i in range(k + 1, d):
                    right -= C[j, i, k] * z[at + i]
                z[at + k] = right * inverse[k]
            for i in range(d):
                u[at + i] = 0.0
                for k in range(i + 1):
                    u[at + i] += L[i * d + k] * z[at + k]
            if product > 1e100:
                total += math.log(product)
                product = 1.0
        return total + math.log(product)

    return level_forward


def make_level_back(d: int) -> Callable[..., Any]:
    """The slopes in w and r of each level, from those in u; adds to that in L, returns that in log sqrt(s)."""
    entries, three_vectors, two_matrices = d * d, 3 * d, 2 * d * d

    @compiled
    @named(d)
    def level_back(data, at, u_slope, L_slope, w_slope, r_slope):  # type: ignore[no-untyped-def] # pragma: no cover
        L, C, b, z, r, root = at.L, at.C, at.b, at.z, at.r, at.root
        inverse, w_bar, pulled = numba.carray(stack(three_vectors), (3, d))
        M, M_bar = numba.carray(stack(two_matrices), (2, entries))
        C_bar, Phi = numba.carray(stack(two_matrices), (2, d, d))
        along = 0.0
        for e in range(entries):
            M[e], M_bar[e] = root * L[e], 0.0
        for j in range(len(C)):
            s = j * d
            for k in range(d):
                inverse[k] = 1.0 / C[j, k, k]
                right = -z[s + k]  # w_bar = C^-1 z_bar
                for i in range(k, d):
                    right += L[i * d + k] * u_slope[s + i]
                    L_slope[i * d + k] += u_slope[s + i] * z[s + k]
                for m in range(k):
                    right -= C[j, k, m] * w_bar[m]
                w_bar[k] = right * inverse[k]
                w_slope[s + k] = w_bar[k]
            for k in range(d - 1, -1, -1):  # the slope in sqrt(s) M'r
                right = w_bar[k]
                for i in range(k + 1, d):
                    right -= C[j, i, k] * pulled[i]
                pulled[k] = right * inverse[k]
            for i in range(d):
                own = 0.0
                for k in range(i + 1):
                    own += M[i * d + k] * pulled[k]
                    M_bar[i * d + k] += root * r[s + i] * pulled[k]
                r_slope[s + i] = root * own
                along += r_slope[s + i] * r[s + i]
            for i in range(d):
                for k in range(i + 1):
                    C_bar[i, k] = -z[s + i] * w_bar[k] - pulled[i] * b[s + k]
                C_bar[i, i] -= inverse[i]
            for i in range(d):  # Phi: lower half of C' C_bar, made symmetric
                for k in range(i + 1):
                    total = 0.0
                    for m in range(i, d):
                        total += C[j, m, i] * C_bar[m, k]
                    Phi[i, k] = 0.5 * total
                    Phi[k, i] = 0.5 * total
            for k in range(d):  # P_bar = C^-T Phi C^-1: columns, then rows
                for i in range(d - 1, -1, -1):
                    for m in range(i + 1, d):
                        Phi[i, k] -= C[j, m, i] * Phi[m, k]
                    Phi[i, k] *= inverse[i]
            for k in range(d):
                for i in range(d - 1, -1, -1):
                    for m in range(i + 1, d):
                        Phi[k, i] -= C[j, m, i] * Phi[k, m]
                    Phi[k, i] *= inverse[i]
            for i in range(d):  # M_bar += 2 H M P_bar
                for k in range(i + 1):
                    for h in range(d):
                        for m in range(h + 1):
                            M_bar[i * d + k] += 2.0 * data.H[j, i, h] * M[h * d + m] * Phi[m, k]
        for e in range(entries):
            L_slope[e] += root * M_bar[e]
            along += M[e] * M_bar[e]
        return along

    return level_back
