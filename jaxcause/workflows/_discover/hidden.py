"""Whether hidden causes, and effects within a step, are allowed for where nobody said so."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from jaxcause._typing import AnyArray
from jaxcause.discovery.refine import LARGEST_PAST, instrument_verdicts
from jaxcause.workflows._discover.simultaneous_errors import told

LEVEL = 1e-3
"""Chance that instruments are said to differ where they do not, for all edges together."""
MOST_DOUBTED = 0.2
"""Share of the targets for which the older past may be no instrument."""


class Allowed(NamedTuple):
    """What edges may be due to beside effects from step to step, and what is told of that."""

    latents: bool
    contemporaneous: bool
    notes: tuple[str, ...] = ()

    def with_doubts(self, refined: dict[str, Any], names: tuple[str, ...]) -> "Allowed":
        """The same, telling of the targets that instruments say nothing of."""
        doubted = (refined["instruments"] or {}).get("doubted", ())
        if not doubted:
            return self
        some = ", ".join(names[k] for k in doubted)
        told_of = (
            f"The past beyond max_lag has to do with {some} by another way than its causes here, "
            "such as a hidden cause with a long memory: marks of edges into it rest on the search "
            "alone."
        )
        return self._replace(notes=(*self.notes, told_of))


def allowed_for(
    *,
    latents: bool | None,
    contemporaneous: bool,
    related: dict[str, Any] | None,
    differing: int | None,
) -> Allowed:
    """What was asked for; or, where nothing was, both where the data tell that one is at work.

    Args:
        latents: As asked for; None leaves it to the data.
        contemporaneous: As asked for.
        related: What `simultaneous_errors` found.
        differing: What `differing_effects` found; None where the tests of a second search do not
            fit the series.
    """
    if latents is not None or contemporaneous or not (related or differing):
        chosen = Allowed(bool(latents), contemporaneous)
    else:
        fits = differing is not None
        chosen = Allowed(fits, fits)
    if chosen.latents and latents is None:
        reasons = [told(related)] if related else []
        if differing:
            reasons.append(
                f"What is older than max_lag tells another effect than a regression does of "
                f"{differing} edge{'s' * (differing != 1)}, as where causes are hidden."
            )
        done = (
            "So hidden causes and effects within a step were allowed for, and the selected edges "
            "searched again; latents=False (--no-latents) leaves that out."
        )
        return chosen._replace(notes=(*reasons, done))
    if related and not (chosen.latents or chosen.contemporaneous):
        remedy = (
            "Edges can be false for that reason; allow for it with latents=True, "
            "contemporaneous=True or domain= (--latents, --contemporaneous, --domain)."
        )
        return chosen._replace(notes=(f"{told(related)} {remedy}",))
    return chosen


def differing_effects(
    values: Float[AnyArray, "time vars"],
    edges: Bool[np.ndarray, "vars vars lags"],
    *,
    segment: Any = None,
) -> int | None:
    """Edges whose effect differs from that of a regression, with the older past as instruments.

    One more sign of hidden causes than `simultaneous_errors`: it shows those whose effects take
    different times.

    Returns:
        None where that cannot be told, and no second search should be made unasked: the series is
        too short, or has more lagged values than the search would condition on; or the older past
        acts on many targets otherwise than through the edges, as where the mechanism changes.
    """
    n_vars, _, n_lags = edges.shape
    if n_vars * (n_lags - 1) > LARGEST_PAST or not edges.any():
        return None
    verdicts = instrument_verdicts(values, edges, q=LEVEL, segment=segment)
    if verdicts is None or verdicts.doubted.mean() > MOST_DOUBTED:
        return None
    return int((verdicts.difference_p_value < LEVEL / edges.sum()).sum())
