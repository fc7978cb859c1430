"""A graph over nodes: a DAG, CPDAG, MAG or PAG, depending on its marks alone."""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Int, Int8

from jaxcause._checks import InputError, check_square, is_concrete
from jaxcause._namespace import namespace
from jaxcause._pytree import pytree_dataclass, set_field
from jaxcause._typing import AnyArray
from jaxcause.graph import _batch
from jaxcause.graph._marks import Mark, edge_symbol


@pytree_dataclass()
class CausalGraph:
    r"""A mixed graph; leading axes are a batch of graphs.

    ``marks[i, j]`` is the mark at *j* on the edge *i* \*-\* *j*, so ``i → j`` is
    ``marks[i, j] == ARROW`` and ``marks[j, i] == TAIL``.

    Args:
        marks: Whole numbers 0–4 (`Mark`), shape ``[..., nodes, nodes]``.

    Raises:
        InputError: The matrix is not square, holds other values, marks only one end of an edge,
            has a conflict at one end only, or joins a node to itself. Traced arrays are not
            inspected.

    >>> import numpy as np
    >>> CausalGraph(np.array([[0, 2], [3, 0]])).edges(["rain", "river"])
    [('rain', '-->', 'river')]
    """

    marks: Int[AnyArray, "*graphs nodes nodes"]

    def __post_init__(self) -> None:
        """Check the marks and store them as int8."""
        check_square("marks", self.marks)
        if is_concrete(self.marks):
            check_marks(np.asarray(self.marks))
        set_field(self, "marks", stored_marks(self.marks))

    @classmethod
    def from_dag(cls, dag: Bool[AnyArray, "*graphs nodes nodes"]) -> "CausalGraph":
        """Graph with ``i → j`` wherever ``dag[i, j]``."""
        xp = namespace(dag)
        dag = xp.asarray(dag, bool)
        arrows = xp.where(dag, xp.int8(Mark.ARROW), xp.int8(Mark.NONE))
        tails = xp.where(dag.mT, xp.int8(Mark.TAIL), xp.int8(Mark.NONE))
        return cls(arrows + tails)

    @property
    def n_nodes(self) -> int:
        """Number of nodes."""
        return self.marks.shape[-1]

    @property
    def adjacency(self) -> Bool[AnyArray, "*graphs nodes nodes"]:
        """Which pairs are joined by any edge."""
        return self.marks != Mark.NONE

    @property
    def directed(self) -> Bool[AnyArray, "*graphs nodes nodes"]:
        """Entry ``[i, j]``: the edge is ``i → j`` (tail at i, arrowhead at j)."""
        return (self.marks == Mark.ARROW) & (self.marks.mT == Mark.TAIL)

    def __getitem__(self, index: Any) -> "CausalGraph":
        """One graph of a batch, or some.

        Raises:
            InputError: It is one graph.
            IndexError: There are fewer graphs.

        >>> import numpy as np
        >>> CausalGraph(np.zeros((5, 3, 3), int))[0]
        <CausalGraph: 3 nodes, no edges>
        """
        return CausalGraph(_batch.at(self.marks, index, 2))

    def __repr__(self) -> str:
        """The edges in a line."""
        batch = _batch.batch_of(self.marks, 2)
        known = batch == () and is_concrete(self.marks)
        told = [" ".join(edge) for edge in self.edges()] if known else None
        return _batch.one_line(self, 2, "" if batch is None else f"{self.n_nodes} nodes", told)

    def to_networkx(self, *, names: Sequence[str] | None = None) -> Any:
        """The graph as a `networkx.DiGraph`, by `jaxcause.io.to_networkx`.

        >>> import numpy as np
        >>> list(CausalGraph(np.array([[0, 2], [3, 0]])).to_networkx().edges)
        [('X0', 'X1')]
        """
        return _batch.as_networkx(self, names)

    def edges(self, names: Sequence[str] | None = None) -> list[tuple[str, str, str]]:
        """Edges as ``(left, symbol, right)``, arrows written left to right where possible.

        Raises:
            InputError: The graph is a batch (``graph[0].edges()`` lists its first graph), or its
                marks are traced.
        """
        _batch.check_one(self.marks, 2, "edges()")
        marks = np.asarray(self.marks)
        label = list(names) if names is not None else [str(i) for i in range(self.n_nodes)]
        i, j = np.nonzero(marks)
        i, j = i[i < j], j[i < j]
        turned = (marks[j, i] == int(Mark.ARROW)) & (marks[i, j] != int(Mark.ARROW))
        a, b = np.where(turned, j, i), np.where(turned, i, j)
        ends = zip(a.tolist(), marks[b, a].tolist(), marks[a, b].tolist(), b.tolist(), strict=True)
        return [(label[left], edge_symbol(*of), label[right]) for left, *of, right in ends]


def stored_marks(marks: AnyArray) -> Int8[AnyArray, "..."]:
    """Marks as int8: JAX arrays as they are, all others as numpy, which compiles nothing."""
    if isinstance(marks, Array):
        return marks.astype(jnp.int8)
    kept = np.array(marks, np.int8)
    kept.flags.writeable = False
    return kept


def check_codes(marks: np.ndarray) -> None:
    """Raise unless every entry is a `Mark`."""
    if marks.size and (marks.min() < Mark.NONE or marks.max() > Mark.CONFLICT):
        raise InputError(
            "marks holds other values than 0 none, 1 circle, 2 arrow, 3 tail, 4 conflict"
        )


def check_both_ends(one: np.ndarray, other: np.ndarray, remedy: str) -> None:
    """Raise unless the ends of every edge are both marked, and both in conflict or neither."""
    kinds = np.array([0, 1, 1, 1, 2], np.int8)
    differ = np.take(kinds, one) - np.take(kinds, other)
    if not differ.any():
        return
    if ((one == Mark.NONE) != (other == Mark.NONE)).any():
        raise InputError(f"marks has an edge with a mark at one end only; {remedy}")
    if ((one == Mark.CONFLICT) != (other == Mark.CONFLICT)).any():
        raise InputError(f"marks has an edge with a conflict (4) at one end only; {remedy}")


def check_marks(marks: np.ndarray) -> None:
    """Raise unless ``marks`` describes mixed graphs."""
    check_codes(marks)
    check_both_ends(marks, np.swapaxes(marks, -1, -2), "set both [i, j] and [j, i]")
    if np.diagonal(marks, axis1=-2, axis2=-1).any():
        raise InputError("marks joins a node to itself; set the diagonal to 0")
