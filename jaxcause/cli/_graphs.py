"""Reading graphs that are named on the command line."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from jaxcause._checks import limit
from jaxcause._errors import InputError

if TYPE_CHECKING:
    from jaxcause.graph import CausalGraph, LaggedGraph
    from jaxcause.io import NamedGraph

FILE = "graph.json"
EXPLANATIONS = "explanation*.json"
SCORES = "scores.npz"
NUMBERS = ("scores", "strength")
CURVES = ("curve_edges", "curve_at", "curve_response")


def read(path: Path, *, mutual: str = "refuse") -> "tuple[LaggedGraph | CausalGraph, list[str]]":
    """A graph and the names of its variables; a folder stands for the graph in it."""
    graph, names = read_named(path, mutual=mutual)
    return graph, names


def read_named(
    path: Path,
    *,
    names: Sequence[str] | None = None,
    max_lag: int | None = None,
    mutual: str = "refuse",
) -> "NamedGraph":
    """A graph and its names, with the numbers of its edges."""
    file = _file_in(path) if path.is_dir() else path
    if _is_explanation(file) and names is None and max_lag is None:
        from jaxcause.workflows._explain.document import read_explained_graph

        return read_explained_graph(file)
    from jaxcause.io import read_graph

    return read_graph(file, names=names, max_lag=max_lag, mutual=mutual)


def check_size(
    graph: "LaggedGraph | CausalGraph", path: Path, done: str, most_cells: int, most_edges: int
) -> None:
    """Raise if a graph is too large for a command, before it begins.

    Args:
        graph: The graph.
        path: Its file.
        done: What the command does with it, such as ``"drawn"``.
        most_cells: How many pairs of variables, at all lags, it takes at most.
        most_edges: How many edges.

    Raises:
        InputError: It is too large; the message says which variable of the environment raises it.
    """
    name = done.upper()
    cells = int(np.prod(np.shape(graph.marks)[:3]))
    for what, size, most in (
        ("pairs", cells, limit(f"{done}_pairs", most_cells)),
        ("edges", n_edges(graph), limit(f"{done}_edges", most_edges)),
    ):
        if size > most:
            shown = "pairs of variables and lags" if what == "pairs" else "edges"
            raise InputError(
                f"{path} has {size:,} {shown}, but at most {most:,} are {done}; leave weak edges "
                f"and variables out, or set JAXCAUSE_MAX_{name}_{what.upper()} higher"
            )


def _file_in(folder: Path) -> Path:
    """The file that a folder stands for."""
    if (folder / FILE).exists():
        return folder / FILE
    found = sorted(folder.glob(EXPLANATIONS))
    if len(found) > 1:
        raise InputError(f"{folder} holds {len(found)} explanations; name one, such as {found[0]}")
    if found:
        return found[0]
    raise InputError(
        f"{folder} holds neither {FILE} nor an explanation; name a file, or a folder that "
        "jaxcause wrote"
    )


def _is_explanation(file: Path) -> bool:
    """Whether the file begins like one that ``jaxcause explain`` wrote."""
    if not file.is_file():
        # A pipe would wait for ever; the reader says what is wrong.
        return False
    try:
        with file.open("rb") as opened:
            return b'"jaxcause.explanation/' in opened.read(64)
    except OSError:
        return False


def numbers(
    path: Path, graph: "LaggedGraph | CausalGraph", names: Sequence[str]
) -> dict[str, np.ndarray]:
    """``scores`` and ``strength`` of every candidate, if a folder of discover holds them."""
    file = path / SCORES
    if not file.is_file():
        return {}
    shape = graph.marks.shape[:3]
    from jaxcause.io._archive import read_arrays

    arrays = read_arrays(file)
    absent = [name for name in ("names", *NUMBERS) if name not in arrays]
    if absent:
        raise InputError(f"{file} lacks the array {absent[0]!r}; discover the graph again")
    if arrays["names"].tolist() != list(names):
        raise InputError(f"{file} and {FILE} beside it have other variables; discover again")
    for name in NUMBERS:
        array = arrays[name]
        if array.shape != shape or array.dtype.kind != "f":
            raise InputError(
                f"{file}: {name} holds {array.dtype} of shape {array.shape}, but {FILE} beside it "
                f"needs numbers of shape {shape}; discover the graph again"
            )
    return {name: arrays[name] for name in NUMBERS}


def effects(path: Path, graph: "LaggedGraph") -> dict[str, np.ndarray]:
    """``effect`` in standard deviations and response curves, if a folder of discover holds them."""
    file, shape = path / SCORES, graph.marks.shape[:3]
    if not file.is_file():
        return {}
    from jaxcause.io._archive import read_arrays

    arrays = read_arrays(file)
    if "effect" not in arrays or "deviation" not in arrays:
        return {}
    effect, deviation = arrays["effect"], arrays["deviation"]
    found = {name: arrays[name] for name in CURVES if name in arrays}
    parts = [effect, deviation, *found.values()]
    edges, at, response = (found.get(name, np.zeros((0, 3))) for name in CURVES)
    fits = effect.shape == shape and deviation.shape == shape[:1]
    fits &= all(part.dtype.kind in "iuf" for part in parts)
    fits &= edges.ndim == 2 and edges.shape[1:] == (3,) and (at.size == 0 or at.ndim == 2)
    fits &= at.shape == response.shape and (at.ndim != 2 or len(at) == len(edges))
    if not fits or (edges < 0).any() or (edges >= np.array(shape)).any():
        raise InputError(f"{file}: its effects do not fit {FILE} beside it; discover again")
    with np.errstate(invalid="ignore", divide="ignore"):
        standardised = effect * (deviation[:, None] / deviation)[:, :, None]
    return {"effect": standardised, **found}


def read_alike(
    path: Path,
    like: "LaggedGraph | CausalGraph",
    names: Sequence[str],
    *,
    mutual: str = "refuse",
) -> "LaggedGraph | CausalGraph":
    """Read a graph of the same kind and variables as another, with its variables in that order.

    The longest lags of the two graphs may differ.
    """
    graph, own = read(path, mutual=mutual)
    if type(graph) is not type(like):
        raise InputError(
            f"{path} holds a {type(graph).__name__} and the other a {type(like).__name__}; "
            "compare graphs of one kind"
        )
    if sorted(own) != sorted(names):
        odd = sorted(set(own) ^ set(names))
        raise InputError(
            f"{path} has other variables than the other graph ({', '.join(odd[:5])} "
            "only in one of them); rename or leave them out"
        )
    at = {name: k for k, name in enumerate(own)}
    order = np.array([at[name] for name in names])
    return type(graph)(np.asarray(graph.marks)[np.ix_(order, order)])


def n_edges(graph: "LaggedGraph | CausalGraph") -> int:
    """Number of edges; a contemporaneous edge counts once."""
    adjacent = np.asarray(graph.adjacency)
    if adjacent.ndim == 2:
        return int(adjacent.sum()) // 2
    return int(adjacent.sum()) - int(adjacent[:, :, 0].sum()) // 2
