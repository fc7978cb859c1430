"""Which transform a linear method works with, and the sentence that names it in the notes."""

import dataclasses
from collections.abc import Mapping
from typing import NamedTuple

from jaxcause._checks import InputError
from jaxcause.series import LinkKnowledge, SeriesTable, usable_windows
from jaxcause.workflows._discover.info import DiscoveryInfo
from jaxcause.workflows._discover.methods import Method
from jaxcause.workflows._discover.stored import in_memory, notes_on_sample

MOST_INPUTS = 1000
"""Inputs of the regressions that choose, above which columns are standardised unseen."""
FEW_WINDOWS = 100
"""Windows below which held-out errors do not tell transforms apart, and columns are
standardised."""
HELD_OUT = 0.2
"""Share of the windows by which transforms are compared; that of the default method."""
_DONE = {
    "standardise": "Columns were standardised",
    "log": "Columns were standardised after taking logarithms",
    "copula": "Columns were mapped to the normal quantiles of their ranks",
    "difference": "Columns were replaced by their changes from row to row",
    "log_difference": "Columns were replaced by the changes of their logarithms from row to row",
}


class ChosenTransform(NamedTuple):
    """A method whose transform is chosen, the errors that it was chosen by, if any, and notes."""

    method: Method
    errors: Mapping[str, float] | None
    notes: tuple[str, ...] = ()


def with_transform(table: SeriesTable, max_lag: int, method: Method) -> ChosenTransform:
    """The method with the transform under which a linear autoregression forecasts best.

    A method that was given a transform, or that chooses by itself, stays as it is. Columns of a
    series that is too short or too wide to compare forecasts are standardised.
    """
    if method.chooses_transform or getattr(method, "transform", None) != "auto":
        return ChosenTransform(method, None, notes_on_sample(table, method, method))
    kind, errors, some = "standardise", None, in_memory(table)
    n_windows = len(usable_windows(some, max_lag, mask_missing=True))
    if len(table.names) * max_lag <= MOST_INPUTS and n_windows >= FEW_WINDOWS:
        from jaxcause.workflows._discover import prepare

        known = _known(method, table, max_lag)
        try:
            options = prepare.window_options(
                some, max_lag, held_out=HELD_OUT, domain=None, missing="auto"
            )
            data = prepare.prepare(some, max_lag, known=known, transform="auto", options=options)
        except InputError:  # Too few windows to hold some out.
            pass
        else:
            kind, errors = data.kind, data.transform_errors
    chosen = dataclasses.replace(method, transform=kind)  # pyright: ignore[reportArgumentType, reportCallIssue]
    return ChosenTransform(chosen, errors, notes_on_sample(table, method, chosen))


def note_on_transform(method: Method, info: DiscoveryInfo) -> tuple[str, ...]:
    """What was done to the columns, who chose it, and how to choose another; () if not known.

    Args:
        method: The method as it was asked for.
        info: What it did.
    """
    kind = info.transform
    if kind not in _DONE:
        return ()
    said = f"{_DONE[kind]} (transform={kind!r}"
    if getattr(method, "transform", None) != "auto":
        return (f"{said}).",)
    if getattr(method, "forecaster", None) is not None:
        return (f"{said}, that of the forecaster).",)
    errors = {name: e for name, e in (info.transform_errors or {}).items() if e == e}
    if not errors:
        return (f"{said}, since the series is too short or too wide to compare transforms).",)
    if kind == "standardise":
        return (f"{said}); no other transform lowers the held-out error by 5 % or more.",)
    gain = 1 - errors[kind] / errors["standardise"]
    return (
        f"{said}), which lowers the held-out error of a linear model by {gain:.0%}. "
        "transform='standardise' (--transform standardise) keeps their shape; edges can differ.",
    )


def _known(method: Method, table: SeriesTable, max_lag: int) -> LinkKnowledge:
    """What the method knows of links, or that every lagged link may be."""
    from jaxcause.series import link_knowledge

    read = getattr(method, "known_links", None)
    return link_knowledge(table.names, max_lag) if read is None else read(table, max_lag)
