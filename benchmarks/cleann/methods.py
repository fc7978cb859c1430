"""CLEANN in all its settings and the other methods, with the same count of model queries."""

import zlib
from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np

from benchmarks.cleann.cases import Case, Oracle, code, in_batches
from jaxcause import attention as path_a
from jaxcause.attention._cleann import tree_distances
from jaxcause.graph import CausalGraph

BUDGETS = (1, 2, 5, 10, 20, 50, 100, 200, 400)
SUBSETS_UP_TO = 4
ORDERS_UP_TO = 12
ROWS = 16
SEEDS = 3
GRAPHS = 64


class Setting(NamedTuple):
    """One way of running CLEANN.

    Args:
        layer: Which layer, from the last one back (-1, -2, …), or None for all of them.
        heads: ``mean`` averages attention over heads first; ``all`` or a tuple of heads searches
            each of them.
        one_sided: Rule of the test.
        alpha: Level of the test.
        n_samples: N of the test; None for the hidden size.
        order: How nodes, or sets of one size, are ordered; see `explain`.
        n_larger: Queries kept for growing sets, as in `cleann`; not with all orders.
    """

    layer: int | None = -1
    heads: str | tuple[int, ...] = "mean"
    one_sided: bool = False
    alpha: float = 0.01
    n_samples: int | None = None
    order: str = "distance"
    n_larger: int = 0


class Outcome(NamedTuple):
    """The first explanation that a method found.

    Args:
        queries: Queries up to it, or all that were asked in vain.
        size: Number of nodes; 0 if nothing was found.
        probability: Of the first output, after the removal.
        rank: Of the new output among the old ones.
    """

    queries: int
    size: int
    probability: float
    rank: float


def graphs(cases: list[Case], setting: Setting, n_samples: int) -> list[np.ndarray]:
    """Marks ``[heads, nodes, nodes]`` of every case, searched in chunks of one shape."""
    width = max(case.attention.shape[-1] for case in cases)
    matrices, masks, heads = [], [], []
    for case in cases:
        chosen = _attention(case, setting)
        room = width - chosen.shape[-1]
        heads.append(len(chosen))
        matrices.append(np.pad(chosen, ((0, 0), (0, room), (0, room))))
        masks.append(np.broadcast_to(np.arange(width) < case.n_nodes, (len(chosen), width)))
    attention, mask = np.concatenate(matrices), np.concatenate(masks)
    marks = []
    for rows, count in in_batches(np.arange(len(attention)), (GRAPHS,)):
        found = path_a.abcd(
            attention[rows],
            setting.n_samples or n_samples,
            alpha=setting.alpha,
            node_mask=mask[rows],
            one_sided=setting.one_sided,
        )
        marks.append(np.asarray(found.graph.marks)[:count])
    return np.split(np.concatenate(marks), np.cumsum(heads)[:-1])


def _attention(case: Case, setting: Setting) -> np.ndarray:
    """Attention matrices ``[graphs, tokens, tokens]`` that a setting searches."""
    attention = case.attention if setting.layer is None else case.attention[[setting.layer]]
    if setting.heads == "mean":
        return attention.mean(axis=1)
    if setting.heads != "all":
        attention = attention[:, list(setting.heads)]
    return attention.reshape(-1, *attention.shape[-2:])


def explain(case: Case, oracle: Oracle, marks: np.ndarray, setting: Setting) -> Outcome:
    """CLEANN in one setting.

    ``distance`` is the order of the paper; ``attention``, ``rollout``, ``correlation``, ``partial``
    and ``consensus`` break its ties. ``mean distance`` sums, over the nodes of a set, the distance
    that the graphs give on average (out of the tree: one more than the farthest), and
    ``mean distance, attention`` the same less the share of the target's attention (1 for the most
    attended token); ``everywhere`` lets sets reach out of the tree, too.

    Graphs may have more nodes than the case, without edges, so that all have one shape.
    """
    n = marks.shape[-1]
    removable = np.pad(case.removable, (0, n - case.n_nodes))
    if setting.order.startswith(("mean distance", "attention × closeness")):
        distance = tree_distances(marks, case.target, None).astype(float)
        share = np.pad(_scores(case, "attention"), (0, n - case.n_nodes)) * removable
        share = share / max(share.max(), 1e-12)
        inside = removable
        if setting.order.startswith("attention"):
            scores = share * _closeness(distance)
        else:
            scores = -np.where(distance > 0, distance, distance.max() + 1).mean(axis=0)
            if "attention" in setting.order:
                scores = scores + share
            if "everywhere" not in setting.order:
                inside = removable & (distance > 0).any(axis=0)
        found = path_a.explain_by_subsets(
            scores, oracle, removable=inside, max_size=SUBSETS_UP_TO, **_limits()
        )
        return outcome(found, oracle)
    weights = None
    if setting.order == "consensus":
        weights = _closeness(tree_distances(marks, case.target, None).astype(float))
    elif setting.order != "distance":
        weights = np.pad(_scores(case, setting.order), (0, n - case.n_nodes))
    graph = CausalGraph(marks[0] if len(marks) == 1 else marks)
    found = path_a.cleann(
        graph,
        case.target,
        oracle,
        max_size=SUBSETS_UP_TO,
        removable=removable,
        weights=weights,
        n_larger=setting.n_larger,
        **_limits(),
    )
    return outcome(found, oracle)


def _closeness(distance: np.ndarray) -> np.ndarray:
    """Mean over the graphs of 1 / distance; 0 outside the tree."""
    return np.where(distance > 0, 1 / np.maximum(distance, 1), 0).mean(axis=0)


def _limits() -> dict[str, int]:
    return {"max_queries": BUDGETS[-1], "batch_size": ROWS}


def _scores(case: Case, name: str) -> np.ndarray:
    last, n = case.attention[-1], case.n_nodes
    if name == "attention":
        scores = path_a.attention_received(last, case.target)
    elif name == "attention received":
        scores = path_a.attention_received(last)
    elif name == "rollout":
        scores = path_a.attention_rollout(case.attention, case.target)
    elif name == "gradient":
        scores = case.gradient
    else:
        corr = path_a.correlation(last.mean(axis=0))[:n, :n]
        if name == "partial":
            corr = path_a.partial_correlations(corr)
        elif name != "correlation":
            raise ValueError(f"no scores are called {name}")
        scores = np.nan_to_num(np.abs(corr[case.target]))
    return np.asarray(scores, float)[:n]


def baselines() -> dict[str, Callable[[Case, Oracle], list[Outcome]]]:
    """The methods other than CLEANN; random ones run with several keys."""

    def in_order(name: str) -> Callable[[Case, Oracle], list[Outcome]]:
        return lambda case, oracle: [_in_order(case, oracle, _scores(case, name))]

    def random_order(case: Case, oracle: Oracle) -> list[Outcome]:
        return [
            _in_order(case, oracle, np.random.default_rng(_seed(case, k)).random(case.n_nodes))
            for k in range(SEEDS)
        ]

    def left_out(case: Case, oracle: Oracle) -> list[Outcome]:
        scores = path_a.leave_one_out(oracle.probability, case.n_nodes)
        return [_in_order(case, oracle, scores, spent=int(case.removable.sum()))]

    def gradient(case: Case, oracle: Oracle) -> list[Outcome]:
        return [_in_order(case, oracle, case.gradient, spent=1)]

    def random_subsets(case: Case, oracle: Oracle) -> list[Outcome]:
        return [_subsets(case, oracle, jax.random.key(_seed(case, k))) for k in range(SEEDS)]

    def by_attention(case: Case, oracle: Oracle) -> list[Outcome]:
        return [_subsets(case, oracle, _scores(case, "attention"))]

    return {
        "random subsets": random_subsets,
        "subsets by attention": by_attention,
        "attention of the target, in order": in_order("attention"),
        "attention received, in order": in_order("attention received"),
        "rollout, in order": in_order("rollout"),
        "input × gradient, in order": gradient,
        "leave one out, in order": left_out,
        "random order": random_order,
    }


def _seed(case: Case, number: int) -> int:
    return zlib.crc32(f"{case.name} {number}".encode())


def _in_order(case: Case, oracle: Oracle, scores: np.ndarray, spent: int = 0) -> Outcome:
    found = path_a.explain_in_order(
        scores,
        oracle,
        removable=case.removable,
        max_size=ORDERS_UP_TO,
        batch_size=ORDERS_UP_TO,
    )
    return outcome(found, oracle, spent)


def _subsets(case: Case, oracle: Oracle, scores: np.ndarray | jax.Array) -> Outcome:
    found = path_a.explain_by_subsets(
        scores,
        oracle,
        n_nodes=case.n_nodes,
        removable=case.removable,
        max_size=SUBSETS_UP_TO,
        **_limits(),
    )
    return outcome(found, oracle)


def outcome(found: path_a.Explanations, oracle: Oracle, spent: int = 0) -> Outcome:
    """The first explanation, with its answers."""
    if not found.found:
        return Outcome(found.n_queries + spent, 0, oracle.case.probability, 0.0)
    first = found.found[0]
    removed = np.zeros(oracle.case.n_nodes, bool)
    removed[list(first.nodes)] = True
    _, probability, rank = oracle.known[code(removed)]
    return Outcome(first.n_queries + spent, len(first.nodes), probability, rank)


def smallest(case: Case, oracle: Oracle, max_size: int) -> int:
    """Size of the smallest existing explanation; 0 if it is larger than the limit."""
    found = path_a.explain_exhaustively(
        case.n_nodes, oracle, max_size=max_size, removable=case.removable, batch_size=64
    )
    return len(found.found[0].nodes) if found.found else 0
