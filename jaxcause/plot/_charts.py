"""Axes with scales, and names written at the ends of curves instead of in a legend box."""

from collections.abc import Sequence
from os.path import commonprefix
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke

from jaxcause.plot._canvas import FAINT, GREY, INK, axes_size, text_width
from jaxcause.plot._figure import new_axes

_FONT = 9.0
_MARGINS = (62.0, 46.0, 14.0, 34.0)
_GAP = 16.0
_MOST_NAMES = 0.65
_HINTED = 1.04
"""Letters are placed on whole pixels, so text is up to this factor wider than its outline."""


class End(NamedTuple):
    """The end of a curve, its name and its colour."""

    x: float
    y: float
    text: str
    color: str
    gid: str


def chart_axes(ax: Axes | None, width: float, height: float, left: float = 0.0) -> Axes:
    """The given Axes, or new ones of a size in points with margins for labels."""
    if ax is None:
        low, below, right, above = _MARGINS
        low = max(low, left)
        whole = np.array([width + low + right, height + below + above])
        place = np.array([low, below, width, height]) / np.tile(whole, 2)
        ax = new_axes(whole / 72, place)
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(labelsize=8, length=3, color=GREY)
    return ax


def title(ax: Axes, text: str, xlabel: str, ylabel: str = "") -> Axes:
    """Write the title and the labels of both scales."""
    ax.set_title(text, fontsize=11, pad=10)
    ax.set_xlabel(xlabel, fontsize=9, parse_math=False)
    ax.set_ylabel(ylabel, fontsize=9, parse_math=False)
    return ax


def leave_room(ax: Axes, low: float, high: float, texts: Sequence[str]) -> None:
    """Stretch a linear x scale from ``low`` so that names fit to the right of ``high``."""
    share = 1 - min(names_width(texts) / float(axes_size(ax)[0]), 0.7)
    ax.set_xlim(low, low + (high - low) / share)


def names_room(ax: Axes) -> float:
    """Largest width, in font sizes, of a name to the right of the curves."""
    return max(_MOST_NAMES * float(axes_size(ax)[0]) - _GAP - 4, _FONT) / (_FONT * _HINTED)


def names_width(texts: Sequence[str]) -> float:
    """Width in points that the widest name needs to the right of the curves."""
    return max(map(text_width, texts), default=0.0) * _FONT * _HINTED + _GAP + 4 if texts else 0.0


def write_ends(ax: Axes, ends: list[End], *, beyond: float | None = None) -> None:
    """Write the name of each curve to the right, moved up or down to avoid overlaps.

    Args:
        ax: Where to write.
        ends: The point of each curve that a line joins to its name.
        beyond: The x to the right of which names begin; that of the last point by default.
    """
    if not ends:
        return
    to_points = 72 / ax.figure.dpi
    at = ax.transData.transform([(end.x, end.y) for end in ends]) * to_points
    box = ax.get_window_extent()
    low, high = box.y0 * to_points + _FONT / 2, box.y1 * to_points - _FONT / 2
    heights = spread(at[:, 1], 1.25 * _FONT, low + 0.3 * _FONT, high)
    halo = [withStroke(linewidth=2.5, foreground="white")]
    last = ax.transData.transform((beyond, 0.0))[0] * to_points if beyond is not None else 0.0
    right = max(float(at[:, 0].max()), float(last)) + _GAP
    for end, height in zip(ends, heights, strict=True):
        x, y = ax.transData.inverted().transform((right / to_points, height / to_points))
        style = {"color": end.color, "linewidth": 0.8, "zorder": 1}
        style |= {"linestyle": (0, (1, 1.5))} if beyond is not None else {}
        ax.plot([end.x, x], [end.y, y], gid=f"leader-{end.gid}", **style)
        ax.text(
            x, y, " " + end.text, fontsize=_FONT, color=INK, va="center", gid=f"end-{end.gid}",
            parse_math=False, path_effects=halo,
        )  # fmt: skip


def about(label: str, rest: str) -> str:
    """A title that begins with the quantity drawn: ``score`` becomes "Scores …"."""
    return f"{'Scores' if label == 'score' else label[:1].upper() + label[1:]} {rest}"


def shortened(text: str, most: float) -> str:
    """A text cut in the middle to a width in font sizes; names often differ at either end.

    >>> shortened("gauge at the bridge 17", 7)
    'gauge …e 17'
    """
    kept = len(text)
    cut = text
    while kept > 2 and text_width(cut) > most:
        kept -= 1
        last = int(0.4 * kept)
        cut = text[: kept - last] + "…" + text[len(text) - last :]
    return cut


def shortened_apart(texts: Sequence[str], most: float) -> list[str]:
    """Texts cut to a width in font sizes so that different ones stay different.

    Where two are cut alike, what all of those have in common is left out first.

    >>> shortened_apart(["Valve #12 conductivity", "Valve #13 conductivity"], 7)
    ['Valve #12…', 'Valve #13…']
    """
    cut = [shortened(text, most) for text in texts]
    for alike in sorted({text for text in cut if cut.count(text) > 1}):
        group = [k for k, text in enumerate(cut) if text == alike]
        words = [texts[k] for k in group]
        if len(set(words)) < 2:
            continue
        first = len(commonprefix(words))
        last = min(len(commonprefix([w[::-1] for w in words])), min(map(len, words)) - first)
        while first and any(w[first - 1 : first + 1].isdigit() for w in words):
            first -= 1
        for k in group:
            cut[k] = _around(texts[k], first, last, most, k)
    return cut


def _around(text: str, first: int, last: int, most: float, number: int) -> str:
    """The part of a text that tells it apart, with as much of its beginning as fits."""
    core, end = text[first : len(text) - last], "…" * bool(last)
    for kept in range(first, -1, -1):
        found = text[:kept] + "…" * (kept < first) + core + end
        if text_width(found) <= most:
            return found
    return f"#{number} {shortened(core, most - text_width(f'#{number} '))}"


def spread(wished: np.ndarray, gap: float, low: float, high: float) -> np.ndarray:
    """Heights near the wished ones and at least a gap apart (less if there is too little room)."""
    gap = min(gap, (high - low) / max(len(wished) - 1, 1))
    order = np.argsort(wished, kind="stable")
    rank = np.arange(len(wished))
    # With the gaps subtracted, this is isotonic regression: blocks that would cross are averaged.
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


def threshold_line(
    ax: Axes, value: float, *, upright: bool = False, until: float | None = None
) -> None:
    """Draw a dashed line at a threshold, to the end of the Axes or up to an x."""
    style = {"color": INK, "linewidth": 1.0, "linestyle": (0, (4, 3)), "zorder": 2}
    low, high = ax.get_xlim()
    share = 1.0 if until is None else (until - low) / (high - low)
    draw = ax.axvline if upright else ax.axhline
    draw(value, 0, share, gid="threshold", **style)


def grid(ax: Axes, axis: str) -> None:
    """Faint lines behind the curves."""
    ax.grid(axis=axis, color=FAINT, linewidth=0.6)  # pyright: ignore[reportArgumentType]
    ax.set_axisbelow(True)
