"""Picture of training and held-out error."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FormatStrFormatter, LogLocator, NullFormatter

from jaxcause._checks import InputError
from jaxcause.plot._canvas import GREY, OKABE_ITO
from jaxcause.plot._charts import End, chart_axes, grid, leave_room, title, write_ends

_WIDE = 10.0


def training_curve(
    losses: Sequence[tuple[int, float, float]],
    *,
    best_step: int | None = None,
    baseline: float | None = None,
    baseline_name: str = "baseline",
    ax: Axes | None = None,
) -> Axes:
    """Draw training loss and held-out error by step, on a log scale if they vary much.

    Args:
        losses: Rows of step, loss and held-out error, such as ``info.losses`` of a discovery.
        best_step: The step whose parameters were kept has a ring. If it is before the first row,
            the text below says that the parameters from before training were kept.
        baseline: Held-out error of another model, such as a linear one: a dotted line.
        baseline_name: The name of that model.
        ax: Where to draw; a new figure by default.

    Returns:
        The Axes drawn into, with lines of the ``gid`` ``loss``, ``held-out`` and ``baseline``.

    Raises:
        InputError: There is no row, or a row is not three numbers.

    >>> ax = training_curve([(0, 1.0, 1.1), (100, 0.4, 0.6)], baseline=0.7)
    >>> [text.get_text().strip() for text in ax.texts]
    ['training', 'held out', 'baseline']
    """
    rows = np.array([tuple(row) for row in losses], float)
    if rows.ndim != 2 or rows.shape[1] != 3:
        raise InputError("losses must hold at least one row of step, loss and held-out error")
    steps, curves = rows[:, 0], {"loss": rows[:, 1], "held-out": rows[:, 2]}
    ax = chart_axes(ax, 400, 220)
    _scale(ax, np.concatenate([rows[:, 1:].ravel(), [] if baseline is None else [baseline]]))
    first, last = float(steps[0]), max(float(steps[-1]), float(steps[0]) + 1)
    leave_room(ax, first - 0.02 * (last - first), last, ["held out", baseline_name])
    ax.set_xticks([tick for tick in ax.get_xticks() if first <= tick <= last])
    looks = {"loss": (GREY, "training", 1.0), "held-out": (OKABE_ITO[0], "held out", 1.8)}
    ends = []
    for name, values in curves.items():
        color, text, width = looks[name]
        ax.plot(steps, values, color=color, linewidth=width, gid=name)
        known = np.flatnonzero(np.isfinite(values))
        if known.size:
            ends.append(End(float(steps[-1]), float(values[known[-1]]), text, color, name))
    if baseline is not None:
        style = {"color": OKABE_ITO[1], "linestyle": (0, (1, 1.5)), "linewidth": 1.5}
        ax.plot(steps[[0, -1]], [baseline] * 2, gid="baseline", **style)
        ends.append(End(float(steps[-1]), baseline, baseline_name, OKABE_ITO[1], "baseline"))
    note = "step"
    if best_step is not None and best_step < first:
        note += "; kept: the parameters from before training"
    elif best_step is not None:
        _ring(ax, steps, curves["held-out"], best_step)
        note += "; ring: the step whose parameters were kept"
    write_ends(ax, ends)
    return title(ax, "Training", note, "mean squared error")


def _scale(ax: Axes, values: np.ndarray) -> None:
    """A scale that includes all errors; logarithmic if the largest is many times the smallest."""
    known = values[np.isfinite(values)]
    low, high = (known.min(), known.max()) if known.size else (0.0, 1.0)
    if low > 0 and high > _WIDE * low:
        ax.set_yscale("log")
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.yaxis.set_major_formatter(FormatStrFormatter("%g"))
        ax.yaxis.set_minor_formatter(NullFormatter())
        ax.set_ylim(low / 1.15, high * 1.15)
    else:
        low = min(low, 0.0) if low < 0.3 * high else low
        room = 0.06 * (high - low) or 0.5
        ax.set_ylim(low - room, high + room)
    grid(ax, "y")


def _ring(ax: Axes, steps: np.ndarray, errors: np.ndarray, best_step: int) -> None:
    """Ring the held-out error nearest to a step."""
    at = int(np.argmin(np.abs(steps - best_step)))
    style = {"markersize": 10, "markerfacecolor": "none", "markeredgecolor": OKABE_ITO[0]}
    ax.plot(steps[at], errors[at], marker="o", linestyle="none", gid="best", **style)
