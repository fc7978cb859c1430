"""Picture of how often each edge was selected."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes

from jaxcause._checks import InputError, check_at_least
from jaxcause._typing import AnyArray
from jaxcause.plot._canvas import OKABE_ITO, text_width, variable_names
from jaxcause.plot._charts import chart_axes, grid, threshold_line, title

_ROW, _FONT = 13.0, 8.0


def edge_stability(
    probability: Float[AnyArray, "vars vars lags"] | Float[AnyArray, "vars vars"],
    *,
    threshold: float | None = None,
    names: Sequence[str] | None = None,
    most: int = 30,
    ax: Axes | None = None,
) -> Axes:
    """Draw the share of resamples in which each edge was selected, the most stable on top.

    Args:
        probability: From 0 to 1, ``[source, target, lag]`` or ``[source, target]``. A symmetric
            matrix means edges without a direction. NaN and 0 are left out.
        threshold: Smallest share of a stable edge, drawn as a dashed line. Stable edges have
            filled dots.
        names: One name per variable; ``X0, X1, …`` by default.
        most: Largest number of edges to show; the text below counts the others.
        ax: Where to draw; a new figure of a fitting size by default.

    Returns:
        The Axes drawn into, with one tick label per edge; the dots have the ``gid`` ``dots``.

    Raises:
        InputError: A share is outside [0, 1], or the shape or ``names`` does not fit.

    >>> shares = np.zeros((2, 2, 3)); shares[0, 1, 2] = 0.93; shares[1, 0, 1] = 0.2
    >>> ax = edge_stability(shares, names=["rain", "river"], threshold=0.6)
    >>> [tick.get_text() for tick in ax.get_yticklabels()]
    ['rain t−2 → river', 'river t−1 → rain']
    """
    shares = _checked(probability)
    check_at_least("most", most, 1)
    labels = variable_names(names, len(shares))
    cells = [tuple(cell) for cell in np.argwhere(np.nan_to_num(shares) > 0).tolist()]
    symmetric = shares.ndim == 2 and np.array_equal(shares, shares.T, equal_nan=True)
    if symmetric:
        cells = [cell for cell in cells if cell[0] < cell[1]]
    cells.sort(key=lambda cell: -shares[cell])
    shown = cells[:most]
    texts = [_text(cell, labels, symmetric) for cell in shown]
    gutter = max(map(text_width, texts), default=0.0) * _FONT + 16
    ax = chart_axes(ax, 260, _ROW * max(len(shown), 3) + 10, gutter)
    rows, values = np.arange(len(shown)), np.array([shares[cell] for cell in shown], float)
    ax.hlines(rows, 0, values, color=OKABE_ITO[0], linewidth=1.4, alpha=0.5)
    stable = np.full(len(values), True) if threshold is None else values >= threshold
    face = np.where(stable, OKABE_ITO[0], "white")
    ax.scatter(values, rows, s=26, c=face, edgecolors=OKABE_ITO[0], gid="dots", zorder=3)
    ax.set_yticks(rows, texts, fontsize=_FONT, parse_math=False)
    ax.tick_params(axis="y", length=0)
    ax.set(xlim=(0, 1.03), ylim=(max(len(shown), 1) - 0.4, -0.6))
    grid(ax, "x")
    if threshold is not None:
        threshold_line(ax, threshold, upright=True)
    return title(ax, "Stability of edges", _note(threshold, len(cells) - len(shown), bool(shown)))


def _checked(probability: AnyArray) -> np.ndarray:
    """The shares as an array; raises unless they are shares of a valid shape."""
    shares = np.asarray(probability, float)
    if shares.ndim not in (2, 3) or shares.shape[0] != shares.shape[1]:
        raise InputError(
            f"probability has shape {shares.shape}, but must be [vars, vars, lags] or [vars, vars]"
        )
    if ((shares < 0) | (shares > 1)).any():
        raise InputError("probability has values outside [0, 1]; divide counts by their total")
    return shares


def _text(cell: tuple[int, ...], labels: list[str], symmetric: bool) -> str:
    """An edge in words."""
    source, target = labels[cell[0]], labels[cell[1]]
    if symmetric:
        return f"{source} – {target}"
    step = f" t−{cell[2]}" if len(cell) == 3 and cell[2] else " t" if len(cell) == 3 else ""
    return f"{source}{step} → {target}"


def _note(threshold: float | None, n_left: int, some: bool) -> str:
    """The text below the picture: what it shows and how many edges it leaves out."""
    notes = (
        ["share of resamples with the edge"] if some else ["no edge was selected in any resample"]
    )
    notes += ["dashed: threshold"] * (threshold is not None)
    more = f"{n_left:,} less stable {'edge is' if n_left == 1 else 'edges are'} not shown"
    return "; ".join(notes) + f"\n{more}" * bool(n_left)
