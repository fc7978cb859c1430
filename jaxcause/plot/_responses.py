"""Pictures of responses: forecasts along the range of a source, and paths after a change."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxcause._checks import InputError, check_at_least, check_shape
from jaxcause._typing import AnyArray
from jaxcause.plot._canvas import FAINT, GREY, OKABE_ITO, axes_size, variable_names
from jaxcause.plot._charts import (
    End,
    chart_axes,
    grid,
    leave_room,
    names_room,
    shortened,
    write_ends,
)
from jaxcause.plot._charts import title as titled

_PANEL = np.array([150.0, 118.0])
_MOST_COLUMNS = 4
_TITLE = 9.0


def response_curves(
    edges: Int[AnyArray, "edges 3"],
    at: Float[AnyArray, "edges points"],
    response: Float[AnyArray, "edges points"],
    *,
    names: Sequence[str] | None = None,
    most: int = 12,
    ax: Axes | None = None,
) -> Axes:
    """Draw the mean forecast of each target along the range of its source, one panel per edge.

    Panels of one target have the same vertical scale, so that steep means strong.

    Args:
        edges: ``source, target, lag`` of each curve, such as ``found.effects.curves.edges``.
        at: Values of the source.
        response: Forecast of the target at these values.
        names: One name per variable; ``X0, X1, …`` by default.
        most: Number of panels; the text below counts the others.
        ax: Where to draw; a new figure of a fitting size by default.

    Returns:
        The Axes that hold the panels, which are its ``child_axes``; a curve has the ``gid``
        ``response-i-j-lag``, its title ``panel-i-j-lag``.

    Raises:
        InputError: There is no curve, or a shape or ``names`` does not fit.

    >>> ax = response_curves(np.array([[0, 1, 2]]), np.array([[0.0, 1]]), np.array([[2.0, -1]]))
    >>> ax.child_axes[0].get_title()
    'X0 t−2 → X1'
    """
    check_at_least("most", most, 1)
    chosen, x, y = np.asarray(edges), np.asarray(at, float), np.asarray(response, float)
    if chosen.ndim != 2 or not len(chosen) or chosen.shape[1] != 3:
        raise InputError(f"edges has shape {chosen.shape}, but must be [edges ≥ 1, 3]")
    if x.ndim != 2 or len(x) != len(chosen):
        raise InputError(f"at has shape {x.shape}, but must be [{len(chosen)}, points]")
    check_shape("response", y, x.shape)
    n_vars = int(chosen[:, :2].max()) + 1 if names is None else len(names)
    labels = variable_names(names, n_vars)
    shown = list(range(min(most, len(chosen))))
    columns = min(len(shown), _MOST_COLUMNS)
    rows = -(-len(shown) // columns)
    if ax is None:
        size = np.array([columns, rows]) * _PANEL + (30, 70)
        ax = Figure(tuple(size / 72)).add_axes((0.0, 0.0, 1.0, 1.0))
        ax.set_position((0.02, 34 / size[1], 0.96, 1 - 62 / size[1]))
    for k in shown:
        panel = ax.inset_axes(_place(k, columns, rows, axes_size(ax)))
        same = chosen[: len(shown), 1] == chosen[k, 1]
        _draw_panel(panel, chosen[k], x[k], y[k], y[: len(shown)][same], labels, columns, ax)
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    ax.set_title("Forecast of each target along the range of its source", fontsize=11, pad=10)
    n_left = len(chosen) - len(shown)
    more = f"; {n_left} more edge{'s are' if n_left > 1 else ' is'} not shown" if n_left else ""
    ax.set_xlabel(f"1 to 99 % of the source, units of the data{more}", fontsize=9, labelpad=8)
    return ax


def _place(k: int, columns: int, rows: int, size: np.ndarray) -> tuple[float, ...]:
    """Left, lower, width and height of a panel, as shares, with room for its title and ticks."""
    row, column = divmod(k, columns)
    left, low, right, high = (38, 18, 8, 20) / np.tile(size, 2)
    wide, tall = 1 / columns, 1 / rows
    corner = column * wide + left, 1 - (row + 1) * tall + low
    return (*corner, max(wide - left - right, 0.2 * wide), max(tall - low - high, 0.2 * tall))


def _draw_panel(
    panel: Axes,
    edge: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    alike: np.ndarray,
    labels: list[str],
    columns: int,
    ax: Axes,
) -> None:
    """A curve, orange if it falls and blue if it rises on the whole."""
    source, target, lag = edge.tolist()
    color = OKABE_ITO[0] if y[-1] >= y[0] else OKABE_ITO[1]
    panel.plot(x, y, color=color, linewidth=1.8, gid=f"response-{source}-{target}-{lag}")
    low, high = float(np.nanmin(alike)), float(np.nanmax(alike))
    room = 0.06 * (high - low) or 0.5
    panel.set_ylim(low - room, high + room)
    panel.spines[["top", "right"]].set_visible(False)
    panel.tick_params(labelsize=7, length=2, color=GREY)
    panel.locator_params(nbins=4)
    panel.grid(color=FAINT, linewidth=0.6)
    panel.set_axisbelow(True)
    step = f" t−{lag}" if lag else ""
    most = float(axes_size(ax)[0]) / columns / _TITLE - 4
    text = f"{shortened(labels[source], most / 2)}{step} → {shortened(labels[target], most / 2)}"
    label = panel.set_title(text, fontsize=_TITLE, pad=3, parse_math=False)
    label.set_gid(f"panel-{source}-{target}-{lag}")


def response_paths(
    response: Float[AnyArray, "steps vars"],
    *,
    low: Float[AnyArray, "steps vars"] | None = None,
    high: Float[AnyArray, "steps vars"] | None = None,
    names: Sequence[str] | None = None,
    title: str = "Response",
    most: int = 6,
    ax: Axes | None = None,
) -> Axes:
    """Draw the response of every variable along the steps after a change.

    Args:
        response: Response at each step, from the step of the change on.
        low: Lower ends of a band.
        high: Upper ends of a band.
        names: One name per variable; ``X0, X1, …`` by default.
        title: Text above the picture.
        most: Number of variables, those that respond most; the text below counts the others.
        ax: Where to draw; a new figure by default.

    Returns:
        The Axes drawn into; a curve has the ``gid`` ``response-i``.

    Raises:
        InputError: A shape or ``names`` does not fit.

    >>> ax = response_paths(np.array([[1.0, 0.0], [0.5, 2.0]]), names=["rain", "river"])
    >>> [text.get_text() for text in ax.texts]
    [' river', ' rain']
    """
    check_at_least("most", most, 1)
    values = np.asarray(response, float)
    if values.ndim != 2 or len(values) < 2:
        raise InputError(f"response has shape {values.shape}, but must be [steps ≥ 2, vars]")
    labels = variable_names(names, values.shape[1])
    order = np.argsort(-np.abs(values).max(axis=0), kind="stable")
    shown = [k for k in order[:most].tolist() if np.abs(values[:, k]).max() > 0] or [int(order[0])]
    ax = chart_axes(ax, 430, 230)
    steps = np.arange(len(values))
    texts = [shortened(labels[k], names_room(ax)) for k in shown]
    leave_room(ax, -0.3, float(steps[-1]), texts)
    ax.axhline(0, color=GREY, linewidth=0.8, zorder=1)
    ends = []
    for rank, (k, text) in enumerate(zip(shown, texts, strict=True)):
        color = OKABE_ITO[rank % len(OKABE_ITO)]
        if low is not None and high is not None:
            check_shape("low", low, values.shape)
            check_shape("high", high, values.shape)
            band = np.asarray(low, float)[:, k], np.asarray(high, float)[:, k]
            ax.fill_between(steps, *band, color=color, alpha=0.15, linewidth=0, gid=f"band-{k}")
        ax.plot(steps, values[:, k], color=color, linewidth=1.8, gid=f"response-{k}")
        ends.append(End(float(steps[-1]), float(values[-1, k]), text, color, str(k)))
    ax.set_xticks(steps[:: -(-len(steps) // 12)])
    grid(ax, "y")
    write_ends(ax, ends)
    n_left = values.shape[1] - len(shown)
    note = f"; {n_left} variable{'s' * (n_left > 1)} not shown" if n_left else ""
    return titled(ax, title, f"steps after the change{note}", "response, units of the data")

