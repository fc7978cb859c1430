"""The graph of a multivariate time series: edges between lagged variables."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Int

from jaxcause._checks import InputError, checked_flags, is_concrete
from jaxcause._namespace import namespace
from jaxcause._pytree import pytree_dataclass, set_field
from jaxcause._typing import AnyArray
from jaxcause.graph import _batch
from jaxcause.graph._causal_graph import CausalGraph, check_both_ends, check_codes, stored_marks
from jaxcause.graph._marks import Mark, edge_symbol


@pytree_dataclass()
class LaggedGraph:
    r"""A stationary time-series graph.

    ``marks[i, j, lag]`` holds the two marks of the edge ``X_i(t-lag) *-* X_j(t)``: ``[..., 0]`` at
    ``X_i``, ``[..., 1]`` at ``X_j``. Lag 0 is contemporaneous and stands twice, once from each end.

    Args:
        marks: Whole numbers 0–4 (`Mark`), shape ``[vars, vars, max_lag+1, 2]``.

    Raises:
        InputError: The shape or a value is wrong, an edge has one mark only or a conflict at one
            end only, a variable is joined to itself at lag 0, or the two entries of a
            contemporaneous edge disagree.

    >>> import numpy as np
    >>> mask = np.zeros((2, 2, 3), bool); mask[0, 1, 2] = True
    >>> LaggedGraph.from_mask(mask).edges(["rain", "river"])
    [('rain', 2, '-->', 'river')]
    """

    marks: Int[AnyArray, "vars vars lags 2"]

    def __post_init__(self) -> None:
        """Check the marks and store them as int8."""
        shape = np.shape(self.marks)
        if len(shape) != 4 or shape[0] != shape[1] or shape[3] != 2:
            raise InputError(f"marks has shape {shape}, but must be [vars, vars, max_lag+1, 2]")
        if is_concrete(self.marks):
            _check_lagged_marks(np.asarray(self.marks))
        set_field(self, "marks", stored_marks(self.marks))

    @classmethod
    def from_mask(cls, mask: Bool[AnyArray, "vars vars lags"]) -> "LaggedGraph":
        """Graph with ``X_i(t-lag) → X_j(t)`` wherever ``mask[i, j, lag]``; lag 0 must be empty."""
        ends = np.array([Mark.TAIL, Mark.ARROW], np.int8)
        flags = namespace(mask).asarray(checked_flags("mask", mask), np.int8)
        return cls(flags[..., None] * ends[None, None, None])

    @classmethod
    def from_unrolled(cls, graph: CausalGraph, *, n_vars: int) -> "LaggedGraph":
        """Fold a graph over lagged variables (node ``lag * n_vars + var``) at its newest slice.

        Args:
            graph: One graph of ``(max_lag + 1) * n_vars`` nodes.
            n_vars: Number of variables of the series.
        """
        n_slices, remainder = divmod(graph.n_nodes, n_vars)
        if remainder:
            raise InputError(f"graph has {graph.n_nodes} nodes, not a multiple of n_vars={n_vars}")
        xp = np if is_concrete(graph.marks) else jnp
        marks = xp.asarray(graph.marks)
        at_target = marks[:, :n_vars].reshape(n_slices, n_vars, n_vars)
        at_source = marks[:n_vars, :].reshape(n_vars, n_slices, n_vars)
        return cls(xp.stack([at_source.transpose(2, 0, 1), at_target.transpose(1, 2, 0)], axis=-1))

    @property
    def n_vars(self) -> int:
        """Number of variables."""
        return self.marks.shape[-3]

    @property
    def max_lag(self) -> int:
        """Longest lag that the graph can hold."""
        return self.marks.shape[-2] - 1

    @property
    def adjacency(self) -> Bool[AnyArray, "vars vars lags"]:
        """Entry ``[i, j, lag]``: some edge joins ``X_i(t-lag)`` and ``X_j(t)``."""
        return self.marks[..., 0] != Mark.NONE

    @property
    def directed(self) -> Bool[AnyArray, "vars vars lags"]:
        """Entry ``[i, j, lag]``: the edge is ``X_i(t-lag) → X_j(t)``."""
        return (self.marks[..., 0] == Mark.TAIL) & (self.marks[..., 1] == Mark.ARROW)

    def summary(self) -> Bool[AnyArray, "vars vars"]:
        """Summary graph: entry ``[i, j]`` if ``X_i → X_j`` at any lag."""
        return namespace(self.marks).any(self.directed, axis=-1)

    def __getitem__(self, index: Any) -> "LaggedGraph":
        """One graph of a batch that ``vmap`` made, or some.

        Raises:
            InputError: It is one graph.
            IndexError: There are fewer graphs.
        """
        marks = _batch.at(self.marks, index, 4)
        return jax.tree.unflatten(jax.tree.structure(self), [marks])

    def __repr__(self) -> str:
        """The edges in a line.

        >>> import numpy as np
        >>> mask = np.zeros((2, 2, 3), bool); mask[0, 1, 2] = True
        >>> LaggedGraph.from_mask(mask)
        <LaggedGraph: 2 variables, lags up to 2, 1 edge: X0(t-2) --> X1>
        """
        batch = _batch.batch_of(self.marks, 4)
        size, told = "", None
        if batch is not None:
            size = f"{self.n_vars} variables, lags up to {self.max_lag}"
        if batch == () and is_concrete(self.marks):
            told = [
                f"{source}(t-{lag}) {symbol} {target}" if lag else f"{source} {symbol} {target}"
                for source, lag, symbol, target in self.edges()
            ]
        return _batch.one_line(self, 4, size, told)

    def to_networkx(self, *, names: Sequence[str] | None = None) -> Any:
        """The graph as a `networkx.MultiDiGraph`, by `jaxcause.io.to_networkx`."""
        return _batch.as_networkx(self, names)

    def edges(self, names: Sequence[str] | None = None) -> list[tuple[str, int, str, str]]:
        """Edges as ``(source, lag, symbol, target)``; contemporaneous ones once.

        Raises:
            InputError: The graph is a batch (``graph[0].edges()`` lists its first graph), or its
                marks are traced.
        """
        _batch.check_one(self.marks, 4, "edges()")
        label = list(names) if names is not None else [f"X{i}" for i in range(self.n_vars)]
        marks = np.asarray(self.marks)
        i, j, lag = np.nonzero(marks[..., 0])
        left, right = marks[i, j, lag].T
        # Arrows point to the right; other contemporaneous edges start at the smaller variable.
        into_left, into_right = left == int(Mark.ARROW), right == int(Mark.ARROW)
        mirrored = np.where(into_left != into_right, into_left, i > j)
        once = (lag > 0) | ~mirrored
        cells = zip(*(part[once].tolist() for part in (i, lag, left, right, j)), strict=True)
        return [
            (label[i], at, edge_symbol(left, right), label[j]) for i, at, left, right, j in cells
        ]


def _check_lagged_marks(marks: np.ndarray) -> None:
    check_codes(marks)
    check_both_ends(marks[..., 0], marks[..., 1], "set both")
    now = marks[:, :, 0]
    if np.diagonal(now[..., 0]).any():
        raise InputError("marks joins a variable to itself at lag 0; set that entry to 0")
    if (now[..., 0] != now[..., 1].T).any():
        raise InputError("marks at lag 0 disagree: marks[i, j, 0] must mirror marks[j, i, 0]")
