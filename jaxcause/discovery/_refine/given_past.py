"""A conditional independence test that always conditions on the past of its pair."""

import numpy as np
from jaxtyping import Bool, Int

from jaxcause._namespace import namespace
from jaxcause._pytree import pytree_dataclass
from jaxcause._typing import AnyArray, CIResult, CITest, Nodes
from jaxcause.discovery._kernel.indistinct import indistinct_nodes


@pytree_dataclass(static=("leave_out",))
class PastConditionedTest:
    r"""Test X ⊥ Y given the past of the pair, modified by the set S of the call.

    The past of a pair is that of its later end; of a pair at lag 0, that of both ends. The test
    conditions on past :math:`\cup` S, or with ``leave_out`` on the symmetric difference past
    :math:`\triangle` S: small sets S stay close to what the forecaster has conditioned on.

    Args:
        test: Test over a series unrolled into nodes ``lag * vars + var``.
        past: Nodes of the past of each variable at lag 0, padded with -1.
        leave_out: Whether members of the past that are in S are left out.
    """

    test: CITest
    past: Int[AnyArray, "vars width"]
    leave_out: bool = False

    @property
    def n_nodes(self) -> int:
        """Number of lagged variables."""
        return self.test.n_nodes

    @property
    def takes_rows(self) -> bool:
        """As the test that it calls."""
        return getattr(self.test, "takes_rows", False)

    def indistinct(self) -> Bool[AnyArray, "nodes nodes"]:
        """As the test that it calls."""
        return indistinct_nodes(self.test)

    def __call__(self, x: Nodes, y: Nodes, cond: Int[AnyArray, "*rows k"]) -> CIResult:
        """Test X ⊥ Y given the past, modified by S."""
        xp = namespace(self, x, y, cond)
        cond, past = xp.asarray(cond, np.int32), xp.asarray(self.past, np.int32)
        first, second = xp.asarray(x, np.int32), xp.asarray(y, np.int32)
        n_vars, none = len(past), np.int32(-1)
        late, early = xp.minimum(first, second), xp.maximum(first, second)
        own, other = past[late % n_vars], past[early % n_vars]
        new = (early < n_vars)[..., None] & ~_is_among(other, own)
        given = xp.concatenate([own, xp.where(new, other, none)], axis=-1)
        known = _is_among(cond, given)
        gone = (given == first[..., None]) | (given == second[..., None])
        if self.leave_out:
            gone |= _is_among(given, cond)
        kept = xp.where(gone, none, given), xp.where(known, none, cond)
        return self.test(first, second, xp.concatenate(kept, axis=-1))

    def whole_sets(
        self, found: Bool[np.ndarray, "nodes nodes"], member: Bool[np.ndarray, "nodes nodes nodes"]
    ) -> Bool[np.ndarray, "nodes nodes nodes"]:
        """The sets that this test conditioned on, where ``member`` holds the sets S of its calls.

        Args:
            found: Which pairs were separated.
            member: Whether k is in the set S that was passed for i and j.
        """
        past, n = np.asarray(self.past), self.n_nodes
        in_past = np.zeros((len(past), n + 1), bool)
        np.put_along_axis(in_past, past, True, axis=1)
        whole = np.zeros_like(member)
        for x, y in np.argwhere(np.triu(found)):
            given = in_past[x % len(past), :n].copy()
            if y < len(past):
                given |= in_past[y, :n]
            given = given ^ member[x, y] if self.leave_out else given | member[x, y]
            given[[x, y]] = False
            whole[x, y] = whole[y, x] = given
        return whole


def whole_past(n_vars: int, max_lag: int) -> Int[np.ndarray, "vars width"]:
    """All lagged nodes, as the past of every variable."""
    nodes = np.arange(n_vars, n_vars * (max_lag + 1), dtype=np.int32)
    return np.tile(nodes, (n_vars, 1))


def selected_past(
    mask: Bool[np.ndarray, "vars vars lags"], *, contemporaneous: bool = False
) -> Int[np.ndarray, "vars width"]:
    """Sources of the lagged links of a mask, for each target, padded with -1.

    Args:
        mask: Links ``[source, target, lag]``.
        contemporaneous: Whether sources at lag 0 count as well.
    """
    n_vars, _, n_lags = mask.shape
    into = mask.transpose(1, 2, 0).reshape(n_vars, n_lags * n_vars).copy()
    into[:, :n_vars] &= contemporaneous
    return as_node_lists(into)


def as_node_lists(mask: Bool[np.ndarray, "rows nodes"]) -> Int[np.ndarray, "rows width"]:
    """Each row of a mask as a list of nodes, padded with -1 to a multiple of 8."""
    width = -(-max(1, int(mask.sum(axis=1).max(initial=0))) // 8) * 8
    order = np.argsort(~mask, axis=1, kind="stable")[:, :width]
    nodes = np.where(np.take_along_axis(mask, order, axis=1), order, -1).astype(np.int32)
    return np.pad(nodes, [(0, 0), (0, width - nodes.shape[1])], constant_values=-1)


def _is_among(some: AnyArray, others: AnyArray) -> AnyArray:
    return (some[..., :, None] == others[..., None, :]).any(axis=-1) & (some >= 0)
