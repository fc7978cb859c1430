"""Short series: how well each method ranks edges where windows are few for the inputs.

Each variable has its own past (coefficient .4 at lag 1) and two causes at lags 1 or 2 (coefficients
of .2 to .45), whose sum acts as it is or through tanh; the noise is normal. What counts is which
variable drives which other one, at any lag.
"""

import warnings

import numpy as np

import jaxcause as jc
from benchmarks.core.timing import say
from jaxcause import metrics

SIZES = ((10, 60), (10, 120), (10, 220), (30, 50), (30, 120), (30, 280), (50, 200))
"""Variables and rows."""
MAX_LAG, N_CAUSES, N_SERIES = 2, 2, 5
OWN, WEAKEST, STRONGEST = 0.4, 0.2, 0.45
METHODS = ("gradient", "var", "lasso", "pcmci", "pc")
BURN_IN = 200


def run(*, quick: bool = False) -> list[dict]:
    """A row for each size, mechanism and method: means over the series."""
    rows = []
    for n_vars, n_rows in SIZES[: 1 if quick else None]:
        for mechanism in ("linear", "tanh"):
            for method in METHODS:
                seeds = range(1 if quick else N_SERIES)
                each = [_figures(n_vars, n_rows, mechanism, method, seed) for seed in seeds]
                row = {"variables": n_vars, "rows": n_rows, "mechanism": mechanism}
                row |= {"windows per input": (n_rows - MAX_LAG) / (n_vars * MAX_LAG)}
                row |= {"method": method, "series": len(each)}
                row |= {name: float(np.mean([one[name] for one in each])) for name in each[0]}
                rows.append(row)
                say(str(row))
    return rows


def _figures(n_vars: int, n_rows: int, mechanism: str, method: str, seed: int) -> dict[str, float]:
    """AUROC of the scores; F1, false share and number of edges of the graph, at its defaults."""
    x, truth = _series(n_vars, n_rows, mechanism, seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = jc.discover(x, MAX_LAG, method=method)
    options = {"summary": True, "diagonal": False}
    scores = np.nan_to_num(np.asarray(found.scores, float))
    graph = np.asarray(found.graph.directed)
    edges = graph.any(axis=2) & ~np.eye(n_vars, dtype=bool)
    return {
        "AUROC": float(metrics.auroc(scores, truth, **options)),
        "F1": float(metrics.precision_recall(graph, truth, **options).f1),
        "false share": float(metrics.false_discovery_proportion(graph, truth, **options)),
        "edges": float(edges.sum()),
    }


def _series(n_vars: int, n_rows: int, mechanism: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A series and which variable acts on which."""
    rng = np.random.default_rng(seed)
    weights = np.zeros((MAX_LAG, n_vars, n_vars))
    for target in range(n_vars):
        for cause in rng.choice(n_vars * MAX_LAG, N_CAUSES, replace=False):
            size = rng.choice([-1, 1]) * rng.uniform(WEAKEST, STRONGEST)
            weights[cause // n_vars, cause % n_vars, target] = size
        weights[0, target, target] = OWN
    noise = rng.normal(size=(n_rows + BURN_IN, n_vars))
    x = np.zeros_like(noise)
    for t in range(MAX_LAG, len(x)):
        signal = sum(x[t - lag - 1] @ weights[lag] for lag in range(MAX_LAG))
        x[t] = (np.tanh(signal) if mechanism == "tanh" else signal) + noise[t]
    return x[BURN_IN:], (weights != 0).any(axis=0)
