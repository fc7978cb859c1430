"""Validation of samples in rows (host side)."""

from typing import Any

import numpy as np
from jaxtyping import Float

from jaxcause._checks import InputError
from jaxcause.stats._pairwise import PairwiseCorrelation

FEWEST_COMMON_ROWS = 4
"""Fisher's z needs more than three."""


def check_rows(x: Any) -> None:
    """Raise unless ``x`` has at least two rows."""
    if np.ndim(x) < 2 or np.shape(x)[-2] < 2:
        raise InputError(f"x has shape {np.shape(x)}, but must be [..., samples ≥ 2, nodes]")


def checked_data(x: Any, missing: str | None) -> Float[np.ndarray, "*graphs samples nodes"]:
    """``x`` in float64.

    Args:
        x: The samples.
        missing: ``pairwise`` and ``testwise`` accept NaN, ``raise`` does not; None if the caller
            has no choice.

    Raises:
        InputError: A cell cannot be used, or a column is constant.
    """
    given = np.asarray(x)
    if given.dtype.kind not in "fiub" and given.dtype.name != "bfloat16":
        raise InputError(f"x holds {given.dtype}; pass real numbers, as x.astype(float)")
    values = given.astype(np.float64)
    _check_cells(values, missing)
    absent = np.isnan(values)
    largest = np.where(absent, -np.inf, values).max(axis=-2)
    smallest = np.where(absent, np.inf, values).min(axis=-2)
    constant = smallest == largest
    if constant.any():
        *graph, column = (int(i) for i in np.argwhere(constant)[0])
        raise InputError(f"x is constant in column {column}{_of(graph)}; leave it out")
    return values


def check_common_rows(pairs: PairwiseCorrelation, missing: str = "pairwise") -> None:
    """Raise unless each pair of columns has enough common rows, on which both of them vary."""
    few = pairs.n_samples < FEWEST_COMMON_ROWS
    if few.any():
        *graph, i, j = (int(k) for k in np.argwhere(few)[0])
        shared = int(pairs.n_samples[*graph, i, j])
        raise InputError(
            f"columns {i} and {j} of x{_of(graph)} share {shared} complete rows, but "
            f"missing={missing!r} needs at least {FEWEST_COMMON_ROWS}; leave one out, or fill it"
        )
    lost = np.isnan(pairs.corr)
    if lost.any():
        *graph, i, j = (int(k) for k in np.argwhere(lost)[0])
        raise InputError(
            f"columns {i} and {j} of x{_of(graph)} have no correlation: one of them is constant on "
            "the rows that both have; leave one out, or fill it"
        )


def _check_cells(values: np.ndarray, missing: str | None) -> None:
    infinite = np.isinf(values)
    if infinite.any():
        *graph, row, column = (int(i) for i in np.argwhere(infinite)[0])
        raise InputError(
            f"x is infinite in row {row}, column {column}{_of(graph)}; drop or fill such rows"
        )
    absent = np.isnan(values)
    if missing not in ("pairwise", "testwise") and absent.any():
        *graph, row, column = (int(i) for i in np.argwhere(absent)[0])
        option = "testwise" if values.ndim == 2 else "pairwise"
        choice = f", or pass missing={option!r}" if missing == "raise" else ""
        raise InputError(
            f"x is NaN in row {row}, column {column}{_of(graph)} and in {absent.sum()} cells in "
            f"all; drop or fill those rows{choice}"
        )


def _of(graph: list[int]) -> str:
    return f" of graph {graph}" if graph else ""
