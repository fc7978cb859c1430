"""``jaxcause plot``: a picture of a graph."""

import argparse
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxcause._errors import InputError
from jaxcause.cli._output import report
from jaxcause.cli._parser import Commands, add_command, add_mutual, add_output, whole

if TYPE_CHECKING:
    import numpy as np

    from jaxcause.graph import LaggedGraph

MAX_PIXELS = 10**8
"""A pixel takes four bytes in memory, twice while the file is written."""

MOST_PAIRS, MOST_EDGES = 200_000, 1_000
"""Size up to which graphs are drawn; nobody could read more."""

KINDS = ("time", "summary", "scores", "curves", "responses")


def add(commands: Commands) -> None:
    """Add the command."""
    command = add_command(
        commands,
        "plot",
        _plot,
        brief="draw a graph",
        description="Draw a graph from a file of jaxcause or another program.",
        examples=(
            "jaxcause plot rivers-graph --out rivers.png",
            "jaxcause plot rivers.graphml --kind summary --out rivers.svg",
            "jaxcause plot rivers-graph --kind scores --out scores.pdf",
            "jaxcause plot rivers-graph --kind responses --no-self-edges --out effects.png",
            "jaxcause plot rivers-graph --truth truth.json --out hits.png",
        ),
    )
    add = command.add_argument
    add(
        "graph",
        metavar="GRAPH",
        type=Path,
        help="a file, or a folder of jaxcause discover or explain",
    )
    add(
        "--out",
        type=Path,
        required=True,
        metavar="FILE",
        help="the picture; its suffix determines the format, such as .png, .svg or .pdf",
    )
    add(
        "--kind",
        choices=KINDS,
        help="picture of a graph with lags: edges in time (default), the summary graph, or for a "
        "folder of discover all strengths as a heat map, all scores as curves, or the forecast of "
        "each target along the range of its source (responses)",
    )
    add(
        "--self-edges",
        action=argparse.BooleanOptionalAction,
        help="draw edges from a variable to itself (default: in graphs of up to 12 variables, in "
        "curves and responses after the others)",
    )
    add("--truth", type=Path, metavar="GRAPH", help="known graph, to mark hits and errors")
    add("--dpi", type=whole(20), default=150, help="dots per inch of a .png (default: 150)")
    add_mutual(command)
    add_output(command)


def _plot(arguments: argparse.Namespace) -> int:
    figure = _draw(arguments).get_figure(root=True)
    known = sorted(figure.canvas.get_supported_filetypes())
    form = arguments.out.suffix.lstrip(".").lower()
    if form not in known:
        raise InputError(
            f"--out {arguments.out} has no suffix of a picture; choose one of {', '.join(known)}"
        )
    width, height = map(int, figure.get_size_inches() * arguments.dpi)
    if width * height > MAX_PIXELS:
        raise InputError(
            f"--dpi {arguments.dpi} makes a picture of {width:,} by {height:,} pixels, but at most "
            f"{MAX_PIXELS:,} altogether are drawn; choose fewer dots per inch"
        )
    from jaxcause.io._files import write_whole

    picture = io.BytesIO()
    figure.savefig(picture, format=form, dpi=arguments.dpi, bbox_inches="tight")
    write_whole(arguments.out, picture.getvalue())
    report(arguments, [f"Wrote {arguments.out}"], {"command": "plot", "out": arguments.out})
    return 0


def _check_names(names: Sequence[str], arguments: argparse.Namespace) -> None:
    """Raise if a name holds a character that no picture can show, and some formats cannot hold."""
    for name in names:
        if any(character < " " or character == "\x7f" for character in name if character != "\n"):
            raise InputError(
                f"{arguments.graph} has the name {name!r} with a control character, which cannot "
                "be drawn; rename that variable"
            )


def _draw(arguments: argparse.Namespace) -> Any:
    """The Axes of the picture."""
    from jaxcause.cli._distance import same_lags
    from jaxcause.cli._graphs import check_size, effects, numbers, read, read_alike

    kind = arguments.kind
    if arguments.truth is not None and kind not in (None, "time"):
        raise InputError(f"--truth is not for --kind {kind}; leave one of them out")
    if arguments.truth is not None and arguments.self_edges is not None:
        raise InputError("--self-edges is not for --truth, which draws every edge; leave it out")
    graph, names = read(arguments.graph, mutual=arguments.mutual)
    check_size(graph, arguments.graph, "drawn", MOST_PAIRS, MOST_EDGES)
    _check_names(names, arguments)
    import matplotlib as mpl

    mpl.use("agg")
    from jaxcause import plot
    from jaxcause.graph import LaggedGraph

    if arguments.truth is not None:
        truth = read_alike(arguments.truth, graph, names, mutual=arguments.mutual)
        return plot.truth_overlay(*same_lags(graph, truth), names=names)
    if not isinstance(graph, LaggedGraph):
        if kind is not None:
            raise InputError(f"--kind {kind} is for graphs with lags; leave it out")
        return plot.causal_graph(graph, names=names)
    stored = numbers(arguments.graph, graph, names) | effects(arguments.graph, graph)
    return _draw_lagged(graph, names, stored, kind, self_edges=arguments.self_edges)


def _draw_lagged(
    graph: "LaggedGraph",
    names: list[str],
    stored: "dict[str, np.ndarray]",
    kind: str | None,
    *,
    self_edges: bool | None,
) -> Any:
    """The Axes of a picture of a graph with lags, and of the numbers beside it."""
    from jaxcause import plot

    strength = stored.get("strength")
    if kind in ("scores", "curves", "responses") and strength is None:
        raise InputError(f"--kind {kind} needs the scores in a folder of jaxcause discover")
    if kind == "curves":
        shown = {"self_edges": self_edges is not False, "label": "score"}
        return plot.score_curves(stored["scores"], names=names, graph=graph, **shown)
    if kind == "scores":
        assert strength is not None
        return plot.score_heatmap(strength, names=names, graph=graph, label="strength")
    if kind == "responses":
        return _draw_responses(names, stored, self_edges=self_edges)
    draw = plot.summary_graph if kind == "summary" else plot.time_series_graph
    effect = stored.get("effect")
    return draw(graph, names=names, strength=strength, effect=effect, self_edges=self_edges)


def _draw_responses(
    names: list[str], stored: "dict[str, np.ndarray]", *, self_edges: bool | None
) -> Any:
    """Response curves, the strongest edges first."""
    import numpy as np

    from jaxcause import plot
    from jaxcause.cli._graphs import CURVES

    edges = stored.get("curve_edges", np.zeros((0, 3), int))
    order = np.argsort(-stored["strength"][tuple(edges.T.astype(int))], kind="stable")
    if self_edges is False:
        order = order[edges[order, 0] != edges[order, 1]]
    if not len(order):
        raise InputError(
            "--kind responses needs edges whose effects are known; this folder holds none, so "
            "discover again or leave --no-self-edges out"
        )
    return plot.response_curves(*(stored[name][order] for name in CURVES), names=names)
