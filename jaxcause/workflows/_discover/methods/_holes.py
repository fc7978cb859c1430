"""What the methods that test pairs do about missing values, as an option."""

import dataclasses
from typing import Literal

from jaxcause.workflows._discover.methods._devices import SharedMethod


@dataclasses.dataclass(frozen=True, kw_only=True)
class HoledMethod(SharedMethod):
    """Base of the methods whose tests can each use other windows.

    Args:
        missing: ``window`` leaves out windows with a missing value; ``testwise`` uses in each test
            the windows that hold all its variables (`jaxcause.stats.DeletionTest`), which
            assumes that no two variables cause values to be missing together.
    """

    missing: Literal["window", "testwise"] = "window"

    @property
    def masks_missing(self) -> bool:
        """Whether windows with missing values may be used."""
        return self.missing == "testwise"
