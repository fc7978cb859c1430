"""Prior knowledge of lagged links: which may not be, which must be, and how long they reach."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool

from jaxcause._checks import InputError

Links = Iterable[tuple[Any, ...]] | Bool[np.ndarray, "source target lags"]
"""``(source, target)`` for all lags, ``(source, target, lag)`` for one, or an array."""


class LinkKnowledge(NamedTuple):
    """Entry ``[source, target, lag]``: a link that may be, and one that must be; lag 0 is False."""

    allowed: Bool[np.ndarray, "vars vars lags"]
    required: Bool[np.ndarray, "vars vars lags"]

    @property
    def is_trivial(self) -> bool:
        """Whether it says nothing."""
        return bool(self.allowed[:, :, 1:].all() and not self.required.any())


def link_knowledge(
    names: Sequence[str],
    max_lag: int,
    *,
    forbidden: Links = (),
    required: Links = (),
    lag_limits: Mapping[tuple[str, str], int] | None = None,
) -> LinkKnowledge:
    """Arrays from what users write.

    Args:
        names: Names of the variables.
        max_lag: Longest lag.
        forbidden: Links that are never selected.
        required: Links that are always selected.
        lag_limits: Longest lag of single pairs ``(source, target)``; 0 forbids the pair.

    Raises:
        InputError: A name or a lag is unknown, or a link is both forbidden and required.

    >>> known = link_knowledge(["rain", "river"], 2, forbidden=[("river", "rain")])
    >>> known.allowed[1, 0].tolist(), known.allowed[0, 1].tolist()
    ([False, False, False], [False, True, True])
    """
    allowed = np.ones((len(names), len(names), max_lag + 1), bool)
    allowed[:, :, 0] = False
    allowed &= ~_mask("forbidden", forbidden, names, max_lag)
    for (source, target), limit in (lag_limits or {}).items():
        if not 0 <= limit <= max_lag:
            raise InputError(
                f"lag_limits gives {source!r} -> {target!r} the lag {limit}, which must lie "
                f"between 0 and max_lag={max_lag}"
            )
        pair = tuple(_index("lag_limits", name, names) for name in (source, target))
        allowed[(*pair, slice(limit + 1, None))] = False
    must = _mask("required", required, names, max_lag)
    both = np.argwhere(must & ~allowed)
    if len(both):
        source, target, lag = both[0]
        raise InputError(
            f"required holds {names[source]!r} -> {names[target]!r} at lag {lag}, which forbidden "
            "or lag_limits excludes; drop one of them"
        )
    return LinkKnowledge(allowed, must)


def _mask(name: str, links: Links, names: Sequence[str], max_lag: int) -> np.ndarray:
    shape = (len(names), len(names), max_lag + 1)
    if hasattr(links, "shape"):
        given = np.asarray(links)
        if given.shape != shape or given.dtype != bool:
            raise InputError(
                f"{name} has shape {given.shape}, but must be boolean of shape {shape}"
            )
        mask = given.copy()
    else:
        mask = np.zeros(shape, bool)
        for link in links:
            if len(link) not in (2, 3):
                raise InputError(f"{name} holds {link!r}; write (source, target) or add a lag")
            pair = tuple(_index(name, end, names) for end in link[:2])
            lags = slice(1, None) if len(link) == 2 else _lag(name, link[2], max_lag)
            mask[(*pair, lags)] = True
    mask[:, :, 0] = False
    return mask


def _index(argument: str, name: Any, names: Sequence[str]) -> int:
    if name in names:
        return list(names).index(name)
    if isinstance(name, int) and 0 <= name < len(names):
        return name
    raise InputError(f"{argument} names {name!r}, but the variables are {', '.join(names)}")


def _lag(argument: str, lag: Any, max_lag: int) -> int:
    if isinstance(lag, int | np.integer) and 1 <= lag <= max_lag:
        return int(lag)
    raise InputError(
        f"{argument} holds lag {lag!r}, which must lie between 1 and max_lag={max_lag}"
    )
