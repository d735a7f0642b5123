r"""The Conway-Maxwell-Poisson distribution by its mean: P(y) = lambda^y / (y!)^nu / Z, lambda such that E(y) = mu.

Huang (2017, Statistical Modelling 17, 359-380). nu = 1 is the Poisson; above it counts are under-dispersed. Write
theta = log lambda and kappa = log Z(theta, nu); derivatives of kappa in theta and -nu are cumulants of y and log y!.

- **Sums** go from the mode outwards. Ratios of neighbouring terms, lambda / j^nu, fall with j, so that what is left
  after a term t with ratio r < 1 to the next is at most t r / (1 - r): it is below 1e-17 of the sum where the sum ends.
- **theta** lies between nu log mu and log mu + (nu - 1) log(1 + mu): by Jensen's inequality for E(y^nu) = lambda and
  E(y) = lambda E((y + 1)^(1 - nu)). Newton's steps that leave this bracket, which they narrow, give way to bisection.
- **Large means**, beyond 2,000 with a variance that is neither small nor near its square, have an expansion whose next
  term is below 1e-14 (Gaunt, Iyengar, Olde Daalhuis & Simsek 2019, Annals of the Institute of Statistical Mathematics
  71, 163-180). Above 1e7 it serves always, to 1e-8 where phi = 1 / nu is above mu / 2,000; phi above mu / 50, far from
  any use, has no density there. Nor has a standard deviation above 2,000 where the expansion does not serve: sums would
  be of more than 100,000 terms.
- **Small phi**: below 0.002 it counts as that. Two neighbouring counts then have all the probability, to rounding, and
  no power of their ratio overflows.

This module imports numba; its forms for other namespaces are in :mod:`~bayes_glmm.numerics.conway_maxwell_forms`.
"""

from __future__ import annotations

import math

import numba
import numpy as np

compiled = numba.njit(nogil=True, error_model="numpy", cache=True)

_LEFT = 1e-17  # of the sum, beyond its last term
_LARGE, _LARGEST = 2000.0, 1e7  # means from which the expansion serves where it can, and always
_WIDEST, _MOST_NU = 2000.0, 500.0  # standard deviation, and nu, up to which there are sums
_TINY = 1e-12  # means below it: 0 or 1, to rounding
_NARROW = 1e-12  # the last step of theta, in standard deviations
_STEPS = 200
_TABLE = 128  # powers kept for a row
_HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)


@compiled
def _power(j, nu, log_scale, first, powers):  # type: ignore[no-untyped-def] # pragma: no cover
    """(scale / j)^nu, kept in a table as the same are needed in each step towards the mean."""
    k = int(j - first)
    if 0 <= k < len(powers):
        if powers[k] < 0.0:
            powers[k] = math.exp(nu * (log_scale - math.log(j)))
        return powers[k]
    return math.exp(nu * (log_scale - math.log(j)))


@compiled
def _sums(theta, nu, log_scale, first, powers):  # type: ignore[no-untyped-def] # pragma: no cover
    """The mode, and sums over terms t, 1 at the mode, of t, t d, t d^2 and t d^3, d the distance from the mode."""
    mode = math.floor(min(math.exp(min(theta / nu, 700.0)), 4.0 * _LARGEST))
    rate = math.exp(theta - nu * log_scale)
    s0, s1, s2, s3 = 1.0, 0.0, 0.0, 0.0
    t, d = 1.0, 0.0
    while True:
        r = rate * _power(mode + d + 1.0, nu, log_scale, first, powers)
        if not (r >= 1.0 or t * r > _LEFT * (1.0 - r) * s0):
            break
        t *= r
        d += 1.0
        s0 += t
        s1 += t * d
        s2 += t * d * d
        s3 += t * d * d * d
    t, d = 1.0, 0.0
    while mode + d > 0.0:
        r = 1.0 / (rate * _power(mode + d, nu, log_scale, first, powers))
        if not (r >= 1.0 or t * r > _LEFT * (1.0 - r) * s0):
            break
        t *= r
        d -= 1.0
        s0 += t
        s1 += t * d
        s2 += t * d * d
        s3 += t * d * d * d
    return mode, s0, s1, s2, s3


@compiled
def _log_sums(theta, nu, mode, log_scale, first, powers):  # type: ignore[no-untyped-def] # pragma: no cover
    """Sums of t l and t l d, where l is how far log y! lies above its value at the mode."""
    rate, q0, q1 = math.exp(theta - nu * log_scale), 0.0, 0.0
    t, d, rise = 1.0, 0.0, 0.0
    while True:
        r = rate * _power(mode + d + 1.0, nu, log_scale, first, powers)
        if not (r >= 1.0 or t * r > _LEFT * (1.0 - r)):
            break
        t *= r
        d += 1.0
        rise += math.log(mode + d)
        q0 += t * rise
        q1 += t * rise * d
    t, d, rise = 1.0, 0.0, 0.0
    while mode + d > 0.0:
        r = 1.0 / (rate * _power(mode + d, nu, log_scale, first, powers))
        if not (r >= 1.0 or t * r > _LEFT * (1.0 - r)):
            break
        t *= r
        rise -= math.log(mode + d)
        d -= 1.0
        q0 += t * rise
        q1 += t * rise * d
    return q0, q1


@compiled
def _solved(log_mu, nu):  # type: ignore[no-untyped-def] # pragma: no cover
    """Theta, the sums there, and the last step, which is still to be made."""
    mu = math.exp(log_mu)
    one, other = nu * log_mu, log_mu + (nu - 1.0) * math.log1p(mu)
    low, high = min(one, other), max(one, other)
    # right in all limits: small and large means, nu = 0, 1 and large
    theta = log_mu + (nu - 1.0) * math.log(mu + (1.0 + 0.5 * mu) / (1.0 + mu))
    theta = min(max(theta, low), high)
    log_scale, powers = math.log(max(1.0, math.floor(mu))), np.full(_TABLE, -1.0)
    first = max(1.0, math.floor(mu) - 0.5 * _TABLE)
    step = 0.0
    for _ in range(_STEPS):
        mode, s0, s1, s2, s3 = _sums(theta, nu, log_scale, first, powers)
        shift = s1 / s0
        missing = (mu - mode) - shift
        variance = max(s2 / s0 - shift * shift, 1e-308)
        skew = s3 / s0 - 3.0 * shift * s2 / s0 + 2.0 * shift**3
        low, high = (theta, high) if missing > 0.0 else (low, theta)
        step = missing / variance
        if abs(missing) <= 4e-16 * (mu if mode == 0.0 else max(1.0, math.sqrt(variance))):
            step = 0.0 if variance < 1e-8 * mu else step
            break
        if abs(step) * max(1.0, math.sqrt(variance)) < _NARROW:
            break
        if abs(skew * step) < variance:
            step -= 0.5 * skew * step * step / variance
        moved = theta + step
        theta = moved if low < moved < high else 0.5 * (low + high)
    q0, q1 = _log_sums(theta, nu, mode, log_scale, first, powers)
    return theta, step, mode, s0, s1, s2, q0, q1


@compiled
def expanded(mu, nu):  # type: ignore[no-untyped-def] # pragma: no cover
    """Whether the expansion for large means serves."""
    return mu > _LARGEST or (mu > _LARGE and mu * nu > _LARGE and mu > 4.0 * nu)


@compiled
def beyond(mu, nu):  # type: ignore[no-untyped-def] # pragma: no cover
    """Whether sums would be too long, or numbers are none; nu by the limit of :data:`_MOST_NU`."""
    known = mu >= 0.0 and nu > 0.0
    return not known or (not expanded(mu, nu) and min(mu + 1.0, math.sqrt((mu + 1.0) / nu)) > _WIDEST)


@compiled
def _expansion(mu, nu):  # type: ignore[no-untyped-def] # pragma: no cover
    """Theta, kappa, the variance, and derivatives of kappa in nu and of theta in nu at the mean, for large means.

    With a = lambda^(1/nu) and x = 1 / (nu a), kappa is nu a - (nu - 1) log(2 pi a) / 2 - log(nu) / 2 + b1 x + b2 x^2
    + b3 x^3 + ...
    """
    square = nu * nu
    b1, b2 = (square - 1.0) / 24.0, (square - 1.0) / 48.0
    b3 = (square - 1.0) * (161.0 - 9.0 * square) / 5760.0
    c1, c2, c3 = nu / 12.0, nu / 24.0, nu * (170.0 - 18.0 * square) / 2880.0  # their derivatives in nu
    a = mu
    for _ in range(6):
        x = 1.0 / (nu * a)
        a = mu + 0.5 * (nu - 1.0) / nu + x * (b1 + x * (2.0 * b2 + x * 3.0 * b3)) / nu
    x, log_a = 1.0 / (nu * a), math.log(a)
    series = x * (b1 + x * (b2 + x * b3))
    first = x * (b1 + x * (2.0 * b2 + x * 3.0 * b3))  # sum of k b_k x^k
    second = x * (b1 + x * (4.0 * b2 + x * 9.0 * b3))
    by_nu, first_by_nu = x * (c1 + x * (c2 + x * c3)), x * (c1 + x * (2.0 * c2 + x * 3.0 * c3))
    kappa = nu * a - (nu - 1.0) * (0.5 * log_a + _HALF_LOG_2PI) - 0.5 * math.log(nu) + series
    variance = a / nu + second / square
    turn = (log_a - 1.0) / nu  # the derivative of log x in nu
    kappa_nu = a - a * log_a - 0.5 * log_a / nu - _HALF_LOG_2PI - 0.5 / nu + by_nu + first * turn
    mean_nu = -a * log_a / nu - 0.5 / square + first / square - (first_by_nu + second * turn) / nu
    return nu * log_a, kappa, variance, kappa_nu, -mean_nu / variance


@compiled
def conway_maxwell(y, log_mu, log_nu):  # type: ignore[no-untyped-def] # pragma: no cover
    """Return log P(y) and its derivatives in log mu and log nu."""
    mu, nu = math.exp(log_mu), min(math.exp(log_nu), _MOST_NU)
    if not (log_mu == log_mu and log_nu == log_nu and nu > 0.0):
        return math.nan, math.nan, math.nan
    if beyond(mu, nu):
        return -math.inf, 0.0, 0.0
    if mu < _TINY:
        ways = math.lgamma(y + 1.0)
        return y * log_mu - nu * ways - mu if y > 0.0 else -mu, y - mu, -nu * ways if nu < _MOST_NU else 0.0
    if expanded(mu, nu):
        if mu * nu <= 0.025 * _LARGE:
            return -math.inf, 0.0, 0.0
        theta, kappa, variance, kappa_nu, theta_nu = _expansion(mu, nu)
        ways = math.lgamma(y + 1.0)
        value = y * theta - nu * ways - kappa
        return value, (y - mu) * (mu / variance), nu * ((y - mu) * theta_nu - ways - kappa_nu)
    theta, step, mode, s0, s1, s2, q0, q1 = _solved(log_mu, nu)
    shift, rise = s1 / s0, q0 / s0
    variance = max(s2 / s0 - shift * shift, 1e-308)
    ways = math.lgamma(y + 1.0) - math.lgamma(mode + 1.0)
    value = (y - mode) * (theta + step) - nu * ways - math.log(s0) - shift * step
    by_theta = (q1 / s0 - shift * rise) / variance
    by_log_nu = nu * ((y - mu) * by_theta - (ways - rise)) if nu < _MOST_NU else 0.0
    return value, (y - mu) * (mu / variance), by_log_nu


@compiled
def variance_at(log_mu, log_nu):  # type: ignore[no-untyped-def] # pragma: no cover
    """Var(y)."""
    mu, nu = math.exp(log_mu), min(math.exp(log_nu), _MOST_NU)
    if beyond(mu, nu):  # the limits for large means, geometric and normal
        return mu * (mu + 1.0) if mu * nu < 1.0 else mu / nu
    if mu < _TINY:
        return mu
    if expanded(mu, nu):
        return _expansion(mu, nu)[2]
    found = _solved(log_mu, nu)
    return found[5] / found[3] - (found[4] / found[3]) ** 2


@compiled
def _drawn(theta, nu, mode, total, u):  # type: ignore[no-untyped-def] # pragma: no cover
    """The count of a uniform u, by adding up probabilities from the mode, those above it first."""
    left, t, j = u * total, 1.0, mode
    while left > t:
        left -= t
        r = math.exp(theta - nu * math.log(j + 1.0))
        if not (r >= 1.0 or t * r > _LEFT * (1.0 - r) * total):
            break
        t *= r
        j += 1.0
    else:
        return j
    t, j = 1.0, mode
    while left > 0.0 and j > 0.0:
        t *= math.exp(nu * math.log(j) - theta)
        j -= 1.0
        left -= t
    return j


@compiled
def cumulants(log_mu, log_nu, found):  # type: ignore[no-untyped-def] # pragma: no cover
    """Fill in the cumulants [a, b] of y and log y! up to a + b = 4; for means above 1e7 to leading order."""
    mu, nu = math.exp(log_mu), min(math.exp(log_nu), _MOST_NU)
    found[:] = 0.0
    if beyond(mu, nu):
        found[:] = math.nan
        return
    if mu < _TINY:
        found[1:, 0] = mu
        return
    if mu > _LARGEST:
        for a in range(5):
            for b in range(5 - a):
                if a + b > 0:
                    found[a, b] = mu / nu ** (a + b - 1) * log_mu**b
        found[0, 1] = -_expansion(mu, nu)[3]
        return
    theta, step, mode, s0, s1, _s2, q0, _q1 = _solved(log_mu, nu)
    theta += step
    shift, mean_rise = s1 / s0, q0 / s0
    for direction in (1.0, -1.0):
        t, d, rise = 1.0, 0.0, 0.0
        while True:
            if d != 0.0 or direction > 0.0:
                x, v, weight = d - shift, rise - mean_rise, t / s0
                for a in range(5):
                    term = weight
                    for _ in range(5 - a):
                        found[a, 0 + _] += term
                        term *= v
                    weight *= x
            j = mode + d + (1.0 if direction > 0.0 else 0.0)
            if j <= 0.0:
                break
            log_j = math.log(j)
            r = math.exp(direction * (theta - nu * log_j))
            if not (r >= 1.0 or t * r > _LEFT * (1.0 - r) * s0):
                break
            t *= r
            d += direction
            rise += direction * log_j
    v20, v11, v02 = found[2, 0], found[1, 1], found[0, 2]
    found[4, 0] -= 3.0 * v20 * v20
    found[3, 1] -= 3.0 * v20 * v11
    found[2, 2] -= v20 * v02 + 2.0 * v11 * v11
    found[1, 3] -= 3.0 * v02 * v11
    found[0, 4] -= 3.0 * v02 * v02
    found[0, 0], found[1, 0], found[0, 1] = 0.0, mu, math.lgamma(mode + 1.0) + mean_rise


@compiled
def densities(y, log_mu, log_nu):  # type: ignore[no-untyped-def] # pragma: no cover
    """Return :func:`conway_maxwell` of rows [3, row]."""
    found = np.empty((3, len(y)))
    for i in range(len(y)):
        found[0, i], found[1, i], found[2, i] = conway_maxwell(y[i], log_mu[i], log_nu[i])
    return found


@compiled
def variances(log_mu, log_nu):  # type: ignore[no-untyped-def] # pragma: no cover
    """Return :func:`variance_at` of rows; those that are as the row before are not computed again."""
    found = np.empty(len(log_mu))
    for i in range(len(log_mu)):
        again = i > 0 and log_mu[i] == log_mu[i - 1] and log_nu[i] == log_nu[i - 1]
        found[i] = found[i - 1] if again else variance_at(log_mu[i], log_nu[i])
    return found


@compiled
def draws(log_mu, log_nu, u, z):  # type: ignore[no-untyped-def] # pragma: no cover
    """Counts of rows, from uniform u and, for large means, normal z.

    Means above 1e6 take the second term of Cornish and Fisher's expansion; what is left is of the order of 1 / mu.
    """
    found = np.empty(len(log_mu))
    theta, mode, total = 0.0, 0.0, 1.0
    for i in range(len(log_mu)):
        mu, nu = math.exp(log_mu[i]), min(math.exp(log_nu[i]), _MOST_NU)
        if not (mu >= 0.0 and nu > 0.0):
            found[i] = math.nan
            continue
        if mu < _TINY:
            found[i] = 1.0 if u[i] < mu else 0.0
            continue
        if beyond(mu, nu) and mu * nu < 1.0:  # about geometric
            found[i] = math.floor(math.log1p(-u[i]) / (math.log(mu) - math.log1p(mu)))
            continue
        if mu > 1e6 or beyond(mu, nu):
            found[i] = max(0.0, math.floor(mu + math.sqrt(mu / nu) * z[i] + (z[i] * z[i] - 1.0) / (6.0 * nu) + 0.5))
            continue
        if i == 0 or log_mu[i] != log_mu[i - 1] or log_nu[i] != log_nu[i - 1]:
            solved = _solved(log_mu[i], nu)
            theta, mode, total = solved[0] + solved[1], solved[2], solved[3]
        found[i] = _drawn(theta, nu, mode, total, u[i])
    return found


@compiled
def all_cumulants(log_mu, log_nu):  # type: ignore[no-untyped-def] # pragma: no cover
    """Return :func:`cumulants` of rows [row, 5, 5]."""
    found = np.empty((len(log_mu), 5, 5))
    for i in range(len(log_mu)):
        cumulants(log_mu[i], log_nu[i], found[i])
    return found
