"""A series and what is known of it."""

from typing import Any, NamedTuple

import numpy as np

from jaxcause import simulate


class Case(NamedTuple):
    """A series and its true graph: every lag, or only which variable drives which.

    ``series`` is a list where a panel of short series was observed. ``system`` is the simulated
    system if there are hidden causes.
    """

    series: np.ndarray | list[np.ndarray]
    truth: Any
    max_lag: int
    domain: np.ndarray | None = None
    summary: bool = False
    system: simulate.LaggedSystem | None = None
