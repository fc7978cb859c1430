"""Prior knowledge of links: which may not be, which must be, how long they reach, and an order."""

from collections.abc import Iterable, Mapping, MutableMapping, Sequence, Set
from typing import Any, NamedTuple, TypeGuard

import numpy as np
from jaxtyping import Bool, Int

from jaxcause._checks import InputError, place_in, tiers_in_order

Links = Iterable[tuple[Any, ...]] | Bool[np.ndarray, "source target lags"]
"""``(source, target)`` for all lags, ``(source, target, lag)`` for one, or an array."""

Tiers = Mapping[Any, int] | Sequence[int] | Int[np.ndarray, "vars"]
"""A whole number for each variable, by name or in the order of the columns.

A pandas series counts as a mapping from its index.
"""


class LinkKnowledge(NamedTuple):
    """Entry ``[source, target, lag]``: a link that may be, and one that must be.

    At lag 0 an entry is one direction of an edge, whether or not such edges are looked for. Nothing
    acts on itself there.

    Args:
        allowed: Links that may be.
        required: Links that must be.
        tiers: Order of the variables, if there is one.
        against_tiers: Directions at lag 0 that this order alone excludes, and no other statement.
    """

    allowed: Bool[np.ndarray, "vars vars lags"]
    required: Bool[np.ndarray, "vars vars lags"]
    tiers: Int[np.ndarray, "vars"] | None = None
    against_tiers: Bool[np.ndarray, "vars vars"] | None = None

    @property
    def lagged(self) -> "LinkKnowledge":
        """The same of lags from 1 on; lag 0 is False."""
        later = np.arange(self.allowed.shape[2]) > 0
        return LinkKnowledge(self.allowed & later, self.required & later)

    @property
    def is_trivial(self) -> bool:
        """Whether it says nothing on lags from 1 on."""
        return bool(self.allowed[:, :, 1:].all() and not self.required[:, :, 1:].any())


def link_knowledge(
    names: Sequence[str],
    max_lag: int,
    *,
    forbidden: Links | None = (),
    required: Links | None = (),
    lag_limits: Mapping[tuple[Any, Any], int] | None = None,
    tiers: Tiers | None = None,
    contemporaneous: bool = False,
) -> LinkKnowledge:
    """Arrays from what users write.

    Variables are given by name or by place. A number that reads as a name is that name: where
    columns are called 2, 1 and 0, ``(2, 1)`` is a link from the first column to the second.

    A pair that is forbidden without a lag is forbidden at lag 0, too. A pair that is required
    without a lag is required at lag 0 only if ``contemporaneous``.

    Args:
        names: Names of the variables.
        max_lag: Longest lag.
        forbidden: Links that are never selected.
        required: Links that are always selected.
        lag_limits: Longest lag of single pairs ``(source, target)``; 0 leaves no lagged link.
        tiers: A variable of a later tier never causes one of an earlier tier, at any lag.
        contemporaneous: Whether links at lag 0 are looked for, so that they may be named.

    Raises:
        InputError: A name or a lag is unknown, a tier is missing or no whole number, a variable has
            two tiers or a pair two limits, a link is both required and excluded, required links
            form a cycle at lag 0, or something is not written as described.

    >>> known = link_knowledge(["rain", "river"], 2, forbidden=[("river", "rain")])
    >>> known.allowed[1, 0].tolist(), known.allowed[0, 1].tolist()
    ([False, False, False], [True, True, True])
    >>> known = link_knowledge(["rain", "river"], 2, tiers={"river": 1, "rain": 0})
    >>> known.allowed[1, 0].tolist()
    [False, False, False]
    """
    lags = _Lags(names, max_lag, contemporaneous)
    allowed = ~_mask("forbidden", forbidden, lags)
    allowed[:, :, 0] &= ~np.eye(len(names), dtype=bool)
    for at, limit in _limits(lag_limits, lags).items():
        allowed[(*at, slice(limit + 1, None))] = False
    order = against = None
    if tiers is not None:
        order = _tier_of_each(tiers, names)
        against = allowed[:, :, 0] & (order[:, None] > order)
        allowed &= (order[:, None] <= order)[:, :, None]
    must = _mask("required", required, lags)
    _check_required(must, allowed, names)
    return LinkKnowledge(allowed, must, order, against)


class _Lags(NamedTuple):
    """What a link may name."""

    names: Sequence[str]
    max_lag: int
    contemporaneous: bool


def _limits(given: Any, lags: _Lags) -> dict[tuple[int, int], int]:
    """The longest lag of each pair ``(source, target)`` that has one."""
    if given is not None and not isinstance(given, Mapping):
        raise InputError(
            f"lag_limits={given!r} must be a mapping {{(source, target): longest lag}}"
        )
    limits: dict[tuple[int, int], int] = {}
    for pair, limit in (given or {}).items():
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise InputError(f"lag_limits holds {pair!r}; write (source, target): longest lag")
        if not _is_whole(limit) or not 0 <= limit <= lags.max_lag:
            raise InputError(
                f"lag_limits gives {pair[0]!r} -> {pair[1]!r} the lag {limit!r}, which must lie "
                f"between 0 and max_lag={lags.max_lag}"
            )
        source, target = (_index("lag_limits", name, lags.names) for name in pair)
        if limits.setdefault((source, target), limit) != limit:
            raise InputError(
                f"lag_limits gives {pair[0]!r} -> {pair[1]!r} the lags "
                f"{limits[source, target]} and {limit}; give it one"
            )
    return limits


def _mask(argument: str, links: Links | None, lags: _Lags) -> np.ndarray:
    """The links as an array. Lag 0 is named by a lag, or by leaving the lag out."""
    names, max_lag, contemporaneous = lags
    shape = (len(names), len(names), max_lag + 1)
    if hasattr(links, "shape"):
        return _checked_mask(argument, np.asarray(links), shape, contemporaneous)
    links = () if links is None else links
    if isinstance(links, str | MutableMapping) or not isinstance(links, Iterable):
        raise InputError(f"{argument}={links!r} must be a list of (source, target) or add a lag")
    everywhere = 0 if argument == "forbidden" or contemporaneous else 1
    mask = np.zeros(shape, bool)
    for link in links:
        listed = isinstance(link, Sequence | np.ndarray) and not isinstance(link, str)
        if not listed or len(link) not in (2, 3):
            raise InputError(f"{argument} holds {link!r}; write (source, target) or add a lag")
        source, target = (_index(argument, end, names) for end in link[:2])
        if len(link) == 2:
            mask[source, target, everywhere:] = True
        else:
            lag = _lag(argument, link[2], max_lag, contemporaneous)
            if lag == 0 and source == target:
                raise InputError(f"{argument} holds {link!r}: nothing acts on itself at lag 0")
            mask[source, target, lag] = True
    mask[:, :, 0] &= ~np.eye(len(names), dtype=bool)
    return mask


def _checked_mask(
    argument: str, given: np.ndarray, shape: tuple[int, int, int], contemporaneous: bool
) -> np.ndarray:
    if given.shape != shape or given.dtype != bool:
        raise InputError(
            f"{argument} has shape {given.shape} and dtype {given.dtype}, but must be boolean of "
            f"shape {shape}"
        )
    if argument == "required" and given[:, :, 0].any():
        if not contemporaneous:
            raise InputError(f"{argument} holds links at lag 0; {NO_LAG_0}")
        if given[:, :, 0].diagonal().any():
            raise InputError(f"{argument} holds a variable and itself at lag 0; leave that out")
    return given.copy()


def _check_required(required: np.ndarray, allowed: np.ndarray, names: Sequence[str]) -> None:
    excluded = np.argwhere(required & ~allowed)
    if len(excluded):
        source, target, lag = excluded[0]
        raise InputError(
            f"required holds {names[source]!r} -> {names[target]!r} at lag {lag}, which forbidden, "
            "lag_limits or tiers excludes; drop one of them"
        )
    now, alive = required[:, :, 0], np.ones(len(required), bool)
    while alive.any():
        first = alive & ~now[alive].any(axis=0)
        if not first.any():
            cycle = ", ".join(repr(names[k]) for k in np.flatnonzero(alive).tolist())
            raise InputError(
                f"required holds a cycle at lag 0 among {cycle}; name the lags that are meant"
            )
        alive &= ~first


def _tier_of_each(tiers: Tiers, names: Sequence[str]) -> Int[np.ndarray, "vars"]:
    """The tier of each variable."""
    if isinstance(tiers, Mapping) or hasattr(tiers, "to_numpy"):
        given = tiers_in_order(tiers, names, lambda name: _index("tiers", name, names))
    else:
        ordered = isinstance(tiers, Iterable) and not isinstance(tiers, str | Set)
        given = list(tiers) if ordered else []
        if len(given) != len(names):
            raise InputError(
                f"tiers={tiers!r} must hold {len(names)} whole numbers, one for each variable"
            )
    for name, tier in zip(names, given, strict=True):
        if not _is_whole(tier):
            raise InputError(f"tiers gives {name!r} the value {tier!r}; give a whole number")
    # Ranks, because a tier may be any whole number.
    return np.unique(np.array([int(tier) for tier in given], object), return_inverse=True)[1]


def _index(argument: str, name: Any, names: Sequence[str]) -> int:
    place = place_in(names, name)
    if place is None:
        raise InputError(f"{argument} names {name!r}, but the variables are {', '.join(names)}")
    return place


NO_LAG_0 = (
    "this search has no edges within a time step; leave them out, or pass contemporaneous=True "
    "to a method that has it"
)
"""What to do about links at lag 0 where none are looked for."""


def _lag(argument: str, lag: Any, max_lag: int, contemporaneous: bool) -> int:
    if _is_whole(lag) and lag == 0 and not contemporaneous:
        raise InputError(f"{argument} holds lag 0, but {NO_LAG_0}")
    least = 0 if contemporaneous else 1
    if _is_whole(lag) and least <= lag <= max_lag:
        return int(lag)
    raise InputError(
        f"{argument} holds lag {lag!r}, which must lie between {least} and max_lag={max_lag}"
    )


def _is_whole(value: Any) -> TypeGuard[int]:
    return isinstance(value, int | np.integer) and not isinstance(value, bool | np.bool_)
