"""Add a method to `discover`: a frozen dataclass whose fields are its options.

This one ranks links by their absolute cross-correlation. It is known by its name afterwards, its
options are checked like those of any other method, and its result has the same table, page and
files.
"""

import dataclasses
from typing import ClassVar

import numpy as np

import jaxcause as jc
from jaxcause.workflows import DiscoveryInfo, Finding


@jc.methods.register
@dataclasses.dataclass(frozen=True)
class CrossCorrelation(jc.methods.Method):
    """Keep the links whose absolute cross-correlation exceeds a threshold.

    Args:
        threshold: Smallest absolute correlation of an edge.
    """

    name: ClassVar[str] = "cross-correlation"
    title: ClassVar[str] = "absolute cross-correlations"

    threshold: jc.methods.Probability = 0.5

    def __call__(self, table, max_lag, *, key, progress):
        """Correlate every variable with the past of every other."""
        n_vars = len(table.names)
        scores = np.zeros((n_vars, n_vars, max_lag + 1))
        for lag in range(1, max_lag + 1):
            both = np.corrcoef(table.values[:-lag].T, table.values[lag:].T)
            scores[:, :, lag] = np.abs(both[:n_vars, n_vars:])
        info = DiscoveryInfo(
            score="absolute cross-correlation",
            strength="absolute cross-correlation",
            notes=("A common cause of two variables makes them correlate as well.",),
        )
        return Finding(jc.LaggedGraph.from_mask(scores > self.threshold), scores, scores, info)


rng = np.random.default_rng(0)
x = rng.normal(size=(500, 3))
x[2:, 1] += 1.5 * x[:-2, 0]

found = jc.discover(x, 3, names=["rain", "river", "wind"], method="cross-correlation")
print(found.summary())
found = jc.discover(x, 3, method=CrossCorrelation(threshold=0.9))
print(found.headline())

# An option that a method does not have is an error which names those that it has.
try:
    jc.discover(x, 3, method="cross-correlation", alpha=0.01)
except jc.InputError as error:
    print(error)
