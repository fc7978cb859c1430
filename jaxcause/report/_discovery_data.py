"""The data of a discovery that its page contains: checked, rounded, packed to a bounded size."""

from typing import Any

import numpy as np

from jaxcause._checks import InputError
from jaxcause.graph import Mark, edge_marks
from jaxcause.report._values import finite, number, pack, visible

SCHEMA = "jaxcause.discovery/1"
_MOST_EDGES, _MOST_PACKED = 4_000, 1_500_000
_MOST_CURVES = 500
_NUMBERS = (
    "strength",
    "score",
    "effect",
    "low",
    "high",
    "share",
    "p_value",
    "q_value",
    "on_variance",
)


def check_discovery(discovery: dict[str, Any]) -> None:
    """Raise unless a discovery has the schema of this page and its edges join its variables."""
    schema = discovery.get("schema")
    if schema != SCHEMA:
        raise InputError(f"discovery has schema {schema!r}, but this page shows {SCHEMA!r}")
    names = discovery.get("variables") or ()
    if not names or len(set(names)) < len(names):
        raise InputError("discovery must name its variables, and all names must differ")
    shape = (len(names), len(names), int(discovery["max_lag"]) + 1)
    for edge in discovery["edges"]:
        for end in ("source", "target"):
            if edge[end] not in names:
                raise InputError(f"discovery has an edge of {edge[end]!r}, which is not a variable")
        if not 0 <= edge["lag"] < shape[2]:
            raise InputError(f"discovery has an edge at lag {edge['lag']}, beyond its max_lag")
        if not _is_edge(edge["edge"]):
            raise InputError(
                f"discovery has an edge {edge['edge']!r}; write it as --> or o-> or x-x"
            )
    for link in _candidates(discovery):
        if not {link["source"], link["target"]} <= set(names) or not 0 <= link["lag"] < shape[2]:
            raise InputError("discovery has a candidate that joins none of its variables and lags")
    strength = discovery.get("strength")
    if strength is not None and np.shape(strength) != shape:
        raise InputError(f"strength of the discovery has shape {np.shape(strength)}, not {shape}")
    for curve in _curves(discovery):
        edge = curve.get("edge") or ()
        at, response = (np.shape(curve.get(name) or ()) for name in ("at", "response"))
        inside = len(edge) == 3 and all(0 <= k < n for k, n in zip(edge, shape, strict=True))
        if not inside or at != response or len(at) != 1:
            raise InputError("a curve of the discovery does not fit its variables; write it again")


def discovery_data(discovery: dict[str, Any], *, hidden: bool) -> dict[str, Any]:
    """What the script of the page reads: no NaN, at most four digits, bounded in size.

    Unless causes may be ``hidden``, ``---`` means that the direction is undecided.

    Beyond the bounds, the weakest edges, their curves and the matrices of strengths are left out.
    There is one matrix per lag, in base64: int16 multiples of 1e-4 of the largest strength.
    """
    names = list(discovery["variables"])
    at = {name: i for i, name in enumerate(names)}
    edges = sorted(discovery["edges"], key=lambda edge: -abs(finite(edge.get("strength")) or 0))
    packed = [_edge(edge, at) for edge in edges[:_MOST_EDGES]]
    effects = any(finite(edge.get("effect")) is not None for edge in edges)
    return {
        "labels": [visible(name) for name in names],
        "max_lag": int(discovery["max_lag"]),
        "n": len(edges),
        "e": [value for edge in packed for value in edge],
        "c": [value for link in _candidates(discovery) for value in _candidate(link, at)],
        "effects": effects,
        "variance": any(finite(edge.get("on_variance")) is not None for edge in edges),
        "tests": any(finite(edge.get("p_value")) is not None for edge in edges),
        "curves": _packed_curves(discovery, packed[:_MOST_CURVES]),
        "special": [],
        "none_hidden": not hidden,
        **_matrices(discovery.get("strength")),
    }


def _candidates(discovery: dict[str, Any]) -> list[dict[str, Any]]:
    return list((discovery.get("candidates") or {}).get("links") or ())


def _candidate(link: dict[str, Any], at: dict[str, int]) -> list[Any]:
    """Ends, lag, marks and strength; at lag 0 the direction is open."""
    ends = [at[link["source"]], at[link["target"]], int(link["lag"])]
    marks = (Mark.TAIL, Mark.ARROW) if link["lag"] else (Mark.CIRCLE, Mark.CIRCLE)
    return [*ends, *map(int, marks), number(link.get("strength"))]


def _is_edge(symbol: Any) -> bool:
    """Whether a text is an edge with two marks, such as ``o->``."""
    try:
        return Mark.NONE not in edge_marks(str(symbol))
    except ValueError:
        return False


def _edge(edge: dict[str, Any], at: dict[str, int]) -> list[Any]:
    """Ends, lag, marks, and numbers."""
    left, right = edge_marks(edge["edge"])
    ends = [at[edge["source"]], at[edge["target"]], int(edge["lag"]), int(left), int(right)]
    return [*ends, *(number(edge.get(name)) for name in _NUMBERS)]


def _curves(discovery: dict[str, Any]) -> list[dict[str, Any]]:
    return (discovery.get("effects") or {}).get("curves") or []


def _packed_curves(discovery: dict[str, Any], edges: list[list[Any]]) -> dict[str, Any]:
    """Points of the response curves of some edges, by source, target and lag."""
    kept = {tuple(edge[:3]) for edge in edges}
    return {
        "-".join(map(str, curve["edge"])): [
            [number(value) for value in curve[name]] for name in ("at", "response")
        ]
        for curve in _curves(discovery)
        if tuple(curve["edge"]) in kept
    }


def _matrices(strength: Any) -> dict[str, Any]:
    """Absolute strengths by source and target, one matrix per lag, and the largest of them all."""
    if strength is None or 2 * np.size(strength) > _MOST_PACKED:
        return {"maps": None, "largest": 1.0}
    values = np.abs(np.array(strength, float))
    known = values[np.isfinite(values)]
    largest = float(known.max(initial=0)) or 1.0
    return {"maps": [pack(one / largest) for one in np.moveaxis(values, -1, 0)],
            "largest": float(f"{largest:.6g}")}  # fmt: skip
