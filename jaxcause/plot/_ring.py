"""Nodes on a circle, their names around it, and the curves of edges between them."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable

from jaxcause.plot._canvas import (
    GREY,
    Canvas,
    Layout,
    Point,
    Points,
    draw_node,
    make_canvas,
    source_color,
    text_width,
    write,
)
from jaxcause.plot._edges import Curve, Edge, Look, bezier, bow, clearest, cut, draw_edge

_MOST_UPRIGHT = 20

Drawn = list[tuple[Edge, Curve]]


class Ring(NamedTuple):
    """Nodes, and for each the direction away from the middle."""

    angle: Float[np.ndarray, "vars"]
    ahead: Points
    centers: Points
    radius: float


class Name(NamedTuple):
    """A name to write. Its middle is ``start`` plus ``shift``; shift and half size are in em."""

    text: str
    turn: float
    start: Point
    shift: Point
    half: Point

    def middle(self, line: float) -> Point:
        """Where to write the name at a font size in data units."""
        return self.start + self.shift * line


def make_ring(n_vars: int) -> Ring:
    """Nodes clockwise from the top; a single one in the middle."""
    angle = np.pi / 2 - 2 * np.pi * np.arange(n_vars) / n_vars
    ahead = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return Ring(angle, ahead, ahead * (n_vars > 1), float(np.clip(0.65 / n_vars, 0.02, 0.1)))


def ring_curve(arrow: Edge, arrows: list[Edge], ring: Ring) -> Curve:
    """An arc between two nodes, or a loop at one; further arrows of the pair bend more."""
    rank = [other for other in arrows if other[:2] == arrow[:2]].index(arrow)
    return (_loop if arrow.loop else _chord)(arrow, rank, ring)


def _chord(arrow: Edge, rank: int, ring: Ring) -> Curve:
    """An arc between two nodes that avoids the other nodes and the arcs between them."""
    centers, n_vars, radius = ring.centers, len(ring.centers), ring.radius
    start, end = centers[arrow.source], centers[arrow.target]
    clockwise = (arrow.target - arrow.source) % n_vars <= n_vars / 2
    bends = (1.0, 2.0, 3.0) if clockwise else (1.0, 0.0, -0.5, -1.5, -2.5)
    # Chords meet at a node at angles of pi / n. An odd number of quarters of that angle keeps
    # the arcs apart there.
    quarter = np.pi / n_vars / 4
    bent = quarter * (1 + 2 * max(0, round((0.3 / quarter - 1) / 2)))
    unit = float(np.tan(bent) / 4 * np.linalg.norm(end - start))
    bows = [bow(start, end, (bend + rank) * unit) for bend in bends]
    others = np.delete(centers, arrow[:2], axis=0)
    return cut(clearest(bows, others, 1.6 * radius), 1.2 * radius, 1.2 * radius)


def _loop(arrow: Edge, rank: int, ring: Ring) -> Curve:
    """A loop on the outer side of a node."""
    ahead, radius = ring.ahead[arrow.source], ring.radius
    near, far = radius * np.array([0.7, 0.7]), (4 + 2 * rank) * radius * np.array([0.88, 0.6])
    shape = np.array([near * (1, -1), far * (1, -1), far, near])
    points = ring.centers[arrow.source] + shape @ np.stack([ahead, ahead[::-1] * (1, -1)])
    return cut(bezier(*points), 0.2 * radius, 0.2 * radius)


def ring_name(text: str, var: int, ring: Ring, drawn: Drawn) -> Name:
    """The name of a variable: horizontal, or along its direction if there are many names."""
    center, ahead = ring.centers[var], ring.ahead[var]
    loops = [(arrow, curve) for arrow, curve in drawn if arrow.loop and arrow.source == var]
    reach = max([1.3 * ring.radius, *(((curve - center) @ ahead).max() for _, curve in loops)])
    clear = 0.4 + max([0.0, *(_lags_reach(arrow, ahead) for arrow, _ in loops)])
    half, turn = np.array([text_width(text), 1.2]) / 2, 0.0
    if len(ring.centers) <= _MOST_UPRIGHT:
        shift = ahead * clear + half * (np.clip(3 * ahead[0], -1, 1), ahead[1])
    else:
        turn = float(np.degrees(ring.angle[var] + np.pi / 2) % 180 - 90)
        shift, half = ahead * (clear + half[0]), np.abs([ahead, ahead[::-1]]) @ half
    return Name(text, turn, center + ahead * reach, shift, half)


def _lags_reach(arrow: Edge, ahead: Point) -> float:
    """How far, in em, the lags written on a loop extend in a direction."""
    half = np.array([text_width(lag_text(arrow.lags)) / 2 + 0.2, 1.2])
    return float((half / np.maximum(np.abs(ahead), 1e-9)).min())


def ring_layout(ring: Ring, drawn: Drawn, names: list[Name]) -> Layout:
    """The nodes, the curves, and the names, which extend from their start."""
    rims = ring.centers - ring.radius, ring.centers + ring.radius
    starts, curves = [name.start for name in names], [curve for _, curve in drawn]
    points = np.concatenate([starts, *rims, *curves])
    em = np.zeros((len(points), 4))
    em[: len(names)] = [(*(name.half - name.shift), *(name.half + name.shift)) for name in names]
    return Layout(points, em, min(2.5 / len(names), 0.1))


def draw_ring_nodes(
    canvas: Canvas, ring: Ring, names: list[Name], color: str | None = None
) -> None:
    """Draw the nodes, each in its own colour by default, and write their names."""
    for i, (center, name) in enumerate(zip(ring.centers, names, strict=True)):
        draw_node(canvas, center, ring.radius, f"node-{i}", color or source_color(canvas, i))
        write(canvas, name.middle(canvas.line), name.text, f"name-{i}", rotation=name.turn)


def draw_ring(
    edges: list[Edge],
    labels: list[str],
    ax: Axes | None,
    *,
    scale: ScalarMappable | None = None,
    looks: Sequence[Look | None] | None = None,
) -> Canvas:
    """Draw edges, each with its own look, between grey nodes on a circle."""
    ring = make_ring(len(labels))
    drawn = [(edge, ring_curve(edge, edges, ring)) for edge in edges]
    names = [ring_name(text, i, ring, drawn) for i, text in enumerate(labels)]
    canvas = make_canvas(ax, ring_layout(ring, drawn, names), ring_size(len(labels)), scale)
    for (edge, curve), look in zip(drawn, looks or [None] * len(edges), strict=True):
        draw_edge(canvas, curve, edge, 1.2 * ring.radius, look)
    draw_ring_nodes(canvas, ring, names, GREY)
    return canvas


def ring_size(n_vars: int) -> float:
    """Preferred number of points per radius."""
    return float(np.clip(100 + 9 * n_vars, 120, 330))


def lag_text(lags: tuple[int, ...]) -> str:
    """Lags as text; runs of three or more become a range: ``0, 2–5``."""
    runs: list[list[int]] = []
    for lag in lags:
        if not runs or lag != runs[-1][-1] + 1:
            runs.append([])
        runs[-1].append(lag)
    return ", ".join(
        f"{run[0]}–{run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs
    )
