"""What all pictures of graphs use: edges, their curves, and their marks."""

from typing import Any, NamedTuple

import matplotlib
import numpy as np
from jaxtyping import Float
from matplotlib.bezier import BezierSegment
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, ListedColormap, Normalize
from matplotlib.patches import Circle, Patch, PathPatch, Polygon
from matplotlib.path import Path

from jaxcause._checks import InputError, check_shape, checked_flags
from jaxcause.graph import LaggedGraph, Mark
from jaxcause.plot._canvas import (
    GREY,
    Canvas,
    Point,
    Points,
    Values,
    color_scale,
    source_color,
)

Curve = Float[np.ndarray, "samples 2"]

_SIGNS = LinearSegmentedColormap.from_list(
    "signs", ["#8A2D00", "#D55E00", "#C9B9AE", "#B3BFCC", "#0072B2", "#003F73"]
)
"""From orange for negative effects to blue for positive ones, never too pale for white."""


class Edge(NamedTuple):
    """An edge to draw, at one lag or at several."""

    source: int
    target: int
    lags: tuple[int, ...]
    marks: tuple[int, int]
    strength: float
    effect: float | None = None
    share: float = 0.0

    @property
    def key(self) -> str:
        """The part of a ``gid`` that identifies this edge."""
        lags = "_".join(map(str, self.lags))
        return "-".join(filter(None, (str(self.source), str(self.target), lags)))

    @property
    def loop(self) -> bool:
        """Whether it leads back to its source."""
        return self.source == self.target


class Look(NamedTuple):
    """Colour, relative width and dashes of an edge."""

    color: Any
    weight: float = 0.45
    dashes: str | tuple[float, tuple[float, ...]] = "solid"


def graph_edges(
    graph: LaggedGraph, strength: Values | None, effect: Values | None = None
) -> list[Edge]:
    """One entry per edge and lag; contemporaneous edges appear once. The strongest come last."""
    marks = np.asarray(graph.marks)
    size, signed = _edge_sizes(marks, strength), np.full(marks.shape[:3], None)
    if effect is not None:
        check_shape("effect", effect, marks.shape[:3])
        known = np.asarray(effect, float)
        signed[np.isfinite(known)] = known[np.isfinite(known)]
    found = []
    for i, j, lag in np.argwhere(marks[..., 0]).tolist():
        left, right = marks[i, j, lag].tolist()
        if lag == 0 and _is_mirrored(i, j, left, right):
            continue
        largest = size[i, j, lag] if lag else max(size[i, j, 0], size[j, i, 0])
        found.append(Edge(i, j, (lag,), (left, right), float(largest), signed[i, j, lag]))
    largest = max((edge.strength for edge in found), default=0.0) or 1.0
    found = [edge._replace(share=edge.strength / largest) for edge in found]
    return sorted(found, key=lambda edge: edge.strength)


def candidate_edges(graph: LaggedGraph, candidates: Any) -> list[Edge]:
    """One entry per candidate link, directed from lag 1 on; those at lag 0 appear once.

    Raises:
        InputError: ``candidates`` does not fit the graph.
    """
    if candidates is None:
        return []
    shape = graph.marks.shape[:3]
    check_shape("candidates", candidates, shape)
    links = checked_flags("candidates", candidates) & ~np.asarray(graph.adjacency)
    marks = np.zeros((*shape, 2), np.int8)
    marks[links] = (Mark.TAIL, Mark.ARROW)
    now = links[:, :, 0] | links[:, :, 0].T
    marks[:, :, 0][now] = Mark.CIRCLE
    return graph_edges(LaggedGraph(marks), None)


def without_loops(
    edges: list[Edge], n_vars: int, self_edges: bool | None
) -> tuple[list[Edge], int]:
    """The edges to draw, and how many from a variable to itself are left out.

    Args:
        edges: All edges.
        n_vars: Number of variables.
        self_edges: Whether edges from a variable to itself are drawn; by default up to 12
            variables, or if there are no others.
    """
    others = [edge for edge in edges if not edge.loop]
    if self_edges is None:
        self_edges = n_vars <= MOST_WITH_LOOPS or not others
    return (edges, 0) if self_edges else (others, len(edges) - len(others))


def loops_note(n_hidden: int) -> list[str]:
    """What the text below a picture says of edges from a variable to itself that are left out."""
    return [f"{n_hidden} self-edge{'s' * (n_hidden > 1)} not shown"] * bool(n_hidden)


MOST_WITH_LOOPS = 12
"""Variables up to which self-edges are drawn by default."""

CANDIDATE = Look(GREY, 0.3, "dashed")
"""How a candidate looks, which is no edge."""


def candidate_note(edges: list[Edge]) -> list[str]:
    """What the text below a picture says of candidates, if there are any."""
    return ["dashed: strongest candidates, no edges"] * bool(edges)


def edge_scale(edges: list[Edge], *, strength: bool) -> ScalarMappable | None:
    """Colours of effects if any is known, else of strengths, or none."""
    known = [abs(edge.effect) for edge in edges if edge.effect is not None]
    if known:
        most = max(known) or 1.0
        return ScalarMappable(Normalize(-most, most), _SIGNS)
    return strength_scale(edges) if strength else None


def scale_label(edges: list[Edge]) -> str:
    """What the colours show."""
    signed = any(edge.effect is not None for edge in edges)
    return "effect, in standard deviations" if signed else "strength"


def strength_scale(edges: list[Edge]) -> ScalarMappable:
    """Colours of strengths, without the palest ones, which are invisible on white."""
    shades = matplotlib.colormaps["viridis_r"](np.linspace(0.22, 1, 256))
    return color_scale([edge.strength for edge in edges], ListedColormap(shades))


def causal_edges(marks: np.ndarray, strength: np.ndarray | None = None) -> list[Edge]:
    """Every edge of a graph without lags; a single arrowhead is at the target. Strongest last."""
    found = []
    for i, j in np.argwhere(np.triu(marks)).tolist():
        if _is_mirrored(i, j, int(marks[j, i]), int(marks[i, j])):
            i, j = j, i
        size = 0.0 if strength is None else float(abs(strength[i, j]))
        found.append(Edge(i, j, (), (int(marks[j, i]), int(marks[i, j])), size))
    return sorted(found, key=lambda edge: edge.strength)


def conflict_note(edges: list[Edge]) -> list[str]:
    """What the text below a picture says of edges in conflict, if there are any."""
    some = any(Mark.CONFLICT in edge.marks for edge in edges)
    return ["x–x: orientation in conflict"] * some


def draw_edge(
    canvas: Canvas, curve: Curve, edge: Edge, largest: float, look: Look | None = None
) -> None:
    """Draw a curve from source to target, and a mark whose tip is at each end of the curve."""
    color, weight, dashes = look or _look(canvas, edge)
    size = min(0.9 * canvas.line, largest)
    head = min(size, 0.4 * float(_distances(curve)[-1]))
    thickness = weight * size / canvas.line * canvas.font / 2.7
    style = {"edgecolor": color, "linewidth": thickness, "zorder": 2}
    line = cut(curve, *(head if mark in (Mark.ARROW, Mark.CIRCLE) else 0.0 for mark in edge.marks))
    wire = PathPatch(Path(line), fill=False, linestyle=dashes, **style)
    patches: dict[str, Patch | None] = {"edge": wire}
    for name, mark, end in zip(("source", "target"), edge.marks, (0, -1), strict=True):
        base = cut(curve, head, head)[end]
        patches[f"{name}-mark"] = _mark_patch(mark, curve[end], base, head, style)
    for name, patch in patches.items():
        if patch is not None:
            patch.set_gid(f"{name}-{edge.key}")
            canvas.ax.add_patch(patch)


def cut(curve: Curve, start: float, end: float) -> Curve:
    """Shorten a curve by a length at its start and at its end."""
    along = _distances(curve)
    at = np.linspace(start, max(along[-1] - end, start), len(curve))
    return np.stack([np.interp(at, along, curve[:, axis]) for axis in (0, 1)], axis=1)


def bezier(*points: np.ndarray) -> Curve:
    """Samples of the curve with the given control points."""
    return np.asarray(BezierSegment(np.array(points))(np.linspace(0, 1, 81)), float)


def bow(start: Point, end: Point, height: float) -> Curve:
    """Arc that bends a height to the right of the way from start to end."""
    along = (end - start) / np.linalg.norm(end - start)
    return bezier(start, (start + end) / 2 + 2 * height * np.array([along[1], -along[0]]), end)


def clearest(curves: list[Curve], others: Points, needed: float) -> Curve:
    """First curve that keeps the needed distance from the other nodes, or else the farthest one."""
    near = [np.hypot(*(curve[:, None] - others).T).min(initial=needed) for curve in curves]
    return curves[int(np.argmax(near))]


def _edge_sizes(marks: np.ndarray, strength: Values | None) -> Float[np.ndarray, "vars vars lags"]:
    """Size of each edge; entries without an edge are not used."""
    if strength is None:
        return np.zeros(marks.shape[:3])
    check_shape("strength", strength, marks.shape[:3])
    size = np.abs(np.asarray(strength, float))
    if not np.isfinite(size[marks[..., 0] != Mark.NONE]).all():
        raise InputError("strength is not finite for an edge; give a number for every edge")
    return size


def _is_mirrored(source: int, target: int, left: int, right: int) -> bool:
    """Whether to draw an edge from its other end, so that a single arrowhead is at the target."""
    back, forth = left == Mark.ARROW, right == Mark.ARROW
    return back if back != forth else source > target


def _look(canvas: Canvas, edge: Edge) -> Look:
    """How an edge looks, by its source or its strength."""
    if canvas.scale is None:
        return Look(source_color(canvas, edge.source))
    norm: Any = canvas.scale.norm
    if norm.vmin == 0:
        share = float(norm(edge.strength))
        return Look(canvas.scale.cmap(share), 0.15 + 0.65 * share)
    # A strong effect can have a mean slope of 0, so that its width shows what its colour cannot.
    if edge.effect is None:
        return Look(GREY, 0.15 + 0.65 * (edge.share or 0.3))
    share = edge.share or abs(edge.effect) / norm.vmax
    return Look(canvas.scale.cmap(norm(edge.effect)), 0.15 + 0.65 * share)


def _mark_patch(
    mark: int, tip: Point, base: Point, size: float, style: dict[str, Any]
) -> Patch | None:
    """Arrowhead, circle or cross between the end of the curve and a base; none for a tail."""
    if mark == Mark.ARROW:
        across = 0.4 * np.array([base[1] - tip[1], tip[0] - base[0]])
        corners = np.array([tip, base + across, base - across])
        return Polygon(corners, facecolor=style["edgecolor"], **style)
    if mark == Mark.CIRCLE:
        return Circle(tuple((tip + base) / 2), size / 2, facecolor="white", **style)
    if mark == Mark.CONFLICT:
        middle, along = (tip + base) / 2, (tip - base) / 2
        across = np.array([along[1], -along[0]])
        arms = middle + np.stack([along + across, -along - across, along - across, across - along])
        return PathPatch(Path(arms, [Path.MOVETO, Path.LINETO] * 2), fill=False, **style)
    return None


def _distances(curve: Curve) -> Float[np.ndarray, "samples"]:
    """Length along a curve from its start to each sample."""
    return np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(curve, axis=0).T))])
