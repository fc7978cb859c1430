"""Pictures of responses: forecasts along the range of a source, and paths after a change."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes

from jaxcause._checks import InputError, check_at_least, check_shape
from jaxcause._typing import AnyArray
from jaxcause.plot._canvas import (
    FAINT,
    GREY,
    INK,
    OKABE_ITO,
    Point,
    axes_size,
    finish,
    variable_names,
)
from jaxcause.plot._charts import shortened, shortened_apart
from jaxcause.plot._figure import new_axes

_PANEL = np.array([150.0, 118.0])
_MOST_COLUMNS = 4
_TITLE = 9.0
_OUTSIDE = 40.0
"""Points by which a title may be wider than its panel."""


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

    Panels of one target have the same vertical scale, so that steep means strong. A curve that
    rises on the whole is blue, one that falls orange, and one that comes back black.

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
    # Effects between two variables come first.
    order = np.argsort(chosen[:, 0] == chosen[:, 1], kind="stable")
    chosen, x, y = chosen[order], x[order], y[order]
    n_vars = int(chosen[:, :2].max()) + 1 if names is None else len(names)
    labels = variable_names(names, n_vars)
    n_shown = min(most, len(chosen))
    ax, panels = _panels(n_shown, ax)
    room = (_width(panels[0]) + _OUTSIDE) / _TITLE - 5.5
    short = shortened_apart(labels, room / 2)
    for k, panel in enumerate(panels):
        source, target, lag = chosen[k].tolist()
        alike = y[:n_shown][chosen[:n_shown, 1] == target]
        rise = y[k, -1] - y[k, 0]
        # A curve that comes back has no sign.
        signed = abs(rise) > 0.5 * float(np.ptp(y[k]))
        color = OKABE_ITO[0 if rise >= 0 else 1] if signed else INK
        key = f"{source}-{target}-{lag}"
        panel.plot(x[k], y[k], color=color, linewidth=1.8, gid=f"response-{key}")
        step = f" t−{lag}" if lag else ""
        _finish(panel, alike, f"{short[source]}{step} → {short[target]}", f"panel-{key}")
    note = "1 to 99 % of the source, units of the data"
    n_left = len(chosen) - n_shown
    note += f"; {n_left} more edge{'s are' if n_left > 1 else ' is'} not shown" * bool(n_left)
    return finish(ax, "Forecast of each target along the range of its source", note)


def response_paths(
    response: Float[AnyArray, "steps vars"],
    *,
    low: Float[AnyArray, "steps vars"] | None = None,
    high: Float[AnyArray, "steps vars"] | None = None,
    names: Sequence[str] | None = None,
    title: str = "Response",
    most: int = 12,
    ax: Axes | None = None,
) -> Axes:
    """Draw the response of every variable along the steps after a change, one panel for each.

    Args:
        response: Response at each step, from the step of the change on.
        low: Lower ends of a band.
        high: Upper ends of a band.
        names: One name per variable; ``X0, X1, …`` by default.
        title: Text above the picture.
        most: Number of panels; the text below counts the other variables.
        ax: Where to draw; a new figure of a fitting size by default.

    Returns:
        The Axes that hold the panels, which are its ``child_axes``; a curve has the ``gid``
        ``response-i``.

    Raises:
        InputError: A shape or ``names`` does not fit.

    >>> ax = response_paths(np.array([[1.0, 0.0], [0.5, 2.0]]), names=["rain", "river"])
    >>> [panel.get_title() for panel in ax.child_axes]
    ['rain', 'river']
    """
    check_at_least("most", most, 1)
    values = np.asarray(response, float)
    if values.ndim != 2 or len(values) < 2:
        raise InputError(f"response has shape {values.shape}, but must be [steps ≥ 2, vars]")
    labels = variable_names(names, values.shape[1])
    for name, bound in (("low", low), ("high", high)):
        if bound is not None:
            check_shape(name, bound, values.shape)
    steps = np.arange(len(values))
    ax, panels = _panels(min(most, len(labels)), ax)
    for k, panel in enumerate(panels):
        panel.axhline(0, color=GREY, linewidth=0.8, zorder=1)
        alike = [values[:, k], np.zeros(1)]
        if low is not None and high is not None:
            band = np.asarray(low, float)[:, k], np.asarray(high, float)[:, k]
            style = {"color": OKABE_ITO[0], "alpha": 0.18, "linewidth": 0}
            panel.fill_between(steps, *band, gid=f"band-{k}", **style)
            alike += band
        panel.plot(steps, values[:, k], color=OKABE_ITO[0], linewidth=1.8, gid=f"response-{k}")
        room = (_width(panel) + _OUTSIDE) / _TITLE
        _finish(panel, np.concatenate(alike), shortened(labels[k], room), f"panel-{k}")
    n_left = len(labels) - len(panels)
    note = "steps after the change; units of the data"
    note += f"; {n_left} more variable{'s are' if n_left > 1 else ' is'} not shown" * bool(n_left)
    return finish(ax, title, note)


def _panels(n_panels: int, ax: Axes | None) -> tuple[Axes, list[Axes]]:
    """Axes that hold a number of panels in rows, and these."""
    columns = min(n_panels, _MOST_COLUMNS)
    rows = -(-n_panels // columns)
    if ax is None:
        size = np.array([columns, rows]) * _PANEL + (30, 70)
        place = (0.02, 34 / size[1], 0.96, 1 - 62 / size[1])
        ax = new_axes(size / 72, place)
    size = axes_size(ax)
    return ax, [ax.inset_axes(_place(k, columns, rows, size)) for k in range(n_panels)]


def _place(k: int, columns: int, rows: int, size: Point) -> tuple[float, float, float, float]:
    """Left, lower, width and height of a panel, as shares, with room for its title and ticks."""
    row, column = divmod(k, columns)
    left, low, right, high = (np.array([38.0, 18.0, 8.0, 20.0]) / np.tile(size, 2)).tolist()
    wide, tall = 1 / columns, 1 / rows
    corner = column * wide + left, 1 - (row + 1) * tall + low
    return (*corner, max(wide - left - right, 0.2 * wide), max(tall - low - high, 0.2 * tall))


def _width(panel: Axes) -> float:
    """Width of a panel in points."""
    return float(axes_size(panel)[0])


def _finish(panel: Axes, values: np.ndarray, text: str, gid: str) -> None:
    """Scale a panel to all values that it is compared with, and write its title."""
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    room = 0.06 * (high - low) or 0.5
    panel.set_ylim(low - room, high + room)
    panel.spines[["top", "right"]].set_visible(False)
    panel.tick_params(labelsize=7, length=2, color=GREY)
    panel.locator_params(nbins=4)
    panel.grid(color=FAINT, linewidth=0.6)
    panel.set_axisbelow(True)
    panel.set_title(text, fontsize=_TITLE, pad=3, parse_math=False).set_gid(gid)
