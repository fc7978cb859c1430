"""Axes that fit given points and the texts around them, and how to write and draw there."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, LinearSegmentedColormap, Normalize
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Circle
from matplotlib.textpath import text_to_path

from jaxcause._checks import InputError
from jaxcause._typing import AnyArray
from jaxcause.plot._figure import new_axes

INK, GREY, FAINT = "#222222", "#777777", "#DDDDDD"
OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_BAR = 70.0

Point = Float[np.ndarray, "2"]
Points = Float[np.ndarray, "points 2"]
Values = Float[AnyArray, "vars vars lags"]


class Layout(NamedTuple):
    """Points to fit; from each, a text extends ``em`` times the font size left, down, right, up.

    The font size is a ``share`` of a data unit, within the limits of legible sizes.
    """

    points: Points
    em: Float[np.ndarray, "points 4"]
    share: float


class Canvas(NamedTuple):
    """Axes of equal aspect; ``line`` is the font size in data units, ``font`` in points."""

    ax: Axes
    font: float
    line: float
    scale: ScalarMappable | None


def make_canvas(
    ax: Axes | None,
    layout: Layout,
    wish: float,
    scale: ScalarMappable | None,
    label: str = "strength",
    legend: tuple[float, float] = (180.0, 0.0),
) -> Canvas:
    """Axes that fit the layout and a colour bar; new Axes have ``wish`` points per data unit.

    ``legend`` is the least width of new Axes, and the room below them beyond that of two lines.
    """
    if ax is None:
        ax = _new_axes(layout, wish, 0.0 if scale is None else _BAR, legend)
    if scale is not None:
        _add_bar(ax, scale, label)
    unit = largest_unit(layout, axes_size(ax))
    (left, low), (right, high) = np.array(_extent(layout, unit)) / unit
    ax.set(xlim=(left, right), ylim=(low, high), aspect="equal")
    font = _font(layout, unit)
    return Canvas(ax, font, font / unit, scale)


def finish(ax: Axes, title: str, xlabel: str, ylabel: str = "") -> Axes:
    """Remove the frame and write the title and the texts below and to the left."""
    ax.set(xticks=[], yticks=[])
    ax.set_title(title, fontsize=11, pad=10)
    # Beside a colour bar, both are centred over the whole picture.
    ax.set_xlabel(xlabel, fontsize=9, labelpad=8, x=ax.title.get_position()[0])
    ax.set_ylabel(ylabel, fontsize=9)
    ax.spines[:].set_visible(False)
    return ax


def variable_names(names: Sequence[str] | None, n_vars: int) -> list[str]:
    """The names as given, or ``X0, X1, …``."""
    if names is None:
        return [f"X{i}" for i in range(n_vars)]
    if len(names) != n_vars:
        raise InputError(
            f"names has {len(names)} entries for {n_vars} variables; give one name per variable, "
            "or leave names out"
        )
    return [str(name) for name in names]


def text_width(text: str) -> float:
    """Width of a text in units of its font size."""
    font = FontProperties(size=100)
    return text_to_path.get_text_width_height_descent(text, font, False)[0] / 100


def axes_size(ax: Axes) -> Point:
    """Width and height of Axes in points."""
    return np.array(ax.get_window_extent().size) * 72 / ax.figure.dpi


def largest_unit(layout: Layout, size: Point) -> float:
    """The most points per data unit at which everything fits a size."""
    unit = 500.0
    while unit > 1e-3:
        low, high = _extent(layout, unit)
        if (high - low <= size).all():
            break
        unit *= 0.99
    return unit


SHARES = LinearSegmentedColormap.from_list("shares", ["#F7F7F7", "#3B2A7A"])
"""Colours of heat maps from 0 on: strong is dark, as in pictures of graphs."""


def color_scale(values: np.ndarray | list[float], colors: Colormap) -> ScalarMappable:
    """Colours from 0 to the largest value."""
    known = np.asarray(values, float)
    largest = float(known[np.isfinite(known)].max(initial=0.0))
    return ScalarMappable(Normalize(0, largest if largest > 0 else 1), colors)


def source_color(canvas: Canvas, var: int) -> str:
    """Colour of a variable; grey if colours mean strength."""
    return GREY if canvas.scale is not None else OKABE_ITO[var % len(OKABE_ITO)]


def legible(canvas: Canvas, n_vars: int) -> range:
    """Variables to name if rows are one unit apart: all, or every k-th if they are too dense."""
    return range(0, n_vars, max(1, int(np.ceil(1.15 * canvas.line))))


def write(canvas: Canvas, at: Any, text: str, gid: str, **style: Any) -> None:
    """Write a text, centred by default."""
    style = {"ha": "center", "va": "center", "fontsize": canvas.font, "color": INK} | style
    canvas.ax.text(at[0], at[1], text, gid=gid, parse_math=False, zorder=6, **style)


def draw_node(canvas: Canvas, at: Point, radius: float, gid: str, color: str) -> None:
    """Draw a filled circle."""
    canvas.ax.add_patch(Circle(tuple(at), radius, facecolor=color, gid=gid, zorder=4))


def _font(layout: Layout, unit: float) -> float:
    """Legible font size in points for a number of points per data unit."""
    return float(np.clip(layout.share * unit, 5, 9))


def _extent(layout: Layout, unit: float) -> tuple[Point, Point]:
    """Lower left and upper right corner, in points, of everything in the layout."""
    middle, text = layout.points * unit, layout.em * _font(layout, unit)
    return (middle - text[:, :2]).min(axis=0), (middle + text[:, 2:]).max(axis=0)


def _new_axes(layout: Layout, unit: float, bar: float, legend: tuple[float, float]) -> Axes:
    """Axes that fill a new figure except for a margin, with room for a bar of the given width."""
    low, high = _extent(layout, unit)
    least, below = legend
    inner = np.maximum(high - low, (least, 60)) * 1.01 + (bar, 0)
    outer = inner + (50, 80 + below)
    return new_axes(outer / 72, (*((25, 40 + below) / outer), *(inner / outer)))


def _add_bar(ax: Axes, scale: ScalarMappable, label: str) -> None:
    """Put a colour bar into the right end of the Axes."""
    width, height = axes_size(ax)
    share = min(0.25, _BAR / width)
    style: dict[str, Any] = {"shrink": 0.8, "aspect": max(0.8 * height / 9, 4)}
    style |= {"fraction": 0.7 * share, "pad": 0.3 * share}
    ax.figure.colorbar(scale, ax=ax, label=label, **style).outline.set_visible(False)
    ax.title.set_x(0.5 / (1 - share))
