"""Pictures of the matrices from which a graph over tokens is computed."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LinearSegmentedColormap
from matplotlib.figure import Figure

from jaxcause._checks import InputError, check_shape
from jaxcause._typing import AnyArray
from jaxcause.plot._canvas import SHARES, axes_size, text_width
from jaxcause.plot._figure import Panels
from jaxcause.plot._glyphs import drawable
from jaxcause.plot._token_arcs import NEGATIVE, POSITIVE

_SIGNED = LinearSegmentedColormap.from_list("signed", [NEGATIVE, "#F7F7F7", POSITIVE])
_UNDEFINED = "#B9BDC4"

_Matrix = Float[AnyArray, "tokens tokens"]


class _Panel(NamedTuple):
    """A matrix and how to show it."""

    title: str
    gid: str
    values: Float[np.ndarray, "tokens tokens"]
    colors: Colormap
    low: float
    high: float


def plot_attention_panels(
    attention: _Matrix,
    correlation: _Matrix,
    partial_correlation: _Matrix,
    tokens: Sequence[str],
    axes: Sequence[Axes] | None = None,
) -> list[Axes]:
    """Draw attention, correlation and partial correlation as three heat maps beside each other.

    Args:
        attention: The row attends to the column. Colours from 0 to the largest value.
        correlation: Colours from -1 (orange) to 1 (blue).
        partial_correlation: The same colours; grey where it is not finite.
        tokens: One text per row and column.
        axes: Three Axes to draw into; a new figure of a fitting size by default.

    Returns:
        The three Axes, which a notebook shows; ``axes[0].figure.savefig(path)`` saves the picture.

    Raises:
        InputError: A matrix does not fit the tokens, or there are not three Axes.

    >>> axes = plot_attention_panels(np.eye(2), np.eye(2), np.eye(2), ["not", "good"])
    >>> [ax.get_title() for ax in axes]
    ['Attention', 'Correlation', 'Partial correlation']
    """
    n_tokens = len(tokens)
    if n_tokens == 0:
        raise InputError("tokens is empty; give at least one token")
    given = {
        "attention": attention,
        "correlation": correlation,
        "partial_correlation": partial_correlation,
    }
    for name, matrix in given.items():
        check_shape(name, matrix, (n_tokens, n_tokens))
    labels = [drawable(token) for token in tokens]
    where = _new_axes(labels) if axes is None else list(axes)
    if len(where) != 3:
        raise InputError(f"axes has {len(where)} entries; give three, or leave axes out")
    for ax, panel in zip(where, map(_panel, given.items()), strict=True):
        _draw(ax, panel, labels)
    return Panels(where)


def _panel(item: tuple[str, Any]) -> _Panel:
    """How to show a matrix."""
    name, values = item[0], np.asarray(item[1], float)
    title = name.replace("_", " ").capitalize()
    if name != "attention":
        return _Panel(title, name, values, _SIGNED, -1.0, 1.0)
    largest = float(values[np.isfinite(values)].max(initial=0.0))
    return _Panel(title, name, values, SHARES, 0.0, largest if largest > 0 else 1.0)


def _new_axes(labels: list[str]) -> list[Axes]:
    """Three square Axes in a row, with room for labels left and above and for a scale below."""
    side = float(np.clip(14.0 * len(labels), 150, 420))
    font = _font(side, len(labels))
    gutter = max(map(text_width, labels)) * font + 14
    width, height = 3 * (side + gutter) + 30, 1.14 * side + gutter + 62
    figure = Figure((width / 72, height / 72))
    places = [(k * (side + gutter) + gutter + 5, 0.14 * side + 26, side, side) for k in range(3)]
    scale = np.array([width, height, width, height])
    return [figure.add_axes(tuple(np.array(place) / scale)) for place in places]


def _font(side: float, n_tokens: int) -> float:
    """Font size in points of the labels of a matrix whose side is given in points."""
    return float(np.clip(0.8 * side / n_tokens, 5, 9))


def _draw(ax: Axes, panel: _Panel, labels: list[str]) -> None:
    """Draw a heat map with labels at its rows and columns and its scale below."""
    colors = panel.colors.with_extremes(bad=_UNDEFINED)
    values = np.ma.masked_invalid(panel.values)
    style: dict[str, Any] = {"vmin": panel.low, "vmax": panel.high, "interpolation": "nearest"}
    image = ax.imshow(values, cmap=colors, gid=panel.gid, **style)
    bar = ax.inset_axes((0, -0.11, 1, 0.045))
    ax.figure.colorbar(image, cax=bar, orientation="horizontal").outline.set_visible(False)
    bar.tick_params(labelsize=7, length=2)
    side = float(axes_size(ax).min())
    font = _font(side, len(labels))
    shown = list(range(0, len(labels), max(1, int(np.ceil(1.15 * font * len(labels) / side)))))
    names = [labels[i] for i in shown]
    ax.set_yticks(shown, names, fontsize=font, parse_math=False)
    ax.set_xticks(shown, names, fontsize=font, rotation=90, parse_math=False)
    ax.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
    ax.spines[:].set_visible(False)
    ax.set_title(panel.title, fontsize=11, pad=8)
