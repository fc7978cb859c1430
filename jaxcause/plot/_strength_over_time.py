"""Picture of the strength of edges over time."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Shaped
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num

from jaxcause._checks import InputError, check_at_least
from jaxcause.plot._canvas import GREY, OKABE_ITO
from jaxcause.plot._charts import (
    End,
    chart_axes,
    grid,
    leave_room,
    names_room,
    names_width,
    shortened,
    title,
    write_ends,
)

_CURVES = 300.0
_WIDTHS = (430.0, 700.0)


def strength_over_time(
    strength: Float[np.ndarray, "windows edges"],
    *,
    labels: Sequence[str],
    times: Shaped[np.ndarray, "times"] | None = None,
    changing: Bool[np.ndarray, "changing"] | None = None,
    most: int = 6,
    ax: Axes | None = None,
) -> Axes:
    """Draw a line over time for each of the strongest edges; those that change are thick.

    Args:
        strength: Strength of each edge in each window, such as that of `Discovery.over_time`.
        labels: One per edge.
        times: Dates or numbers, one per window; 0, 1, … by default.
        changing: Which edges change. They are drawn first, and thick; the others are dashed.
        most: Largest number of lines; the text below counts the others.
        ax: Where to draw; a new figure by default.

    Returns:
        The Axes drawn into; the line of edge e has the ``gid`` ``edge-e``, its name ``end-e``.

    Raises:
        InputError: There is no window, or ``labels``, ``times`` or ``changing`` does not fit.

    >>> ax = strength_over_time(np.array([[0.5, 0.2], [0.1, 0.2]]), labels=["a → b", "b → b"])
    >>> [text.get_text() for text in ax.texts]
    [' a → b', ' b → b']
    """
    values = np.asarray(strength, float)
    if not values.size:
        raise InputError("strength is empty; it must hold a window and an edge")
    check_at_least("most", most, 1)
    n_windows, n_edges = values.shape
    changes = np.zeros(n_edges, bool) if changing is None else np.asarray(changing, bool)
    at = np.arange(n_windows) if times is None else np.asarray(times)
    for name, given, size in (
        ("labels", len(labels), n_edges),
        ("times", len(at), n_windows),
        ("changing", len(changes), n_edges),
    ):
        if given != size:
            raise InputError(f"{name} has {given} entries, but strength is {values.shape}")
    dates = at.dtype.kind == "M"
    x = np.asarray(date2num(at.astype("datetime64[ms]")) if dates else _numbers(at), float)
    shown = np.lexsort((-values.mean(axis=0), ~changes))[:most]
    texts = [str(labels[edge]) for edge in shown]
    ax = chart_axes(ax, float(np.clip(_CURVES + names_width(texts), *_WIDTHS)), 240)
    texts = [shortened(text, names_room(ax)) for text in texts]
    high = float(np.nanmax(values[:, shown], initial=0.0))
    ax.set_ylim(0, 1.08 * high if high > 0 else 1.0)
    span = max(float(x[-1] - x[0]), 1e-9)
    leave_room(ax, float(x[0]) - 0.02 * span, float(x[-1]), texts)
    if dates:
        locator = AutoDateLocator(maxticks=6)
        ax.xaxis.set_major_locator(locator)
        ax.xaxis.set_major_formatter(ConciseDateFormatter(locator))
        ticks = [tick for tick in ax.get_xticks() if x[0] - 0.02 * span <= tick <= x[-1]]
        ax.set_xticks(ticks)
    else:
        ax.set_xticks([tick for tick in ax.get_xticks() if x[0] <= tick <= x[-1]])
    grid(ax, "y")
    write_ends(ax, _lines(ax, x, values, shown, texts, changes))
    notes = [("time" if times is not None else "window")]
    notes += ["thick: changes; dashed: no sign of a change"] * (changing is not None)
    left = n_edges - len(shown)
    notes += [f"{left:,} weaker edge{'s are' if left > 1 else ' is'} not shown"] * (left > 0)
    return title(ax, "Strength over time", "; ".join(notes), "strength")


def _numbers(times: np.ndarray) -> np.ndarray:
    """Durations in seconds; numbers as they are."""
    if times.dtype.kind == "m":
        return times.astype("timedelta64[ns]").astype(np.int64) / 1e9
    return times


def _lines(
    ax: Axes,
    x: np.ndarray,
    values: np.ndarray,
    shown: np.ndarray,
    texts: list[str],
    changes: np.ndarray,
) -> list[End]:
    """A line per edge, and where each ends."""
    ends = []
    for rank, (edge, text) in enumerate(zip(shown.tolist(), texts, strict=True)):
        color = OKABE_ITO[rank % len(OKABE_ITO)] if rank < len(OKABE_ITO) else GREY
        look: dict[str, Any] = {"color": color, "marker": "o", "markersize": 3, "linewidth": 2.2}
        if not changes[edge]:
            look |= {"linewidth": 1.1, "linestyle": (0, (4, 2))}
        ax.plot(x, values[:, edge], gid=f"edge-{edge}", **look)
        ends.append(End(float(x[-1]), float(values[-1, edge]), text, color, str(edge)))
    return ends
