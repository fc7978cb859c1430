"""The data of an explanation that its page contains: checked, rounded, of bounded size."""

from typing import Any

from jaxcause._checks import InputError
from jaxcause.report._values import finite, number, pack, visible

SCHEMA = "jaxcause.explanation/1"
_MARKS = {"circle": 1, "arrow": 2, "tail": 3, "conflict": 4}
_MATRICES = {"a": "attention", "c": "correlation", "r": "partial_correlation"}
_MOST_EDGES, _MOST_PACKED, _MOST_CONSENSUS = 60_000, 1_200_000, 300


def check_explanation(explanation: dict[str, Any]) -> None:
    """Raise unless an explanation has the schema of this page and its nodes are tokens."""
    schema = explanation.get("schema")
    if schema != SCHEMA:
        raise InputError(f"explanation has schema {schema!r}, but this page shows {SCHEMA!r}")
    n_nodes = len(explanation.get("tokens") or ())
    if n_nodes == 0:
        raise InputError("explanation has no tokens; give at least one")
    nodes = [node for found in explanation.get("explanations") or () for node in found["nodes"]]
    target = (explanation.get("target") or {}).get("node")
    nodes += [] if target is None else [target]
    for view in explanation.get("views") or ():
        nodes += [edge[end] for edge in view["edges"] for end in ("from", "to")]
        for name in _MATRICES.values():
            _check_matrix(f"{name} of view {view.get('name')!r}", view.get(name), n_nodes)
    _check_matrix("consensus", explanation.get("consensus"), n_nodes)
    for node in nodes:
        if not 0 <= node < n_nodes:
            raise InputError(
                f"explanation names node {node}, but its tokens are 0 to {n_nodes - 1}"
            )


def page_data(explanation: dict[str, Any]) -> dict[str, Any]:
    """What the script of the page reads: no NaN, at most four digits, bounded in size.

    Matrices are int16 multiples of 1e-4 in base64. Beyond the bounds, the weakest edges and the
    matrices of the last views are left out.
    """
    views = list(explanation.get("views") or ())
    n_nodes, room = len(explanation["tokens"]), _MOST_PACKED
    most_edges = _MOST_EDGES // max(len(views), 1)
    packed = []
    for view in views:
        entry = _view(view, most_edges)
        if 2 * 3 * n_nodes**2 <= room:
            entry |= {key: pack(view.get(name)) for key, name in _MATRICES.items()}
            room -= sum(len(entry[key] or "") for key in _MATRICES) * 3 // 4
        packed.append(entry)
    kinds = list(explanation.get("node_kinds") or ())
    special = [int(kind == "special") for kind in kinds] + [0] * (n_nodes - len(kinds))
    consensus = explanation.get("consensus")
    if consensus is not None:
        counts = [[number(value) for value in row] for row in consensus]
        consensus = counts if n_nodes <= _MOST_CONSENSUS else None
    target = (explanation.get("target") or {}).get("node")
    found = explanation.get("explanations") or ()
    return {
        "labels": [visible(token) for token in explanation["tokens"]],
        "special": special[:n_nodes],
        "target": None if target is None else int(target),
        "views": packed,
        "consensus": consensus,
        "heads": _n_heads(explanation, len(views)),
        "explanations": [[int(node) for node in one["nodes"]] for one in found],
    }


def _check_matrix(name: str, matrix: Any, n_nodes: int) -> None:
    """Raise unless a matrix is absent or has one row and one column per node."""
    if matrix is not None and [len(row) for row in matrix] != [n_nodes] * n_nodes:
        raise InputError(f"{name} must have {n_nodes} rows of {n_nodes} values, one per token")


def _view(view: dict[str, Any], most_edges: int) -> dict[str, Any]:
    """Name, figures and edges of a view."""
    edges = [_edge(edge) for edge in view["edges"]]
    kept = sorted(edges, key=lambda edge: -abs(edge[4] or 0))[:most_edges]
    return {
        "name": visible(view.get("name", "view")),
        "confidence": number(view.get("confidence")),
        "singular": bool(view.get("singular")),
        "n": len(edges),
        "e": [value for edge in kept for value in edge],
        **dict.fromkeys(_MATRICES),
    }


def _edge(edge: dict[str, Any]) -> list[Any]:
    """Ends, marks, partial correlation in units of 1e-4, p-value of two digits."""
    for end in ("mark_from", "mark_to"):
        if edge[end] not in _MARKS:
            raise InputError(
                f"{end}={edge[end]!r} is not a mark; write circle, arrow, tail or conflict"
            )
    size, p_value = finite(edge.get("partial_correlation")), finite(edge.get("p_value"))
    return [
        int(edge["from"]),
        int(edge["to"]),
        _MARKS[edge["mark_from"]],
        _MARKS[edge["mark_to"]],
        None if size is None else round(size * 1e4),
        None if p_value is None else float(f"{p_value:.1e}"),
    ]


def _n_heads(explanation: dict[str, Any], n_views: int) -> int:
    """Number of heads among which the consensus counts."""
    counted = explanation.get("consensus_of")
    return int(counted or (explanation.get("model") or {}).get("n_heads") or n_views)
