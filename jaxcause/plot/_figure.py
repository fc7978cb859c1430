"""Figures of their own, without pyplot and its global state, that notebooks show."""

import io
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

_DPI = 110


class Picture(Axes):
    """Axes that a notebook shows as the picture that they are part of.

    A cell that ends in ``result.plot()`` shows the picture, and ``display(ax)`` does anywhere.
    """

    def _repr_png_(self) -> bytes:
        return png(self)


class Panels(list[Axes]):
    """The Axes of one picture, which a notebook shows."""

    def _repr_png_(self) -> bytes:
        return png(self[0])


def png(ax: Axes) -> bytes:
    """The whole picture that Axes are part of."""
    figure, content = ax.get_figure(root=True), io.BytesIO()
    assert figure is not None
    figure.savefig(content, format="png", dpi=_DPI, bbox_inches="tight")
    return content.getvalue()


def new_axes(size: Any, place: Any) -> Axes:
    """Axes in a new figure.

    Args:
        size: Width and height of the figure in inches.
        place: Left, bottom, width and height of the Axes as shares of the figure.
    """
    return Figure(tuple(size)).add_axes(tuple(place), axes_class=Picture)
