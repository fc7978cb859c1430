"""Ancestral graphs: what is left of a DAG if some of its variables are not observed."""

import itertools

import numpy as np
from jaxtyping import Bool, Int

from jaxcause._checks import InputError, check_square
from jaxcause._typing import AnyArray
from jaxcause.graph._causal_graph import CausalGraph, check_marks
from jaxcause.graph._marks import Mark


def dag_to_mag(
    dag: Bool[AnyArray, "vars vars"],
    observed: Int[AnyArray, "nodes"] | None = None,
    selected: Int[AnyArray, "selected"] | None = None,
) -> CausalGraph:
    r"""Maximal ancestral graph of the observed variables of a DAG.

    i and j are adjacent iff an inducing path joins them: each collider on it is an ancestor of i, j
    or a selection variable, and each other inner variable is latent. The mark at i on i \*-\* j is
    a tail iff i is an ancestor of j or of a selection variable, and else an arrowhead.

    Args:
        dag: ``dag[i, j]`` says ``i → j``.
        observed: Which variables become nodes, in this order; by default all but the selected.
        selected: Variables that decide which samples are seen, and so are always given. All
            variables named in neither argument are latent.

    Raises:
        InputError: The matrix is not square or has a directed cycle, or a variable is named that
            does not exist or is named twice.

    References:
        Richardson & Spirtes, "Ancestral graph Markov models", Annals of Statistics 2002.

    >>> import numpy as np
    >>> dag = np.zeros((4, 4), bool)
    >>> dag[0, 1] = dag[3, 1] = dag[3, 2] = True  # 0 → 1 ← latent → 2
    >>> dag_to_mag(dag, np.array([0, 1, 2])).edges(["a", "b", "c"])
    [('a', '-->', 'b'), ('b', '<->', 'c')]
    """
    check_square("dag", dag)
    edges = np.asarray(dag, bool)
    ancestors = ancestor_matrix(edges)
    seen, given = name_variables(len(edges), observed, selected)
    of_selected = np.asarray(ancestors[:, given].any(axis=1))
    latent = np.ones(len(edges), bool)
    latent[seen] = latent[given] = False
    marks = np.zeros((len(seen), len(seen)), np.int8)
    for (i, x), (j, y) in itertools.combinations(enumerate(seen.tolist()), 2):
        within = ancestors[:, x] | ancestors[:, y] | of_selected
        if _have_inducing_path(edges, within, latent, x, y):
            marks[j, i] = Mark.TAIL if ancestors[x, y] or of_selected[x] else Mark.ARROW
            marks[i, j] = Mark.TAIL if ancestors[y, x] or of_selected[y] else Mark.ARROW
    return CausalGraph(marks)


def _have_inducing_path(
    edges: Bool[np.ndarray, "vars vars"],
    within: Bool[np.ndarray, "vars"],
    latent: Bool[np.ndarray, "vars"],
    x: int,
    y: int,
) -> bool:
    """Whether latent variables join x and y in the moral graph of the variables ``within``."""
    kept = edges & within[:, None] & within[None, :]
    married = kept.astype(np.float32) @ kept.T.astype(np.float32) > 0
    moral = kept | kept.T | married
    return bool(_spread(moral, moral[x], latent)[y])


def _spread(
    joined: Bool[np.ndarray, "nodes nodes"],
    reached: Bool[np.ndarray, "nodes"],
    through: Bool[np.ndarray, "nodes"],
) -> Bool[np.ndarray, "nodes"]:
    """Grow ``reached`` along the edges ``joined`` that start in ``through``."""
    while True:
        further = reached | joined[reached & through].any(axis=0)
        if (further == reached).all():
            return reached
        reached = further


def name_variables(
    n_vars: int, observed: AnyArray | None, selected: AnyArray | None
) -> tuple[Int[np.ndarray, "nodes"], Int[np.ndarray, "selected"]]:
    """Fill in the observed and the selected variables, and check that they are distinct."""
    given = np.zeros(0, np.int32) if selected is None else np.asarray(selected, np.int32)
    others = np.setdiff1d(np.arange(n_vars, dtype=np.int32), given)
    seen = others if observed is None else np.asarray(observed, np.int32)
    for name, values in (("observed", seen), ("selected", given)):
        wrong = values[(values < 0) | (values >= n_vars)]
        if wrong.size:
            raise InputError(f"{name} names variable {wrong[0]}, but dag has 0 … {n_vars - 1}")
    names, counts = np.unique(np.concatenate([seen, given]), return_counts=True)
    if (counts > 1).any():
        raise InputError(
            f"observed and selected name variable {names[counts > 1][0]} twice; name it once"
        )
    return seen, given


def ancestor_matrix(dag: Bool[np.ndarray, "nodes nodes"]) -> Bool[np.ndarray, "nodes nodes"]:
    """Entry ``[i, j]``: i is j or an ancestor of j.

    Raises:
        InputError: The graph has a directed cycle.
    """
    reach = _directed_paths(dag)
    if reach.diagonal().any():
        raise InputError("dag has a directed cycle; remove one of its edges")
    return reach | np.eye(len(dag), dtype=bool)


def _directed_paths(dag: Bool[np.ndarray, "nodes nodes"]) -> Bool[np.ndarray, "nodes nodes"]:
    reach = dag.copy()
    while True:
        step = reach | (reach.astype(np.float32) @ reach.astype(np.float32) > 0)
        if (step == reach).all():
            return reach
        reach = step


def mag_ancestors(
    name: str, marks: Int[np.ndarray, "nodes nodes"]
) -> Bool[np.ndarray, "nodes nodes"]:
    """Entry ``[i, j]``: a directed path leads from i to j, or i is j, in an ancestral graph.

    In such a graph no arrowhead points at an ancestor of the edge's other end, or at a node that
    has an undirected edge (Richardson & Spirtes 2002, section 3.1).

    Args:
        name: How the caller's argument is called in messages.
        marks: The graph; only arrowheads and tails.

    Raises:
        InputError: The marks are no mixed graph, hold circles or conflicts, or the graph is not
            ancestral.
    """
    check_square(name, marks)
    if marks.ndim != 2:
        raise InputError(f"{name} has shape {marks.shape}, a batch; index one graph first")
    check_marks(marks)
    for mark, what in ((Mark.CIRCLE, "circles"), (Mark.CONFLICT, "conflicts (x-x)")):
        if (marks == mark).any():
            raise InputError(
                f"{name} has {what}; give a graph whose marks are arrowheads and tails"
            )
    arrow, tail = marks == Mark.ARROW, marks == Mark.TAIL
    reach = _directed_paths(arrow & tail.T)
    undirected = (tail & tail.T).any(axis=0)
    wrong = arrow & (reach.T | undirected[None, :])
    if wrong.any():
        i, j = np.argwhere(wrong)[0]
        why = "has an undirected edge" if undirected[j] else f"is an ancestor of {i}"
        raise InputError(
            f"{name} is not ancestral: {i} *-> {j}, yet {j} {why}; change one of these edges"
        )
    return reach | np.eye(len(marks), dtype=bool)


def check_maximal(
    name: str,
    marks: Int[np.ndarray, "nodes nodes"],
    ancestors: Bool[np.ndarray, "nodes nodes"],
) -> None:
    """Raise unless every pair of nodes that no set separates is adjacent.

    Such a pair is joined by an inducing path: all its inner nodes are colliders and ancestors of
    one of its ends (Richardson & Spirtes 2002, section 4.2).
    """
    arrow = marks == Mark.ARROW
    bidirected = arrow & arrow.T
    for x, y in np.argwhere(np.triu(marks == Mark.NONE, 1)):
        colliders = _spread(bidirected, arrow[x], ancestors[:, x] | ancestors[:, y])
        if (colliders & (ancestors[:, x] | ancestors[:, y]) & arrow[y]).any():
            raise InputError(
                f"{name} is not maximal: no set separates {x} and {y}; join them by an edge"
            )
