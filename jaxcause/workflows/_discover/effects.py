"""What the edges of a graph do: signed effects, their intervals, shares, and response curves."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from jaxcause._typing import ResponseCurves
from jaxcause.graph import LaggedGraph
from jaxcause.workflows._saved import as_array, exact

LEVEL = 0.95
"""Confidence of the intervals."""
COLUMNS = ("effect", "low", "high", "share")
"""Columns of the table of edges."""


@dataclasses.dataclass(frozen=True, eq=False)
class Effects:
    r"""Signed effects of the edges of a graph; NaN where there is no edge, or none is known.

    The effect of an edge is the mean slope of the forecast of its target over windows, for a change
    of the source of a tenth of its standard deviation up and down, in units of the data:

    .. math:: D_{ji\ell} = \frac1W \sum_w \frac{f_i(x_w^{+}) - f_i(x_w^{-})}{x_j^{+} - x_j^{-}}

    All other inputs stay as they were observed. Under ``log`` and ``copula`` the two forecasts are
    taken back to the data before they are subtracted, which is the chain rule in each window.
    Slopes of both signs cancel: see the response curve of an edge that is strong, but whose effect
    is 0.

    The share of an edge is by how much the share of the target's variance that the sources in the
    graph explain drops when this one is left out and the others are kept, a number from 0 to 1.
    Where a linear model is meant, it is the drop of R² of a regression on the parents found. Of a
    forecaster it is

    .. math:: S_{ji\ell} = \min\Bigl(1,
        \frac{\tfrac12\,\mathrm E\bigl[(f_i(x) - f_i(x'))^2\bigr]}{\mathrm{Var}\, X_i}\Bigr)

    in the units of the model, where the source has another value in x' that the other sources of
    this target allow: what a linear regression on them says, and a residual from a window half the
    series away. Sources that say the same have small shares, as the others stand in for each; the
    shares of independent sources whose effects add up sum to what they explain together.

    Args:
        mean: Effects ``[source, target, lag]``: units of the target per unit of the source.
        low: Lower end of the confidence interval.
        high: Upper end.
        share: Share of the target's variance that only this source explains.
        deviation: Standard deviation of each variable.
        curves: Mean forecast of the target of each edge along the range of its source, in units of
            the data: see `jaxcause.attribution.response_curves`.
        level: Confidence of the intervals.
        interval: What effects and intervals rest on, in words.
    """

    mean: Float[np.ndarray, "vars vars lags"]
    low: Float[np.ndarray, "vars vars lags"]
    high: Float[np.ndarray, "vars vars lags"]
    share: Float[np.ndarray, "vars vars lags"]
    deviation: Float[np.ndarray, "vars"]
    curves: ResponseCurves
    level: float
    interval: str

    @property
    def standardised(self) -> Float[np.ndarray, "vars vars lags"]:
        """The effects in standard deviations of the target per standard deviation of the source."""
        return self.mean * (self.deviation[:, None] / self.deviation)[:, :, None]

    @property
    def columns(self) -> dict[str, Float[np.ndarray, "vars vars lags"]]:
        """The numbers of each edge, by the names that tables and files give them."""
        return dict(zip(COLUMNS, (self.mean, self.low, self.high, self.share), strict=True))

    def to_dict(self) -> dict[str, Any]:
        """All but the columns, which stand with the edges."""
        return {
            "deviation": exact(self.deviation),
            "level": self.level,
            "interval": self.interval,
            "curves": [
                {"edge": edge, "at": at, "response": response}
                for edge, at, response in zip(
                    self.curves.edges.tolist(),
                    exact(self.curves.at),
                    exact(self.curves.response),
                    strict=True,
                )
            ],
        }

    @classmethod
    def from_dict(
        cls, document: Mapping[str, Any], graph: LaggedGraph, names: list[str]
    ) -> "Effects":
        """The effects of a document whose edges have the columns, as `Discovery.to_dict` made it.

        Raises:
            KeyError: A part is missing.
            ValueError: A part has another shape.
        """
        rest, place = document["effects"], {name: i for i, name in enumerate(names)}
        columns = {name: np.full(graph.marks.shape[:3], np.nan) for name in COLUMNS}
        for edge in document["edges"]:
            cell = place[edge["source"]], place[edge["target"]], edge["lag"]
            for name, column in columns.items():
                value = edge[name]
                column[cell] = np.nan if value is None else float(value)
        curves, n_vars = rest["curves"], len(names)
        edges = np.array([curve["edge"] for curve in curves], np.int64).reshape(-1, 3)
        at, response = (
            as_array([curve[name] for curve in curves], "float64") for name in ("at", "response")
        )
        deviation = as_array(rest["deviation"], "float64")
        outside = (edges < 0) | (edges >= np.array(graph.marks.shape[:3]))
        if deviation.shape != (n_vars,) or at.shape != response.shape or outside.any():
            raise ValueError("the effects do not fit the graph")
        shape = at.shape if at.ndim == 2 else (0, 0)
        return cls(
            *columns.values(),
            deviation=deviation,
            curves=ResponseCurves(edges, at.reshape(shape), response.reshape(shape)),
            level=float(rest["level"]),
            interval=str(rest["interval"]),
        )
