"""What is known before the search: order, forbidden and required edges, stationarity."""

import numpy as np
from jaxtyping import Bool, Int

from jaxcause._checks import InputError, check_at_least, check_shape
from jaxcause._pytree import pytree_dataclass, set_field
from jaxcause._typing import AnyArray


@pytree_dataclass()
class BackgroundKnowledge:
    """Constraints on a graph over ``n`` nodes; at least one argument must be given.

    Order and time are knowledge, never another algorithm: tiers say what comes first, forbidden and
    required edges what cannot and what must be, and stationarity which edges are one edge.

    Args:
        tiers: A later tier never causes an earlier one, ``[nodes]``.
        forbidden: Entry ``[i, j]`` forbids ``i → j``; both directions forbid the edge.
        required: Entry ``[i, j]`` asserts ``i → j``: never tested, never removed.
        stationary: Entry ``[i, j]`` is ``i' * n + j'`` of the pair ``(i', j')`` that stands for
            ``(i, j)``: only that pair is tested and oriented, the others copy it.

    Raises:
        InputError: Nothing is given, shapes differ, or the constraints contradict one another.

    >>> BackgroundKnowledge(tiers=np.array([0, 0, 1])).cannot_cause.astype(int).tolist()
    [[0, 0, 0], [0, 0, 0], [1, 1, 0]]
    """

    tiers: Int[AnyArray, "nodes"] | None = None
    forbidden: Bool[AnyArray, "nodes nodes"] | None = None
    required: Bool[AnyArray, "nodes nodes"] | None = None
    stationary: Int[AnyArray, "nodes nodes"] | None = None

    def __post_init__(self) -> None:
        """Fill in what was left out, and refuse contradictions."""
        given = [
            a for a in (self.tiers, self.forbidden, self.required, self.stationary) if a is not None
        ]
        if not given:
            raise InputError("BackgroundKnowledge needs tiers, forbidden, required or stationary")
        n = len(given[0])
        own = np.arange(n * n, dtype=np.int32).reshape(n, n)
        fields = {
            "tiers": np.zeros(n, np.int32)
            if self.tiers is None
            else np.asarray(self.tiers, np.int32),
            "forbidden": _square(self.forbidden, n),
            "required": _square(self.required, n),
            "stationary": own if self.stationary is None else np.asarray(self.stationary, np.int32),
        }
        for name, value in fields.items():
            check_shape(name, value, (n,) if name == "tiers" else (n, n))
            set_field(self, name, value)
        required, forbidden = fields["required"], fields["forbidden"]
        clash = required & (forbidden | (self._tiers[:, None] > self._tiers))
        if clash.any():
            i, j = np.argwhere(clash)[0]
            raise InputError(
                f"required edge {i} → {j} is forbidden or runs against tiers; drop one"
            )
        if _has_cycle(required):
            raise InputError("required edges form a cycle; drop one of them")

    @classmethod
    def temporal(
        cls, n_vars: int, max_lag: int, contemporaneous: bool = False
    ) -> "BackgroundKnowledge":
        """Knowledge about a series unrolled into nodes ``lag * n_vars + var``, lag 0 … max_lag.

        Edges point forward in time and repeat along it: the pair whose later end is at lag 0 stands
        for its shifted copies, for only its past lies wholly inside the window.

        Args:
            n_vars: Number of variables.
            max_lag: Longest lag.
            contemporaneous: Whether edges within a time step are allowed.

        >>> BackgroundKnowledge.temporal(2, 1).tiers.tolist()
        [1, 1, 0, 0]
        """
        check_at_least("n_vars", n_vars, 1)
        check_at_least("max_lag", max_lag, 0 if contemporaneous else 1)
        lag, var = np.divmod(np.arange((max_lag + 1) * n_vars), n_vars)
        shift = np.minimum(lag[:, None], lag)
        i = (lag[:, None] - shift) * n_vars + var[:, None]
        j = (lag - shift) * n_vars + var
        within = (lag[:, None] == lag) & (not contemporaneous)
        return cls(tiers=max_lag - lag, forbidden=within, stationary=i * lag.size + j)

    @property
    def n_nodes(self) -> int:
        """Number of nodes that the knowledge is about."""
        return len(self._tiers)

    @property
    def _tiers(self) -> np.ndarray:
        return np.asarray(self.tiers)

    @property
    def cannot_cause(self) -> Bool[np.ndarray, "nodes nodes"]:
        """Entry ``[i, j]``: ``i → j`` is impossible."""
        forbidden, required = np.asarray(self.forbidden), np.asarray(self.required)
        return forbidden | required.T | (self._tiers[:, None] > self._tiers)

    @property
    def stands_for_itself(self) -> Bool[np.ndarray, "nodes nodes"]:
        """Entry ``[i, j]``: the pair is its own representative under stationarity."""
        n = self.n_nodes
        return np.asarray(self.stationary) == np.arange(n * n).reshape(n, n)

    def repeat(self, marks: AnyArray) -> AnyArray:
        """Copy what is at each representative pair to all the pairs that it stands for.

        The pairs are the two last axes.
        """
        flat = marks.reshape(*marks.shape[:-2], -1)
        return flat[..., np.asarray(self.stationary)]


def _square(given: AnyArray | None, n: int) -> np.ndarray:
    return np.zeros((n, n), bool) if given is None else np.asarray(given, bool)


def _has_cycle(edges: np.ndarray) -> bool:
    alive = np.ones(len(edges), bool)
    while alive.any():
        sources = alive & ~edges[alive].any(axis=0)
        if not sources.any():
            return True
        alive &= ~sources
    return False
