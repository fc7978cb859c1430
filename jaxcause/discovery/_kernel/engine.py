"""What a search needs to know about a kind of test, and which engine serves which test."""

from typing import Protocol, runtime_checkable

import numpy as np
from jax import Array
from jax.sharding import Mesh
from jaxtyping import Bool, Float, Int

from jaxcause._typing import AnyArray, CITest
from jaxcause.discovery._kernel.check_test import check_test
from jaxcause.discovery._kernel.conditioning_sets import SetRange
from jaxcause.discovery._kernel.gaussian import GaussianEngine
from jaxcause.discovery._kernel.general import GeneralEngine
from jaxcause.discovery._kernel.rows import Found, KernelRows, RowBatch
from jaxcause.stats import PartialCorrelationTest


@runtime_checkable
class Engine(Protocol):
    """Arithmetic of one kind of test, for a batch of graphs with one leading axis.

    A test has a *value*, which is compared with a limit: a value below it means independent. The
    methods that begin with ``traced_`` run inside a traced program; the others take and return
    numpy arrays. To give a kind of test its own kernel, write such a class in a file of its own,
    and enter it in ``engine_of``.

    Args:
        batch_shape: Leading axes of the test.
        n_graphs: Their product.
        n_nodes: Nodes of each graph.
        n_retested: Rows that were tested again in higher precision.
        traced_dtype: Precision of a traced search.
        traced_lanes: Rows of one block in a traced search.
    """

    batch_shape: tuple[int, ...]
    n_graphs: int
    n_nodes: int
    n_retested: int

    @property
    def traced_dtype(self) -> np.dtype: ...

    @property
    def traced_lanes(self) -> int: ...

    def limits(self, alpha: float, size: int) -> Float[np.ndarray, "graphs"]:
        """The limit of each graph given sets of ``size``."""
        ...

    def marginal_values(self) -> Float[np.ndarray, "graphs nodes nodes"] | None:
        """Values of all pairs given nothing; None if tests must be made one by one."""
        ...

    def first_separating(
        self, batch: RowBatch, lists: Int[np.ndarray, "candidates"], sets: SetRange, *, best: bool
    ) -> Found:
        """The first (or best) separating set of each row in a range of sets."""
        ...

    def strength(
        self,
        value: Float[np.ndarray, "*pairs"],
        graph: Int[np.ndarray, "*#pairs"],
        size: int,
    ) -> Float[np.ndarray, "*pairs"]:
        """Strength of dependence behind values: comparable between levels."""
        ...

    def p_values(self, strength: Float[np.ndarray, "*pairs"]) -> Float[np.ndarray, "*pairs"]:
        """The p-values behind ``strength``; NaN stays NaN."""
        ...

    def singular(self) -> Bool[np.ndarray, "graphs"]:
        """Which graphs have a singular correlation matrix, as `SearchInfo.singular` has it."""
        ...

    def node_keys(self) -> Float[AnyArray, "graphs nodes"] | None:
        """A number for each node that does not depend on how nodes are numbered, if there is one.

        Where a search must take nodes one after the other, it takes those with small numbers first.
        It works inside a traced program, too.
        """
        ...

    def indistinct(self) -> Bool[AnyArray, "graphs nodes nodes"]:
        """Pairs of copies, as `SearchInfo.indistinct` has it; also inside a traced program."""
        ...

    def nearly_indistinct(self) -> Bool[AnyArray, "graphs nodes nodes"]:
        """Pairs that are nearly copies; as `indistinct`."""
        ...

    def traced_limits(self, alpha: Float[Array, ""], size: int) -> Float[Array, "graphs"]:
        """As `limits`."""
        ...

    def traced_first_separating(
        self,
        rows: KernelRows,
        lists: Int[Array, "candidates"],
        subsets: Int[Array, "sets k"],
        n_subsets: Int[Array, "blocks"],
        *,
        best: bool,
        lanes: int,
    ) -> Found:
        """As `first_separating`, on rows in blocks of ``lanes``."""
        ...

    def traced_p_values(
        self, value: Float[Array, "graphs nodes rows"], size: int
    ) -> Float[Array, "graphs nodes rows"]:
        """The p-values behind values given sets of ``size``."""
        ...

    def traced_singular(self) -> Bool[Array, "graphs"]:
        """As `singular`."""
        ...


def engine_of(test: CITest, mesh: Mesh | None = None) -> Engine:
    """The engine that serves a test, on the devices of a mesh.

    Raises:
        InputError: It is no test that a search can call (see `check_test`).
    """
    check_test(test)
    if isinstance(test, PartialCorrelationTest):
        return GaussianEngine(test, mesh)
    return GeneralEngine(test, mesh)
