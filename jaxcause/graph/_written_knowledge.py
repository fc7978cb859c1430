"""Background knowledge as users write it: checked, and turned into arrays."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from jaxcause._checks import InputError

Pairs = Iterable[Sequence[Any]]
"""Pairs ``(cause, effect)`` of nodes, by number or by name."""


def checked_tiers(given: Any) -> Int[np.ndarray, "nodes"]:
    """Tiers as whole numbers.

    Raises:
        InputError: They are not one whole number per node.
    """
    tiers = np.asarray(given)
    if tiers.ndim != 1:
        raise InputError(f"tiers has shape {tiers.shape}; give one whole number per node")
    whole = tiers.dtype.kind in "iu"
    if tiers.dtype.kind == "f":
        whole = bool((np.isfinite(tiers) & (tiers == np.round(tiers))).all())
    if not whole:
        wrong = next((t for t in tiers.tolist() if not _is_whole(t)), tiers.dtype)
        raise InputError(f"tiers holds {wrong!r}; a tier is a whole number, such as 0, 1 or 2")
    return tiers.astype(np.int32)


def _is_whole(tier: Any) -> bool:
    return not isinstance(tier, bool) and isinstance(tier, int | float) and tier == tier // 1


def number_of_nodes(tiers: Any, matrices: Mapping[str, Any]) -> int:
    """Number of nodes that knowledge is about.

    Raises:
        InputError: Nothing is given, or pairs alone, which do not say it.
    """
    if tiers is not None:
        return len(tiers)
    given = {name: np.asarray(value) for name, value in matrices.items() if value is not None}
    if not given:
        raise InputError("BackgroundKnowledge needs tiers, forbidden, required or stationary")
    for value in given.values():
        if not _holds_pairs(value):
            return len(value)
    raise InputError(
        f"{next(iter(given))} holds pairs, which do not say how many nodes there are; write "
        "BackgroundKnowledge.named(n_nodes, …) or pass a boolean matrix [nodes, nodes]"
    )


def checked_edges(name: str, given: Any, n_nodes: int) -> Bool[np.ndarray, "nodes nodes"]:
    """A boolean matrix ``[cause, effect]``, from such a matrix or from pairs of numbers.

    Raises:
        InputError: It is neither, has another size, or names a node that does not exist.
    """
    if given is None:
        return np.zeros((n_nodes, n_nodes), bool)
    value = np.asarray(given)
    if _holds_pairs(value):
        return edges_of_pairs(name, value.reshape(-1, 2).tolist(), range(n_nodes))
    if value.shape != (n_nodes, n_nodes):
        raise InputError(
            f"{name} has shape {value.shape}, but must be [nodes, nodes] = {(n_nodes, n_nodes)}"
        )
    if value.dtype != bool and not np.isin(value, (0, 1)).all():
        raise InputError(f"{name} must be a boolean matrix or pairs (cause, effect)")
    return value.astype(bool)


def _holds_pairs(value: np.ndarray) -> bool:
    """Whether an array holds pairs of numbers rather than a boolean matrix."""
    return value.dtype.kind in "iu" and value.ndim == 2 and value.shape[1] == 2 or value.size == 0


def edges_of_pairs(
    argument: str, pairs: Pairs, nodes: Sequence[Any]
) -> Bool[np.ndarray, "nodes nodes"]:
    """A boolean matrix ``[cause, effect]`` from pairs of nodes, by number or by name.

    Raises:
        InputError: Something is no pair, or names a node that does not exist.
    """
    edges = np.zeros((len(nodes), len(nodes)), bool)
    for pair in pairs:
        if isinstance(pair, str) or len(pair) != 2:
            raise InputError(f"{argument} holds {pair!r}; write pairs (cause, effect)")
        edges[tuple(node_number(argument, node, nodes) for node in pair)] = True
    return edges


def node_number(argument: str, node: Any, nodes: Sequence[Any]) -> int:
    """Number of a node that is given by its name or its number.

    Raises:
        InputError: There is no such node.
    """
    if node in nodes:
        return list(nodes).index(node)
    if isinstance(node, int | np.integer) and 0 <= node < len(nodes):
        return int(node)
    known = f"0 … {len(nodes) - 1}" if isinstance(nodes, range) else ", ".join(map(str, nodes))
    raise InputError(f"{argument} names {node!r}, but the nodes are {known}")
