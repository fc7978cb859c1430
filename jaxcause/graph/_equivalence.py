"""Equivalence classes built from the known graph, without any test: the search's reference."""

import numpy as np
from jaxtyping import Bool

from jaxcause._checks import check_square
from jaxcause._typing import AnyArray
from jaxcause.graph._causal_graph import CausalGraph
from jaxcause.graph._marks import Mark
from jaxcause.graph._separation import ancestor_matrix


def dag_to_cpdag(dag: Bool[AnyArray, "nodes nodes"]) -> CausalGraph:
    """CPDAG of a DAG by labelling its edges compelled or reversible (Chickering 1995).

    It uses neither separating sets nor Meek's rules, so it checks both.

    Args:
        dag: ``dag[i, j]`` says ``i → j``.

    Raises:
        InputError: The matrix is not square, or has a directed cycle.

    >>> import numpy as np
    >>> collider = np.array([[0, 0, 1], [0, 0, 1], [0, 0, 0]], bool)
    >>> dag_to_cpdag(collider).edges(["a", "b", "c"])
    [('a', '-->', 'c'), ('b', '-->', 'c')]
    """
    check_square("dag", dag)
    edges = np.asarray(dag, bool)
    position = np.argsort(np.argsort(ancestor_matrix(edges).sum(axis=0), kind="stable"))
    ordered = sorted(np.argwhere(edges).tolist(), key=lambda e: (position[e[1]], -position[e[0]]))
    compelled: dict[tuple[int, int], bool] = {}
    for x, y in ordered:
        if (x, y) not in compelled:
            _label_into(edges, x, y, compelled)
    marks = np.zeros(edges.shape, np.int8)
    for (x, y), is_compelled in compelled.items():
        marks[x, y] = Mark.ARROW if is_compelled else Mark.TAIL
        marks[y, x] = Mark.TAIL
    return CausalGraph(marks)


def _label_into(edges: np.ndarray, x: int, y: int, compelled: dict[tuple[int, int], bool]) -> None:
    """Label the edge x → y and, where it decides them, the other edges into y."""
    parents = [int(p) for p in np.nonzero(edges[:, y])[0]]
    for w in np.nonzero(edges[:, x])[0].tolist():
        if not compelled[w, x]:
            continue
        if not edges[w, y]:
            compelled.update({(p, y): True for p in parents})
            return
        compelled[w, y] = True
    unknown = [p for p in parents if (p, y) not in compelled]
    status = any(p != x and not edges[p, x] for p in parents)
    compelled.update({(p, y): status for p in unknown})
