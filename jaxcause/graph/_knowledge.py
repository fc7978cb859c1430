"""Background knowledge: order, forbidden and required edges, stationarity."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Int

from jaxcause._checks import InputError, check_at_least, checked_flags
from jaxcause._pytree import pytree_dataclass, set_field
from jaxcause._typing import AnyArray
from jaxcause.graph._lagged_graph import LaggedGraph
from jaxcause.graph._written_knowledge import (
    Pairs,
    check_required_edges,
    checked_edges,
    checked_nodes,
    checked_stationary,
    checked_tiers,
    edges_of_pairs,
    number_of_nodes,
    read_edges,
    tiers_by_node,
)


class Links(NamedTuple):
    """Links ``[source, target, lag]`` that may exist, and links that must exist.

    Args:
        possible: Links that may be causal.
        required: Links that must be there.
        adjacent: Pairs that an edge may join; if not ``possible`` in either direction, only one
            that is due to a hidden cause.
    """

    possible: Bool[np.ndarray, "vars vars lags"]
    required: Bool[np.ndarray, "vars vars lags"]
    adjacent: Bool[np.ndarray, "vars vars lags"]


@pytree_dataclass()
class BackgroundKnowledge:
    """Constraints on a graph over ``n`` nodes; at least one argument must be given.

    Order and time are knowledge, never another algorithm. Tiers give an order, forbidden and
    required edges say what cannot and what must exist, and stationarity makes several edges copies
    of one.

    True knowledge leaves the result of `pc`, `fci` and `icd` sound. Knowledge may rule an edge out,
    but does not say what separates its ends: the searches still test such pairs, since that orients
    the edges around them. PC's result is complete: it holds every mark that all fitting DAGs share
    (Meek 1995). PAGs are complete for tiers (Andrews, Spirtes & Cooper 2020); for other knowledge
    they are sound, and may keep a circle that the rules of Wang, Qin & Zhou (2022) would decide.

    Args:
        tiers: A later tier never causes an earlier one, not even by way of others, ``[nodes]``,
            whole numbers; what is kept is their rank, 0, 1, ….
        forbidden: Entry ``[i, j]`` forbids the edge ``i → j``; both directions forbid any edge. If
            tiers rule out ``j → i`` as well, no edge is left for `pc`, and ``<->`` for searches
            that allow hidden causes. A boolean matrix, or pairs ``(i, j)`` where another argument
            gives the number of nodes. Integers 0 and 1 of shape ``[2, 2]`` that may be either are
            refused.
        required: Entry ``[i, j]`` asserts ``i → j``, whatever the tests say. Matrix or pairs.
        stationary: Entry ``[i, j]`` is ``i' * n + j'`` of the pair ``(i', j')`` that stands for
            ``(i, j)``: only that pair is tested and oriented, the others copy it. Mirrored pairs
            have mirrored ones, and a pair that stands for another stands for itself.

    Raises:
        InputError: Nothing is given, shapes differ, tiers are not whole numbers, ``stationary``
            names pairs that do not exist or do not fit, or the constraints contradict one another.

    >>> BackgroundKnowledge(tiers=np.array([0, 0, 1])).cannot_cause.astype(int).tolist()
    [[0, 0, 0], [0, 0, 0], [1, 1, 0]]
    """

    tiers: Int[AnyArray, "nodes"] | None = None
    forbidden: Bool[AnyArray, "nodes nodes"] | Pairs | None = None
    required: Bool[AnyArray, "nodes nodes"] | Pairs | None = None
    stationary: Int[AnyArray, "nodes nodes"] | None = None

    def __post_init__(self) -> None:
        """Fill in what was left out, and refuse contradictions."""
        edges = {name: read_edges(name, getattr(self, name)) for name in ("forbidden", "required")}
        tiers = None if self.tiers is None else checked_tiers(self.tiers)
        stationary = None if self.stationary is None else np.asarray(self.stationary)
        n = number_of_nodes(tiers, {**edges, "stationary": stationary})
        own = np.arange(n * n, dtype=np.int32).reshape(n, n)
        fields = {
            "tiers": np.zeros(n, np.int32) if tiers is None else tiers,
            **{name: checked_edges(name, value, n) for name, value in edges.items()},
            "stationary": own if stationary is None else checked_stationary(stationary, n),
        }
        for name, value in fields.items():
            set_field(self, name, value)
        check_required_edges(fields["required"], fields["forbidden"], fields["tiers"], range(n))

    @classmethod
    def named(
        cls,
        names: Sequence[Any] | int,
        *,
        tiers: Mapping[Any, int] | None = None,
        forbidden: Pairs | None = (),
        required: Pairs | None = (),
    ) -> "BackgroundKnowledge":
        """Knowledge about nodes that have names, or are counted.

        Args:
            names: Names of the nodes in their order, or how many nodes there are.
            tiers: Tier of every node, by name or by number.
            forbidden: Pairs ``(cause, effect)`` of nodes, by name or by number. A number that is
                the name of a node is that name.
            required: Pairs of the same form.

        Raises:
            InputError: A name comes twice, a node is unknown or has no tier or two, something is no
                pair, or the constraints contradict one another.

        >>> known = BackgroundKnowledge.named(["rain", "river"], forbidden=[("river", "rain")])
        >>> known.cannot_cause.astype(int).tolist()
        [[0, 0], [1, 0]]
        """
        nodes = checked_nodes(names)
        in_order = None if tiers is None else checked_tiers(tiers_by_node(tiers, nodes))
        edges = {
            "forbidden": edges_of_pairs("forbidden", forbidden, nodes),
            "required": edges_of_pairs("required", required, nodes),
        }
        order = np.zeros(len(nodes), np.int32) if in_order is None else in_order
        check_required_edges(edges["required"], edges["forbidden"], order, nodes)
        return cls(tiers=in_order, **edges)

    @classmethod
    def temporal(
        cls,
        n_vars: int,
        max_lag: int,
        contemporaneous: bool = False,
        *,
        allowed: Bool[AnyArray, "vars vars lags"] | LaggedGraph | None = None,
        forbidden_links: Bool[AnyArray, "vars vars lags"] | None = None,
        required_links: Bool[AnyArray, "vars vars lags"] | None = None,
        lag_limits: Int[AnyArray, "vars vars"] | None = None,
        tiers: Int[AnyArray, "vars"] | None = None,
        n_slices: int | None = None,
    ) -> "BackgroundKnowledge":
        """Knowledge about a series unrolled into nodes ``lag * n_vars + var``, lag 0 … max_lag.

        Edges point forward in time and repeat along it. The pair whose later end is at lag 0 stands
        for its shifted copies, because the whole past of only this pair lies inside the window.

        A link ``[i, j, lag]`` is ``X_i(t-lag) → X_j(t)``, at every t. A forbidden lagged link
        leaves its edge out, whatever its marks. At lag 0 an edge is left out if both its directions
        are forbidden; one forbidden direction only constrains the direction.

        Args:
            n_vars: Number of variables.
            max_lag: Longest lag.
            contemporaneous: Whether edges at lag 0 are allowed.
            allowed: The only edges that may exist at lags 1 … max_lag, such as those a forecaster
                selected; of a `LaggedGraph` all edges count. Lag 0 is ignored.
            forbidden_links: Links that cannot exist.
            required_links: Links that must exist: never tested, never removed.
            lag_limits: Longest lag of the links of each ``[source, target]``; 0 leaves lag 0, and
                -1 nothing.
            tiers: Order of the variables within a time step: at lag 0 a later tier never causes an
                earlier one. Together with the other direction forbidden this leaves ``<->``.
            n_slices: Time steps that are unrolled, by default ``max_lag + 1``. With more of them a
                search can condition on values older than the longest edge.

        Raises:
            InputError: A size or a shape is wrong, or a required link is not possible.

        >>> BackgroundKnowledge.temporal(2, 1).tiers.tolist()
        [1, 1, 0, 0]
        >>> never = np.zeros((2, 2, 2), bool); never[0, 1, 1] = True
        >>> knowledge = BackgroundKnowledge.temporal(2, 1, forbidden_links=never)
        >>> knowledge.links(2).possible[:, :, 1].astype(int).tolist()
        [[1, 0], [1, 1]]
        """
        check_at_least("n_vars", n_vars, 1)
        check_at_least("max_lag", max_lag, 0 if contemporaneous else 1)
        n_slices = max_lag + 1 if n_slices is None else n_slices
        check_at_least("n_slices", n_slices, max_lag + 1)
        shape = (n_vars, n_vars, max_lag + 1)
        possible = np.ones(shape, bool)
        possible[:, :, 0] = contemporaneous
        if allowed is not None:
            chosen = allowed.adjacency if isinstance(allowed, LaggedGraph) else allowed
            possible[:, :, 1:] &= _links("allowed", chosen, shape)[:, :, 1:]
        if forbidden_links is not None:
            possible &= ~_links("forbidden_links", forbidden_links, shape)
        if lag_limits is not None:
            longest = _lag_limits(lag_limits, shape)
            possible &= np.arange(max_lag + 1) <= longest[:, :, None]
        required = np.zeros(shape, bool)
        if required_links is not None:
            required = _links("required_links", required_links, shape)
            _check_possible(required, possible)
        lag, var = np.divmod(np.arange(n_slices * n_vars, dtype=np.int32), n_vars)
        shift = np.minimum(lag[:, None], lag)
        i = (lag[:, None] - shift) * n_vars + var[:, None]
        j = (lag - shift) * n_vars + var
        # Links backward in time are forbidden by the tiers.
        ago = np.clip(lag[:, None] - lag, 0, max_lag)
        forward, near = lag[:, None] >= lag, lag[:, None] - lag <= max_lag
        backward = lag[:, None] < lag
        link = (var[:, None], var, ago)
        left_out = forward & ~(near & possible[link])
        order = _order(tiers, n_vars)
        return cls(
            tiers=(n_slices - 1 - lag) * (1 + order.max()) + order[var],
            # A lagged edge is left out whatever its marks, so it is forbidden in both directions.
            forbidden=left_out | (left_out.T & backward),
            required=forward & near & required[link],
            stationary=i * lag.size + j,
        )

    def links(self, n_vars: int) -> "Links":
        """Possible and required links ``[source, target, lag]`` of knowledge made by `temporal`.

        Scores obey it by ``(chosen & links.possible) | links.required``. A link from a variable to
        itself at lag 0 is not possible.

        Args:
            n_vars: Number of variables of the series.

        Raises:
            InputError: The nodes are not slices of that many variables.

        >>> knowledge = BackgroundKnowledge.temporal(2, 1, contemporaneous=True)
        >>> knowledge.links(2).possible[:, :, 0].astype(int).tolist()
        [[0, 1], [1, 0]]
        """
        n_slices, rest = divmod(self.n_nodes, n_vars)
        if rest:
            raise InputError(
                f"knowledge is about {self.n_nodes} nodes, not a multiple of n_vars={n_vars}"
            )
        own = ~np.eye(self.n_nodes, dtype=bool)
        every = ~self.cannot_cause & own, self._required, ~self.never_adjacent & own
        into_newest = [m[:, :n_vars].reshape(n_slices, n_vars, n_vars) for m in every]
        return Links(*(m.transpose(1, 2, 0) for m in into_newest))

    @property
    def n_nodes(self) -> int:
        """Number of nodes that the knowledge is about."""
        return len(self._tiers)

    @property
    def _tiers(self) -> np.ndarray:
        return np.asarray(self.tiers)

    @property
    def _required(self) -> np.ndarray:
        return np.asarray(self.required)

    @property
    def cannot_cause(self) -> Bool[np.ndarray, "nodes nodes"]:
        """Entry ``[i, j]``: ``i → j`` is impossible."""
        forbidden, required = np.asarray(self.forbidden), self._required
        return forbidden | required.T | (self._tiers[:, None] > self._tiers)

    @property
    def never_adjacent(self) -> Bool[np.ndarray, "nodes nodes"]:
        """Entry ``[i, j]``: no edge joins i and j, since it is forbidden in both directions."""
        forbidden = np.asarray(self.forbidden)
        return forbidden & forbidden.T

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


def _links(name: str, given: AnyArray, shape: tuple[int, int, int]) -> np.ndarray:
    mask = np.asarray(given)
    if mask.shape != shape:
        raise InputError(
            f"{name} has shape {mask.shape}, but must be [vars, vars, max_lag+1] = {shape}"
        )
    return checked_flags(name, mask)


def _order(given: AnyArray | None, n_vars: int) -> np.ndarray:
    """Places of the variables within a step, from 0 on."""
    tiers = np.zeros(n_vars, np.int32) if given is None else np.asarray(given)
    if tiers.shape != (n_vars,) or tiers.dtype.kind not in "iu":
        raise InputError(f"tiers={given!r} must hold a whole number for each of {n_vars} variables")
    return np.unique(tiers, return_inverse=True)[1].astype(np.int32)


def _lag_limits(given: AnyArray, shape: tuple[int, int, int]) -> np.ndarray:
    longest = np.asarray(given)
    if longest.shape != shape[:2]:
        raise InputError(f"lag_limits has shape {longest.shape}, but must be {shape[:2]}")
    whole = longest.dtype.kind in "iu"
    if longest.dtype.kind == "f":
        whole = bool((np.isfinite(longest) & (longest == np.round(longest))).all())
    if not whole:
        raise InputError("lag_limits must hold a whole number for each pair; -1 allows no lag")
    return longest


def _check_possible(required: np.ndarray, possible: np.ndarray) -> None:
    itself = np.eye(len(required), dtype=bool)[:, :, None] & (np.arange(required.shape[2]) == 0)
    clash = np.argwhere(required & (~possible | itself))
    if len(clash):
        i, j, lag = clash[0]
        raise InputError(
            f"required link {i} → {j} at lag {lag} is not possible; drop it, or the allowed, "
            "forbidden or limited links that rule it out"
        )
