"""Background knowledge as users write it: checked, and turned into arrays."""

from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from jaxcause._checks import InputError, check_at_least, place_in, tiers_in_order

Pairs = Iterable[Sequence[Any]]
"""Pairs ``(cause, effect)`` of nodes, by number or by name."""


def checked_tiers(given: Any) -> Int[np.ndarray, "nodes"]:
    """Tiers as ranks 0, 1, …, because a tier may be any whole number.

    Raises:
        InputError: They are not one whole number per node.
    """
    is_frame = hasattr(given, "to_numpy") and hasattr(given, "index")
    by_name = is_frame and list(given.index) != list(range(len(given)))
    if isinstance(given, Mapping) or by_name:
        raise InputError(
            "tiers are given by name; write BackgroundKnowledge.named(names, tiers=…), or give one "
            "whole number per node, in order"
        )
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise InputError(f"tiers={given!r} must hold one whole number per node")
    tiers = np.asarray(given) if hasattr(given, "__array__") else np.array(list(given), object)
    if tiers.ndim != 1:
        raise InputError(f"tiers has shape {tiers.shape}; give one whole number per node")
    wrong = [tier for tier in tiers.tolist() if not _is_whole(tier)]
    if wrong:
        raise InputError(f"tiers holds {wrong[0]!r}; a tier is a whole number, such as 0, 1 or 2")
    exact = np.array([int(tier) for tier in tiers.tolist()], object)
    return np.unique(exact, return_inverse=True)[1].astype(np.int32)


def _is_whole(tier: Any) -> bool:
    if isinstance(tier, bool | np.bool_):
        return False
    return isinstance(tier, int | float | np.integer | np.floating) and bool(tier == tier // 1)


def checked_stationary(given: Any, n_nodes: int) -> Int[np.ndarray, "nodes nodes"]:
    """The pair that stands for each pair.

    Raises:
        InputError: An entry names no pair, or pairs that mirror one another do not stand for such
            pairs, or what stands for a pair does not stand for itself.
    """
    value = np.asarray(given)
    if value.shape != (n_nodes, n_nodes):
        raise InputError(
            f"stationary has shape {value.shape}, but must be [nodes, nodes] = {(n_nodes, n_nodes)}"
        )
    last = n_nodes**2 - 1
    if value.dtype.kind not in "iu" or ((value < 0) | (value > last)).any():
        raise InputError(
            f"stationary must hold whole numbers i * n_nodes + j between 0 and {last}, one for the "
            "pair that stands for each pair; BackgroundKnowledge.temporal makes them"
        )
    i, j = np.divmod(value, n_nodes)
    mirrored = (value.T == j * n_nodes + i).all()
    if not mirrored or ((i == j) != np.eye(n_nodes, dtype=bool)).any():
        raise InputError(
            "stationary must be symmetric: where (k, l) stands for (i, j), (l, k) must stand for "
            "(j, i), and no node may be paired with itself; BackgroundKnowledge.temporal makes it"
        )
    if (value.ravel()[value] != value).any():
        raise InputError(
            "stationary names a pair that does not stand for itself; name the pair that stands for "
            "both"
        )
    return value.astype(np.int32)


def read_edges(name: str, given: Any) -> Any:
    """A matrix or pairs as an array; pairs that are written as tuples stay a list.

    Raises:
        InputError: It is neither.
    """
    if given is None or hasattr(given, "__array__"):
        return None if given is None else np.asarray(given)
    rows = _listed(name, given)
    if rows and all(isinstance(row, tuple) and len(row) == 2 for row in rows):
        return rows
    lengths = {len(row) if isinstance(row, Sequence | np.ndarray) else -1 for row in rows}
    if len(lengths) > 1 or lengths == {-1} or any(isinstance(row, str) for row in rows):
        wrong = next((row for row in rows if not _is_pair(row)), rows[0])
        raise InputError(f"{name} holds {wrong!r}; write pairs (cause, effect)")
    try:
        return np.asarray(rows)
    except ValueError:
        raise InputError(f"{name} must be a boolean matrix or pairs (cause, effect)") from None


def _listed(name: str, given: Any) -> list[Any]:
    if given is None:
        return []
    # Views of edges, such as those of networkx, are mappings, too; iterating gives their pairs.
    if isinstance(given, str | MutableMapping) or not isinstance(given, Iterable):
        raise InputError(f"{name}={given!r} must be pairs (cause, effect), such as [(0, 1)]")
    return list(given)


def _is_pair(row: Any) -> bool:
    return isinstance(row, Sequence | np.ndarray) and not isinstance(row, str) and len(row) == 2


def number_of_nodes(tiers: Any, matrices: Mapping[str, Any]) -> int:
    """Number of nodes that knowledge is about.

    Raises:
        InputError: Nothing is given, or pairs alone, which do not say it.
    """
    if tiers is not None:
        return len(tiers)
    given = {name: value for name, value in matrices.items() if value is not None}
    if not given:
        raise InputError("BackgroundKnowledge needs tiers, forbidden, required or stationary")
    for name, value in given.items():
        if name == "stationary" or not _holds_pairs(value):
            return len(value)
    raise InputError(
        f"{next(iter(given))} holds pairs, which do not say how many nodes there are; write "
        "BackgroundKnowledge.named(n_nodes, …) or pass a boolean matrix [nodes, nodes]"
    )


def checked_edges(name: str, given: Any, n_nodes: int) -> Bool[np.ndarray, "nodes nodes"]:
    """A boolean matrix ``[cause, effect]``, from what `read_edges` gives.

    Raises:
        InputError: It is neither a matrix nor pairs, has another size, names a node that does not
            exist, or may be read both ways.
    """
    if given is None:
        return np.zeros((n_nodes, n_nodes), bool)
    if _holds_pairs(given):
        pairs = given if isinstance(given, list) else given.reshape(-1, 2).tolist()
        edges = edges_of_pairs(name, pairs, range(n_nodes))
        if isinstance(given, list) or not given.shape == edges.shape == (2, 2):
            return edges
        if np.isin(given, (0, 1)).all() and (given.astype(bool) != edges).any():
            raise InputError(
                f"{name}={given.tolist()} may be a matrix or two pairs; give a matrix with "
                "dtype=bool, and pairs as tuples, such as [(0, 1)]"
            )
        return edges
    if given.shape != (n_nodes, n_nodes):
        raise InputError(
            f"{name} has shape {given.shape}, but must be [nodes, nodes] = {(n_nodes, n_nodes)}"
        )
    if given.dtype != bool and not np.isin(given, (0, 1)).all():
        raise InputError(f"{name} must be a boolean matrix or pairs (cause, effect)")
    return given.astype(bool)


def _holds_pairs(value: Any) -> bool:
    """Whether what was read holds pairs rather than a boolean matrix."""
    if isinstance(value, list):
        return True
    if value.dtype != bool and value.size == 0:
        return True
    return value.dtype.kind in "iuUO" and value.ndim == 2 and value.shape[1] == 2


def edges_of_pairs(
    argument: str, pairs: Pairs | None, nodes: Sequence[Any]
) -> Bool[np.ndarray, "nodes nodes"]:
    """A boolean matrix ``[cause, effect]`` from pairs of nodes, by number or by name.

    Raises:
        InputError: Something is no pair, or names a node that does not exist.
    """
    edges = np.zeros((len(nodes), len(nodes)), bool)
    for pair in _listed(argument, pairs):
        if not _is_pair(pair):
            raise InputError(f"{argument} holds {pair!r}; write pairs (cause, effect)")
        edges[tuple(node_number(argument, node, nodes) for node in pair)] = True
    return edges


def checked_nodes(names: Any) -> Sequence[Any]:
    """The nodes of `BackgroundKnowledge.named`: their names, or their numbers.

    Raises:
        InputError: It is neither, or a name comes twice.
    """
    if isinstance(names, int | np.integer):
        check_at_least("names", names, 0)
        return range(int(names))
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise InputError(f"names={names!r} must be a list of names, or how many nodes there are")
    nodes = list(names)
    twice = next((node for k, node in enumerate(nodes) if node in nodes[:k]), None)
    if twice is not None:
        raise InputError(f"names holds {twice!r} twice; give each node a name of its own")
    return nodes


def tiers_by_node(tiers: Any, nodes: Sequence[Any]) -> list[Any]:
    """The tier of each node, in order, from tiers by name or number.

    Raises:
        InputError: A node is unknown, has no tier, or has two.
    """
    if not (isinstance(tiers, Mapping) or hasattr(tiers, "to_numpy")):
        raise InputError(
            f"tiers={tiers!r} must give each node a tier by name; write "
            "tiers=dict(zip(names, tiers)), or BackgroundKnowledge(tiers=tiers)"
        )
    return tiers_in_order(tiers, nodes, lambda node: node_number("tiers", node, nodes))


def node_number(argument: str, node: Any, nodes: Sequence[Any]) -> int:
    """Number of a node that is given by its name or its number.

    Raises:
        InputError: There is no such node.
    """
    place = place_in(nodes, node)
    if place is not None:
        return place
    if isinstance(nodes, range) and isinstance(node, str):
        raise InputError(
            f"{argument} names {node!r}, but nodes are numbers here; write "
            f"BackgroundKnowledge.named(names, {argument}=…)"
        )
    known = f"0 … {len(nodes) - 1}" if isinstance(nodes, range) else ", ".join(map(str, nodes))
    raise InputError(f"{argument} names {node!r}, but the nodes are {known}")


def check_required_edges(
    required: Bool[np.ndarray, "nodes nodes"],
    forbidden: Bool[np.ndarray, "nodes nodes"],
    tiers: Int[np.ndarray, "nodes"],
    nodes: Sequence[Any],
) -> None:
    """Refuse required edges that other knowledge rules out, or that form a cycle.

    Raises:
        InputError: There are such edges.
    """
    clash = np.argwhere(required & (forbidden | (tiers[:, None] > tiers)))
    if len(clash):
        i, j = clash[0]
        raise InputError(
            f"required edge {nodes[i]} → {nodes[j]} is forbidden or runs against tiers; drop one"
        )
    cycle = _cycle(required)
    if cycle:
        edges = " → ".join(str(nodes[k]) for k in (*cycle, cycle[0]))
        raise InputError(f"required edges form a cycle, {edges}; drop one of them")


def _cycle(edges: np.ndarray) -> list[int]:
    """Nodes of a directed cycle in its order; none if there is none."""
    alive = np.ones(len(edges), bool)
    while alive.any():
        sources = alive & ~edges[alive].any(axis=0)
        if not sources.any():
            # Each node that is left has a parent among them: going back meets a node again.
            walked = [int(np.argmax(alive))]
            while True:
                parent = int(np.argmax(edges[:, walked[-1]] & alive))
                if parent in walked:
                    return walked[walked.index(parent) :][::-1]
                walked.append(parent)
        alive &= ~sources
    return []
