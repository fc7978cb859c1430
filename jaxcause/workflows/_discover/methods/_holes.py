"""What the methods that test pairs do about missing values, as an option."""

import dataclasses
from typing import TYPE_CHECKING, Literal

from jaxcause.workflows._discover.methods._devices import SharedMethod

if TYPE_CHECKING:
    from jaxcause.series import SeriesTable


@dataclasses.dataclass(frozen=True, kw_only=True)
class HoledMethod(SharedMethod):
    """Base of the methods whose tests can each use other windows.

    Args:
        missing: ``window`` leaves out windows with a missing value; ``testwise`` uses in each test
            the windows that hold all its variables (`jaxcause.stats.DeletionTest`), which assumes
            that no two variables cause values to be missing together; ``auto`` does so where less
            than half of the windows are complete, of a series in memory.
    """

    missing: Literal["auto", "window", "testwise"] = "auto"

    @property
    def masks_missing(self) -> bool:
        """Whether windows with missing values may be used."""
        return self.missing != "window"

    def by_test(self, table: "SeriesTable", length: int) -> bool:
        """Whether each test uses the windows that hold its variables, of windows of ``length``."""
        from jaxcause._stored import StoredRows
        from jaxcause.workflows._discover.prepare import mostly_missing

        if self.missing != "auto":
            return self.missing == "testwise"
        return not isinstance(table.values, StoredRows) and mostly_missing(table, length - 1)
