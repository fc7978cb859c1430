"""Picture of scores by source, target and lag."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.patches import Circle
from matplotlib.patheffects import withStroke

from jaxcause._checks import InputError, check_shape
from jaxcause.graph import LaggedGraph
from jaxcause.plot._canvas import (
    SHARES,
    Canvas,
    Layout,
    Point,
    Values,
    axes_size,
    color_scale,
    finish,
    largest_unit,
    legible,
    make_canvas,
    text_width,
    variable_names,
    write,
)
from jaxcause.plot._charts import about

_PITCH = 1.1


def score_heatmap(
    scores: Values,
    *,
    names: Sequence[str] | None = None,
    graph: LaggedGraph | None = None,
    ax: Axes | None = None,
    label: str = "score",
) -> Axes:
    """Draw scores as one source × target block per lag, all on one colour scale from 0.

    Args:
        scores: ``[source, target, lag 0..max_lag]``. Lag 0 is not shown; a negative score looks
            like 0.
        names: One name per variable; ``X0, X1, …`` by default.
        graph: Its edges have a ring.
        ax: Where to draw; a new figure of a fitting size by default.
        label: What the colours mean.

    Returns:
        The Axes drawn into; ``.figure.savefig(path)`` saves the picture.

    Raises:
        InputError: ``scores`` has another shape, or ``names`` or ``graph`` does not fit them.

    >>> ax = score_heatmap(np.ones((2, 2, 4)))
    >>> [image.get_gid() for image in ax.images]
    ['lag-1', 'lag-2', 'lag-3']
    """
    values = _checked(scores, graph)
    n_vars, n_lags = values.shape[1], values.shape[2] - 1
    labels = variable_names(names, n_vars)
    widest = max(map(text_width, labels))
    wish = float(np.clip(220 / n_vars, 7.5, 30))
    layouts = {n: _layout(n, n_vars, n_lags, widest) for n in range(1, n_lags + 1)}
    columns = _roomiest(layouts, ax, wish)
    scale = color_scale(values[:, :, 1:], SHARES)
    canvas = make_canvas(ax, layouts[columns], wish, scale, label)
    for lag in range(1, n_lags + 1):
        corner = _corner(lag, columns, n_vars, widest, canvas.line)
        _draw_block(canvas, corner, values[:, :, lag], scale, lag)
        _write_names(canvas, corner, labels, lag)
        if graph is not None:
            _draw_rings(canvas, corner, np.asarray(graph.adjacency)[:, :, lag], lag)
    note = "target at t" + ("; ring: edge of the graph" if graph is not None else "")
    return finish(canvas.ax, about(label, "by lag"), note, "source at t − lag")


def _checked(scores: Values, graph: LaggedGraph | None) -> Float[np.ndarray, "vars vars lags"]:
    """The scores as a checked array; raises unless they and the graph fit."""
    values = np.asarray(scores, float)
    if values.shape[0] != values.shape[1] or values.shape[2] < 2:
        raise InputError(
            f"scores has shape {values.shape}, but must be [vars, vars, max_lag+1], max_lag >= 1"
        )
    if graph is not None:
        check_shape("graph.marks", graph.marks, (*values.shape, 2))
    return values


def _layout(columns: int, n_vars: int, n_lags: int, widest: float) -> Layout:
    """The space of the blocks in so many columns, one unit per cell, with names around them."""
    rows = -(-n_lags // columns)
    points = np.array([(0.0, -rows * n_vars), ((1 + (columns - 1) * _PITCH) * n_vars, 0.0)])
    em = np.array([(widest + 0.8, rows * _names_below(widest), 0, 0), (0.0, 0, 0, 0)])
    return Layout(points, em, 0.75)


def _names_below(widest: float) -> float:
    """Height in em of a title and of the vertical names below a block."""
    return widest + 3.4


def _roomiest(layouts: dict[int, Layout], ax: Axes | None, wish: float) -> int:
    """The number of columns with the largest cells; the larger number if several are equal."""
    size, most = (np.array([800.0, 600.0]), wish) if ax is None else (axes_size(ax), np.inf)
    return max(layouts, key=lambda n: (min(largest_unit(layouts[n], size), most), n))


def _corner(lag: int, columns: int, n_vars: int, widest: float, line: float) -> Point:
    """Upper left corner of the block of a lag, in rows from the top, ``line`` units per em."""
    row, column = divmod(lag - 1, columns)
    down = n_vars + _names_below(widest) * line
    return np.array([column * _PITCH * n_vars, -row * down - 1.6 * line])


def _draw_block(
    canvas: Canvas,
    corner: Point,
    scores: Float[np.ndarray, "vars vars"],
    scale: ScalarMappable,
    lag: int,
) -> None:
    """Draw one source × target block with its title above."""
    (left, top), n_vars = corner, len(scores)
    look = {"norm": scale.norm, "cmap": scale.cmap, "interpolation": "nearest"}
    extent = (left, left + n_vars, top - n_vars, top)
    canvas.ax.imshow(scores, extent=extent, gid=f"lag-{lag}", **look)
    at = (left + n_vars / 2, top + 0.8 * canvas.line)
    write(canvas, at, f"lag {lag}", f"title-{lag}", fontsize=max(canvas.font, 8))


def _write_names(canvas: Canvas, corner: Point, labels: list[str], lag: int) -> None:
    """Name the targets below a block and the sources to the left of the first in a row."""
    (left, top), n_vars, line = corner, len(labels), canvas.line
    turn = 0 if max(map(text_width, labels)) * line < 0.9 else 90
    for i in legible(canvas, n_vars):
        below = (left + i + 0.5, top - n_vars - 0.4 * line)
        write(canvas, below, labels[i], f"target-{i}-{lag}", rotation=turn, va="top")
        if left == 0:
            write(canvas, (-0.4 * line, top - i - 0.5), labels[i], f"source-{i}-{lag}", ha="right")


def _draw_rings(canvas: Canvas, corner: Point, selected: np.ndarray, lag: int) -> None:
    """Ring the selected cells of a block, black on white to be visible on every colour."""
    width = float(np.clip(0.5 / canvas.line, 0.6, 1.4))
    halo = [withStroke(linewidth=2.4 * width, foreground="white")]
    for i, j in np.argwhere(selected).tolist():
        ring = Circle((corner[0] + j + 0.5, corner[1] - i - 0.5), 0.28, fill=False)
        ring.set(edgecolor="black", linewidth=width, path_effects=halo, gid=f"ring-{i}-{j}-{lag}")
        canvas.ax.add_patch(ring)
