"""Windows of series with holes: how many there are, and whether they are enough."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from jaxcause._checks import InputError
from jaxcause._memory import check_memory
from jaxcause._stored import AnyRows, StoredRows
from jaxcause.series import SeriesTable, window_starts
from jaxcause.series._lagged_correlation import correlation_of_windows
from jaxcause.stats import (
    FEW_TO_TEST,
    DeletionTest,
    HoledSamples,
    PartialCorrelationTest,
    VarFit,
    holed_samples,
    partial_correlation_test,
    partial_correlation_test_from_data,
)
from jaxcause.workflows._discover.prepare import transformed_windows

VALUES_AT_ONCE = 1 << 24
"""Values of windows that are held together, some five times over."""

COPIES = 8
"""Copies of windows with holes that are held together."""

PER_PARAMETER = 10
"""Windows for each parameter of the largest regression, below which a note warns."""


class HoledWindows(NamedTuple):
    """All windows with a value in their newest row, of a series some of whose values are missing.

    Args:
        table: The series, or its changes if those are transformed.
        samples: The lagged variables of each, node ``lag * vars + var``.
    """

    table: SeriesTable
    samples: HoledSamples

    def notes(
        self, length: int, n_parameters: int, largest: Int[np.ndarray, "k sets"]
    ) -> tuple[str, ...]:
        """As `notes_on_windows`; and how many windows the tests had, and what that assumes.

        Args:
            length: Rows of a window.
            n_parameters: Of the largest test.
            largest: The nodes of the largest tests, padded with -1.
        """
        common, n_windows = self.samples.n_common, self.samples.n_samples
        fewest = int(self.samples.n_holding(largest).min(initial=common.min()))
        used = notes_on_windows(
            self.table, length, n_windows, n_parameters, n_fewest=fewest, whole=False
        )
        return (
            *used,
            "Each test used the windows that hold all its variables (missing='testwise'): two "
            f"lagged variables share {common.min()} to {common.max()} of {n_windows} windows, and "
            f"the largest tests had {fewest} or more. An edge between two variables can be false "
            "if both of them cause values to be missing.",
        )


def holed_windows(table: SeriesTable, length: int, transform: str) -> HoledWindows | None:
    """The windows of ``length`` rows, with their holes; None where there is no hole.

    Raises:
        InputError: Two lagged variables share fewer than four windows, or the series is on disk
            and has holes.
    """
    if isinstance(table.values, StoredRows):
        if table.complete.all():
            return None
        raise InputError(
            "missing='testwise' holds all windows in memory, but the series stays on disk; use "
            "missing='window', or give a part of it"
        )
    transformed = transformed_windows(table, length, transform, holes=True)
    starts = transformed.starts
    n_values = len(starts) * length * len(table.names)
    check_memory(
        f"a table of {len(starts):,} windows of {length} × {len(table.names)} values with holes",
        8.0 * COPIES * n_values,
        "use missing='window', or give fewer rows or a smaller max_lag",
    )
    newest_first = transformed.values[starts[:, None] + np.arange(length - 1, -1, -1)]
    windows: Float[np.ndarray, "windows nodes"] = newest_first.reshape(len(starts), -1)
    if not np.isnan(windows).any():
        return None
    return HoledWindows(transformed.table, holed_samples(windows))


class LaggedTests(NamedTuple):
    """Tests of partial correlation between the variables of a window, and what they rest on.

    Args:
        test: The test to search with.
        n_windows: Number of windows.
        length: Rows of each.
        table: The series, or its changes if those are transformed.
        holed: The windows, if any of them has a hole.
    """

    test: PartialCorrelationTest | DeletionTest
    n_windows: int
    length: int
    table: SeriesTable
    holed: HoledWindows | None

    def notes(self, n_parameters: int, largest: Int[np.ndarray, "k sets"]) -> tuple[str, ...]:
        """As `HoledWindows.notes`, or as `notes_on_windows` where there is no hole."""
        if self.holed is None:
            return notes_on_windows(self.table, self.length, self.n_windows, n_parameters)
        return self.holed.notes(self.length, n_parameters, largest)


def lagged_tests(table: SeriesTable, length: int, transform: str, *, testwise: bool) -> LaggedTests:
    """Tests between nodes ``lag * vars + var``: on whole windows, or each on those it finds whole.

    Args:
        table: The series.
        length: Rows of a window.
        transform: What is done to each column before.
        testwise: Whether windows with holes are used.
    """
    holed = holed_windows(table, length, transform) if testwise else None
    if holed is None:
        values, starts, moved = transformed_windows(table, length, transform)
        test = _test_of_windows(values, starts, length)
        return LaggedTests(test, len(starts), length, moved, None)
    samples = holed.samples
    return LaggedTests(DeletionTest(samples), samples.n_samples, length, holed.table, holed)


def _test_of_windows(
    values: Float[AnyRows, "time vars"], starts: Int[np.ndarray, "windows"], length: int
) -> PartialCorrelationTest:
    """A test on whole windows; many of them are correlated in blocks."""
    stored = isinstance(values, StoredRows)
    if stored or len(starts) * length * values.shape[1] > VALUES_AT_ONCE:
        return partial_correlation_test(*correlation_of_windows(values, starts, length))
    newest_first = values[starts[:, None] + np.arange(length - 1, -1, -1)]
    return partial_correlation_test_from_data(newest_first.reshape(len(starts), -1))


def notes_on_windows(
    table: SeriesTable,
    length: int,
    n_used: int,
    n_parameters: int,
    *,
    n_fewest: int | None = None,
    whole: bool = True,
    full: bool = False,
) -> tuple[str, ...]:
    """How many windows were used of how many, and a warning if they are few.

    Args:
        table: The series.
        length: Rows of a window.
        n_used: Windows that were used.
        n_parameters: Of the largest regression, or the largest conditioning set and one; 0 if
            there is none.
        n_fewest: Windows of the test with the fewest, if not all.
        whole: Whether the windows had to be complete.
        full: Whether each target has one regression on all inputs; other methods then need less.
    """
    every = window_starts(np.ones(len(table.values), bool), table.segment, length=length)
    notes = []
    if n_used < len(every):
        outside = 0
        if table.targets is not None:
            outside = int((~table.targets[every + length - 1]).sum())
        holes = len(every) - n_used - outside
        s = "s" * (holes == 1)
        lost = f"hold{s} a missing value" if whole else f"end{s} in a row without values"
        why = [f"{holes} {lost}"] * (holes > 0)
        why += [f"{outside} predict{'s' * (outside == 1)} a row outside the mask"] * (outside > 0)
        notes.append(
            f"{n_used} of {len(every)} windows of {length} rows were used; {' and '.join(why)}."
        )
    fewest = n_used if n_fewest is None else n_fewest
    if fewest < PER_PARAMETER * n_parameters:
        other = ", or compare with method='pc', whose tests have fewer conditions" * full
        notes.append(
            f"{fewest} windows are few for the {n_parameters} parameters of the largest "
            f"regression or test (fewer than {PER_PARAMETER} for each), so edges can be missed or "
            f"false. Give a longer series, a smaller max_lag or fewer variables{other}."
        )
    return tuple(notes)


def notes_on_stepwise(fit: VarFit, n_windows: int) -> tuple[str, ...]:
    """What every link was tested beside, if it was not all others."""
    if fit.chosen is None:
        return ()
    n_terms, largest = (
        int(part.sum(axis=(0, 2)).max(initial=0)) for part in (fit.tested, fit.chosen)
    )
    beside = f"at most {largest} input{'s' * (largest != 1)}" if largest else "none"
    return (
        f"Each variable has {n_terms} inputs and {n_windows} windows, fewer than {FEW_TO_TEST} "
        "for each, so every link was tested beside the inputs that a stepwise regression chose "
        f"({beside}), not beside all others.",
    )
