"""Axes with scales, and names written at the ends of curves rather than in a box."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxcause.plot._canvas import FAINT, GREY, INK, axes_size, text_width

_FONT = 9.0
_MARGINS = (62.0, 46.0, 14.0, 34.0)
_GAP = 16.0


class End(NamedTuple):
    """Where a curve ends, its name and its colour."""

    x: float
    y: float
    text: str
    color: str
    gid: str


def chart_axes(ax: Axes | None, width: float, height: float, left: float = 0.0) -> Axes:
    """The Axes as given, or new ones of a size in points with room for what stands around them."""
    if ax is None:
        low, below, right, above = _MARGINS
        low = max(low, left)
        whole = np.array([width + low + right, height + below + above])
        place = np.array([low, below, width, height]) / np.tile(whole, 2)
        ax = Figure(tuple(whole / 72)).add_axes(tuple(place))
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(labelsize=8, length=3, color=GREY)
    return ax


def title(ax: Axes, text: str, xlabel: str, ylabel: str = "") -> Axes:
    """Write the title and what the scales mean."""
    ax.set_title(text, fontsize=11, pad=10)
    ax.set_xlabel(xlabel, fontsize=9, parse_math=False)
    ax.set_ylabel(ylabel, fontsize=9, parse_math=False)
    return ax


def leave_room(ax: Axes, low: float, high: float, texts: Sequence[str]) -> None:
    """Stretch a linear x scale from ``low`` so that names find room to the right of ``high``."""
    widest = max(map(text_width, texts), default=0.0) * _FONT + _GAP + 4 if texts else 0.0
    share = 1 - min(widest / float(axes_size(ax)[0]), 0.7)
    ax.set_xlim(low, low + (high - low) / share)


def write_ends(ax: Axes, ends: list[End]) -> None:
    """Write the name of each curve to the right of its end, moved up or down off the others."""
    if not ends:
        return
    to_points = 72 / ax.figure.dpi
    at = ax.transData.transform([(end.x, end.y) for end in ends]) * to_points
    box = ax.get_window_extent()
    low, high = box.y0 * to_points + _FONT / 2, box.y1 * to_points - _FONT / 2
    heights = spread(at[:, 1], 1.25 * _FONT, low, high)
    right = float(at[:, 0].max()) + _GAP
    for end, height in zip(ends, heights, strict=True):
        x, y = ax.transData.inverted().transform((right / to_points, height / to_points))
        style = {"color": end.color, "linewidth": 0.8, "zorder": 1}
        ax.plot([end.x, x], [end.y, y], gid=f"leader-{end.gid}", **style)
        ax.text(
            x, y, " " + end.text, fontsize=_FONT, color=INK, va="center", gid=f"end-{end.gid}",
            parse_math=False,
        )  # fmt: skip


def spread(wished: np.ndarray, gap: float, low: float, high: float) -> np.ndarray:
    """Heights at least a gap apart (less where there is no room), each near the wished one."""
    gap = min(gap, (high - low) / max(len(wished) - 1, 1))
    order = np.argsort(wished, kind="stable")
    rank = np.arange(len(wished))
    # Without gaps, heights that may not fall are the mean over blocks that pool what would cross.
    blocks: list[list[float]] = []
    for value in wished[order] - gap * rank:
        blocks.append([float(value), 1])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (a, m), (b, n) = blocks[-2:]
            blocks[-2:] = [[(a * m + b * n) / (m + n), m + n]]
    level = np.concatenate([[value] * int(count) for value, count in blocks])
    heights = np.empty(len(wished))
    heights[order] = np.clip(level, low, high - gap * (len(wished) - 1)) + gap * rank
    return heights


def threshold_line(ax: Axes, value: float, *, upright: bool = False) -> None:
    """Draw a dashed line at a threshold."""
    style = {"color": INK, "linewidth": 1.0, "linestyle": (0, (4, 3)), "zorder": 2}
    (ax.axvline if upright else ax.axhline)(value, gid="threshold", **style)


def grid(ax: Axes, axis: str) -> None:
    """Faint lines behind the curves."""
    ax.grid(axis=axis, color=FAINT, linewidth=0.6)  # pyright: ignore[reportArgumentType]
    ax.set_axisbelow(True)
