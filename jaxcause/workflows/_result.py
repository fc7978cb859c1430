"""What `discover` returns."""

import dataclasses
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from jaxcause._typing import AnyArray
from jaxcause.graph import LaggedGraph
from jaxcause.workflows._forecaster import TrainedForecaster


@dataclasses.dataclass(frozen=True)
class Discovery:
    """The lagged causal graph of a series, and what it rests on.

    Args:
        graph: Edges ``X_i(t-lag) *-* X_j(t)``.
        scores: What the edges were chosen by, ``[source, target, lag]``; lag 0 is all zero.
        strength: The size of each effect, ``[source, target, lag]``; what it is stands in
            ``info["strength"]``.
        names: Names of the variables.
        forecaster: The trained Transformer; None for methods without one.
        info: Settings, errors, times, and notes in plain sentences.
    """

    graph: LaggedGraph
    scores: Float[AnyArray, "vars vars lags"]
    strength: Float[AnyArray, "vars vars lags"]
    names: tuple[str, ...]
    forecaster: TrainedForecaster | None
    info: dict[str, Any]

    @property
    def table(self) -> Shaped[np.ndarray, "edges"]:
        """The edges, strongest first: ``source, target, lag, edge, score, strength``.

        A structured array: ``table["score"]`` is a column, and ``pandas.DataFrame(table)`` a frame.
        """
        at = {name: i for i, name in enumerate(self.names)}
        scores, strength = np.asarray(self.scores), np.asarray(self.strength)
        rows = []
        for source, lag, symbol, target in self.graph.edges(self.names):
            cell = at[source], at[target], lag
            rows.append((source, target, lag, symbol, float(scores[cell]), float(strength[cell])))
        rows.sort(key=lambda row: -row[5])
        width = max(1, *(len(name) for name in self.names))
        text = f"U{width}"
        columns = [("source", text), ("target", text), ("lag", int), ("edge", "U3")]
        return np.array(rows, dtype=[*columns, ("score", float), ("strength", float)])
