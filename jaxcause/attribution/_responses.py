"""How a forecast moves while one of its inputs goes through its range."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.tree_util import Partial
from jaxtyping import Float, Int

from jaxcause._checks import InputError, check_at_least, check_host, numbers
from jaxcause._typing import AnyArray, PredictFn, ResponseCurves
from jaxcause.attribution._stream import check_forecast

N_POINTS = 21
OUTERMOST = 0.01
"""Quantiles between which a curve runs: this one, and as far from the top."""
AT_ONCE = 512
"""Windows that one call of the compiled forecast sees."""

RowForecast = Callable[[Float[np.ndarray, "rows time vars"]], Float[np.ndarray, "rows vars"]]
"""Forecasts of many windows at once, on the host."""


def response_curves(
    predict_fn: PredictFn,
    windows: Float[AnyArray, "windows time vars"],
    edges: Int[AnyArray, "edges 3"],
    *,
    at: Float[AnyArray, "edges points"] | None = None,
    n_points: int = N_POINTS,
    batch_size: int = AT_ONCE,
) -> ResponseCurves:
    r"""Mean forecast of a target while one lagged source goes through its range.

    .. math:: r_{ji\ell}(v) = \frac1W \sum_w f_i\bigl(x_w \text{ with } x_j(t-\ell) = v\bigr)

    This is Friedman's partial dependence: all other inputs stay as they were observed. Only the
    given edges cost anything, ``windows * points`` forecasts each.

    Args:
        predict_fn: Any forecast of the next row from one window; see `gradient_energy`.
        windows: Windows to average over, newest row last.
        edges: ``source, target, lag`` of each curve; lags from 1 to the length of a window.
        at: Values of the source; by default ``n_points`` quantiles between 1 and 99 % of what was
            observed.
        n_points: Number of these quantiles.
        batch_size: Windows that are forecast at a time.

    Raises:
        InputError: An edge is no ``source, target, lag`` of these windows, or ``at`` does not fit.

    Source: Friedman (2001), "Greedy function approximation: a gradient boosting machine".

    >>> swap = lambda window: window[-1, ::-1] ** 2
    >>> edges, at = np.array([[0, 1, 1]]), np.array([[-2.0, 3.0]])
    >>> found = response_curves(swap, np.ones((3, 1, 2)), edges, at=at)
    >>> found.response.tolist()
    [[4.0, 9.0]]
    """
    check_at_least("n_points", n_points, 2)
    check_at_least("batch_size", batch_size, 1)
    check_host("windows", windows, edges, at)
    given = numbers("windows", windows)
    given = np.asarray(given)
    if given.ndim != 3 or not np.issubdtype(given.dtype, np.number):
        raise InputError(f"windows has shape {given.shape}, but must be [windows, time, vars]")
    forecast = predict_fn if isinstance(predict_fn, Partial) else Partial(predict_fn)
    check_forecast(forecast, jax.ShapeDtypeStruct(given.shape[1:], given.dtype), n_outputs=1)
    chosen = _checked_edges(edges, given.shape)
    inputs = given[:, given.shape[1] - chosen[:, 2], chosen[:, 0]]
    if at is None:
        at = np.quantile(inputs, np.linspace(OUTERMOST, 1 - OUTERMOST, n_points), axis=0).T
    values = np.asarray(at, np.float64)
    if values.ndim != 2 or len(values) != len(chosen):
        raise InputError(f"at has shape {values.shape}, but must be [{len(chosen)}, points]")
    shown = np.broadcast_to(values, (len(given), *values.shape))
    found = changed_forecasts(row_forecast(predict_fn, batch_size), given, chosen, shown)
    return ResponseCurves(chosen, values, found.mean(axis=0))


def row_forecast(predict_fn: PredictFn, batch_size: int = AT_ONCE) -> RowForecast:
    """Forecasts of many windows by one compiled program, whatever their number."""
    forecast = predict_fn if isinstance(predict_fn, Partial) else Partial(predict_fn)

    def of_rows(rows: Float[np.ndarray, "rows time vars"]) -> Float[np.ndarray, "rows vars"]:
        dtype = jax.dtypes.canonicalize_dtype(rows.dtype)
        parts = []
        for first in range(0, len(rows), batch_size):
            part = rows[first : first + batch_size].astype(dtype)
            missing = batch_size - len(part)
            padded = np.concatenate([part, np.zeros((missing, *part.shape[1:]), dtype)])
            parts.append(np.asarray(_forecast(forecast, padded))[: len(part)])
        return np.concatenate(parts).astype(np.float64)

    return of_rows


def changed_forecasts(
    forecast: RowForecast,
    windows: Float[np.ndarray, "windows time vars"],
    edges: Int[np.ndarray, "edges 3"],
    values: Float[np.ndarray, "windows edges points"],
) -> Float[np.ndarray, "windows edges points"]:
    """Forecast of each edge's target in each window, its input set to each of the values."""
    found = np.empty(values.shape)
    n_windows, n_edges, n_points = values.shape
    for e, (source, target, lag) in enumerate(edges.tolist()):
        rows = np.repeat(windows, n_points, axis=0)
        rows[:, windows.shape[1] - lag, source] = values[:, e].ravel()
        found[:, e] = forecast(rows)[:, target].reshape(n_windows, n_points)
    return found


@jax.jit
def _forecast(forecast: Partial, rows: Float[Array, "rows time vars"]) -> Float[Array, "rows vars"]:
    return jax.vmap(forecast)(jnp.asarray(rows))


def _checked_edges(edges: AnyArray, shape: tuple[int, ...]) -> Int[np.ndarray, "edges 3"]:
    if len(shape) != 3 or 0 in shape:
        raise InputError(f"windows has shape {shape}, but must be [windows ≥ 1, time, vars]")
    chosen = np.asarray(edges)
    right = chosen.ndim == 2 and chosen.shape[1] == 3 and np.issubdtype(chosen.dtype, np.integer)
    if not right:
        raise InputError(f"edges has shape {chosen.shape}, but must be whole numbers [edges, 3]")
    most = np.array([shape[2] - 1, shape[2] - 1, shape[1]])
    outside = ((chosen < [0, 0, 1]) | (chosen > most)).any(axis=1)
    if outside.any():
        first = tuple(chosen[outside][0].tolist())
        raise InputError(
            f"edges holds {first}; source and target must be from 0 to {most[0]}, lags from 1 to "
            f"{most[2]}"
        )
    return chosen.astype(np.int64)
