"""Required links that the data do not support: counted, and named in a note."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool

from jaxcause.workflows._discover.listing import first_of


class RequiredLinks(NamedTuple):
    """How the data agree with the links that are required.

    Args:
        n_conflicts: Required links that the data do not support; None where nothing is required.
        notes: A sentence on them.
    """

    n_conflicts: int | None
    notes: tuple[str, ...]


def judge_required(
    required: Bool[np.ndarray, "vars vars lags"],
    supported: Bool[np.ndarray, "vars vars lags"],
    names: tuple[str, ...],
) -> RequiredLinks:
    """Count and name the required links that the method alone would have left out.

    Args:
        required: ``[source, target, lag]``.
        supported: Links that the method's own tests select.
        names: Of the variables.

    >>> links = np.zeros((2, 2, 2), bool); links[0, 1, 1] = True
    >>> judge_required(links, ~links, ("rain", "river")).n_conflicts
    1
    """
    if not required.any():
        return RequiredLinks(None, ())
    against = np.argwhere(required & ~supported).tolist()
    if not against:
        return RequiredLinks(0, ())
    some = first_of([f"{names[i]} -> {names[j]} at lag {lag}" for i, j, lag in against])
    note = (
        f"The data do not support {len(against)} of {int(required.sum())} required links: "
        f"{some}. They are in the graph because they are required; check whether "
        "they are right."
    )
    return RequiredLinks(len(against), (note,))


def note_on_excluded(
    unseparated: Bool[np.ndarray, "vars vars lags"], names: tuple[str, ...]
) -> tuple[str, ...]:
    """Which pairs the tests do not separate although knowledge allows no edge between them.

    Args:
        unseparated: ``[source, target, lag]``.
        names: Of the variables.

    >>> links = np.zeros((2, 2, 2), bool); links[0, 1, 0] = True
    >>> note_on_excluded(links, ("rain", "river"))[0][:63]
    'Tests find no set that separates rain and river at lag 0, but n'
    """
    pairs = unseparated.copy()
    pairs[:, :, 0] = np.triu(pairs[:, :, 0] | pairs[:, :, 0].T)
    found = [f"{names[i]} and {names[j]} at lag {lag}" for i, j, lag in np.argwhere(pairs).tolist()]
    if not found:
        return ()
    advice = ""
    if pairs[:, :, 0].any():
        advice = " contemporaneous=True (--contemporaneous) allows edges at lag 0."
    return (
        f"Tests find no set that separates {first_of(found, between='; ')}, but no edge is "
        f"allowed there. Other edges may be false because of that.{advice}",
    )
