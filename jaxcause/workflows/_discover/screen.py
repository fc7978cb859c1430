"""Which inputs of each target a forecaster of very many inputs looks at."""

import numpy as np
from jaxtyping import Bool, Float, Int

from jaxcause._typing import AnyArray
from jaxcause.series import LinkKnowledge
from jaxcause.workflows._discover.prepare import Prepared

FROM = 500
"""Inputs of a target (variables times lags) above which the default screens them."""
KEPT = 100
"""Inputs of each target that the default keeps, besides the target's own past."""
MOST_WINDOWS = 20_000
"""Windows, spread evenly, that curved dependence is looked for in."""
DEGREES = 4
"""Polynomials of a rank, of degree 1 to this, that an input is looked at through."""


def with_screen(data: Prepared, kept: int | None) -> Prepared:
    """The series with the links that the forecaster is to look at, if they are screened.

    A linear effect is looked for by `jaxcause.stats.linear_evidence`, any other by
    `curved_dependence`, both on the training windows alone, so that held-out errors stay honest.

    Args:
        data: The series.
        kept: Links of each target besides its own past; None for the default rule.
    """
    n_inputs = len(data.names) * data.max_lag
    if kept is None and n_inputs <= FROM:
        return data
    kept = KEPT if kept is None else kept
    if kept >= n_inputs:
        return data
    n_windows = len(data.split.train)
    spread = np.linspace(0, n_windows - 1, min(n_windows, MOST_WINDOWS)).astype(int)
    starts, filled = data.split.train[np.unique(spread)], data.filled
    past = filled[starts[:, None] + np.arange(data.max_lag)]
    newest = starts + data.max_lag
    residuals = filled[newest] - data.linear.predict(past)
    curved = curved_dependence(filled, newest, residuals, data.max_lag)
    linear = data.linear_evidence(of_training=True)
    return data._replace(screened=candidate_links(linear, curved, data.known, kept=kept))


def screen_kept(data: Prepared) -> float | None:
    """Links of each target besides its own past that the screen kept, on average."""
    if data.screened is None:
        return None
    cross = ~np.eye(len(data.names), dtype=bool)[:, :, None]
    return float((data.candidates & cross).sum() / len(data.names))


def candidate_links(
    linear: Float[np.ndarray, "source target lag"],
    curved: Float[np.ndarray, "source target lag"],
    known: LinkKnowledge,
    *,
    kept: int,
) -> Bool[np.ndarray, "source target lag"]:
    """The links that a forecaster looks at: ``kept`` for each target, besides its own past.

    Half of them have the most evidence of a linear effect, the others the most of a curved one.
    Required links are among them in any case, forbidden ones and lag 0 never.

    Args:
        linear: Evidence of a linear effect.
        curved: That of a curved one.
        known: Links that may be, and that must be.
        kept: Links of each target, besides its own past.

    >>> linear, curved = np.zeros((2, 3, 3, 2))
    >>> linear[0, 1, 1] = curved[2, 1, 1] = 1.0
    >>> every = np.ones((3, 3, 2), bool)
    >>> found = candidate_links(linear, curved, LinkKnowledge(every, ~every), kept=2)
    >>> found[:, 1, 1].tolist(), found[:, 1, 0].any()
    ([True, True, True], np.False_)
    """
    n_vars, _, n_lags = linear.shape
    lagged, own = known.lagged, np.eye(n_vars, dtype=bool)[:, :, None] & np.ones(n_lags, bool)
    free = lagged.allowed & ~own & ~lagged.required
    order = _places(np.where(free, linear, -np.inf))
    rest = np.where(free & (order >= -(-kept // 2)), curved, -np.inf)
    chosen = (order < -(-kept // 2)) | (_places(rest) < kept // 2)
    return (chosen & free) | (own & lagged.allowed) | lagged.required


def curved_dependence(
    values: Float[AnyArray, "time vars"],
    newest: Int[np.ndarray, "windows"],
    residuals: Float[np.ndarray, "windows vars"],
    max_lag: int,
) -> Float[np.ndarray, "source target lag"]:
    r"""Dependence of what a linear model leaves of each target on each input, of any shape.

    .. math:: S_{ji\ell} = W \sum_{a=1}^{4} \sum_{b=1}^{2}
        \operatorname{corr}\bigl(P_a(R\,x_j(t-\ell)),\, P_b(R\,e_i(t))\bigr)^2

    with ranks R scaled to −1 … 1 and Legendre polynomials P. With b = 1 an input moves the level of
    the target, by a curve that rises, falls or turns back; with b = 2 it moves the size of what is
    left, as one factor of a product does whose mean effect is nil. Where an input matters only
    together with another, and alone changes neither, S is that of chance: the exclusive or of two
    signs is such an effect.

    Args:
        values: The series; a missing value counts as the mean.
        newest: Newest row of each window.
        residuals: What a linear model leaves of it.
        max_lag: Longest lag.

    Source: the smooth rank tests of independence of Kallenberg & Ledwina (1999), "Data-driven rank
    tests for independence".

    >>> x = np.random.default_rng(0).normal(size=(2000, 2)); x[1:, 1] += np.abs(x[:-1, 0])
    >>> newest = np.arange(1, 2000)
    >>> found = curved_dependence(x, newest, x[newest], max_lag=1)
    >>> bool(found[0, 1, 1] > 10 * max(found[1, 1, 1], found[1, 0, 1]))
    True
    """
    n_vars, of_inputs = values.shape[1], _polynomials(values, DEGREES)
    of_targets = _standardised(np.concatenate(_polynomials(residuals, 2), axis=1))
    found = np.zeros((n_vars, n_vars, max_lag + 1))
    for lag in range(1, max_lag + 1):
        for polynomial in of_inputs:
            corr = _standardised(polynomial[newest - lag]).T @ of_targets / len(newest)
            found[:, :, lag] += (corr.reshape(n_vars, -1, n_vars) ** 2).sum(axis=1)
    return len(newest) * found


def _places(scores: Float[np.ndarray, "source target lag"]) -> Int[np.ndarray, "..."]:
    """The place of each link among those into its target, the largest score first."""
    n_vars, _, n_lags = scores.shape
    flat = scores.transpose(1, 0, 2).reshape(n_vars, -1)
    order = np.argsort(-flat, axis=1, kind="stable")
    places = np.empty_like(order)
    np.put_along_axis(places, order, np.arange(flat.shape[1])[None], axis=1)
    return places.reshape(n_vars, n_vars, n_lags).transpose(1, 0, 2)


def _polynomials(
    x: Float[AnyArray, "rows vars"], degree: int
) -> list[Float[np.ndarray, "rows vars"]]:
    """Legendre polynomials of the ranks of each column, of degree 1 on."""
    filled = np.nan_to_num(np.asarray(x))
    ranks = np.argsort(np.argsort(filled, axis=0), axis=0)
    u = ((2 * ranks + 1) / len(filled) - 1).astype(np.float32)
    found: list[np.ndarray] = [np.ones_like(u), u]
    for k in range(1, degree):
        found.append(((2 * k + 1) * u * found[k] - k * found[k - 1]) / (k + 1))
    return found[1:]


def _standardised(x: Float[np.ndarray, "rows columns"]) -> Float[np.ndarray, "rows columns"]:
    spread = x.std(axis=0)
    return (x - x.mean(axis=0)) / np.where(spread > 0, spread, np.inf)
