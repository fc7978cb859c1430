"""How strong edges at lag 0 are: no forecaster of the next step measures that."""

import numpy as np
from jaxtyping import Float

from jaxcause._typing import CITest
from jaxcause.discovery._refine.evaluate import statistics_given_past
from jaxcause.discovery._refine.given_past import PastConditionedTest, selected_past
from jaxcause.graph import LaggedGraph, Mark

CONTEMPORANEOUS_STRENGTH = "absolute partial correlation given the other parents of both ends"
"""What `contemporaneous_strength` measures, where the test is one of partial correlations."""


def contemporaneous_strength(test: CITest, graph: LaggedGraph) -> Float[np.ndarray, "vars vars"]:
    """|Statistic| of each edge at lag 0 given the other parents of both ends; symmetric, else 0.

    Parents are possible causes: sources of lagged edges without an arrowhead at the source, and of
    ``-->`` at lag 0.

    Args:
        test: Test over nodes ``lag * vars + var``.
        graph: The edges.
    """
    marks, n_vars = np.asarray(graph.marks), graph.n_vars
    causes = (marks[..., 0] != Mark.NONE) & (marks[..., 0] != Mark.ARROW)
    causes[:, :, 0] = np.asarray(graph.directed)[:, :, 0]
    strength = np.zeros((n_vars, n_vars))
    x, y = np.nonzero(np.triu(marks[:, :, 0, 0] != Mark.NONE, 1))
    if x.size:
        given = PastConditionedTest(test, selected_past(causes, contemporaneous=True))
        strength[x, y] = strength[y, x] = np.abs(statistics_given_past(given, x, y))
    return strength
