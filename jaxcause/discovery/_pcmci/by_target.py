"""Tests whose samples count differently for each target."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from jaxcause._typing import CIResult
from jaxcause.discovery._pcmci.student_test import StudentTest


class TestsByTarget(NamedTuple):
    """A `StudentTest` for each target; it serves all tests whose second node the target is."""

    __test__ = False  # Not for pytest.

    tests: tuple[StudentTest, ...]

    @property
    def n_nodes(self) -> int:
        """Number of nodes."""
        return self.tests[0].n_nodes

    @property
    def n_samples(self) -> int:
        """Rows behind each of them."""
        return self.tests[0].n_samples

    def __call__(
        self,
        x: Int[np.ndarray, "rows"],
        y: Int[np.ndarray, "rows"],
        cond: Int[np.ndarray, "rows k"],
    ) -> CIResult:
        """Test x ⊥ y | S for each row, y a variable at lag 0."""
        r, p_value = np.zeros(len(x)), np.ones(len(x))
        for target in np.unique(y).tolist():
            rows = np.flatnonzero(y == target)
            r[rows], p_value[rows] = self.tests[target](x[rows], y[rows], cond[rows])
        return CIResult(r, p_value)

    def residual_variance(
        self, y: Int[np.ndarray, "rows"], cond: Int[np.ndarray, "rows k"]
    ) -> Float[np.ndarray, "rows"]:
        """Share of the variance of y that is left given S."""
        left = np.zeros(len(y))
        for target in np.unique(y).tolist():
            rows = np.flatnonzero(y == target)
            left[rows] = self.tests[target].residual_variance(y[rows], cond[rows])
        return left
