"""Parents of the mean and of the variance: which of them a Gaussian head tells apart.

Systems as of Mask2Cause: parents of the mean and of the variance differ. An edge of the graph is
said to act on the mean, or on the variance, if a tenth of its score energy or more does.
"""

import jax
import numpy as np

import jaxcause as jc
from benchmarks.core.timing import say
from jaxcause import simulate

SYSTEMS = {
    "2 on the mean, 1 on the variance": {"n_parents": 2, "n_variance_parents": 1},
    "1 on the mean, 2 on the variance": {"n_parents": 1, "n_variance_parents": 2},
    "none on the mean, 2 on the variance": {"n_parents": 0, "n_variance_parents": 2},
}
LENGTHS = (2_000, 10_000)
LEAST = 0.1
N_VARS, MAX_LAG, N_KEYS = 10, 5, 3


def run(*, quick: bool = False) -> list[dict]:
    """Rows of systems, lengths and heads, each a mean over keys."""
    rows = []
    for name, options in SYSTEMS.items():
        for n_steps in LENGTHS[: 1 if quick else None]:
            for head in ("mean", "gaussian"):
                keys = range(1 if quick else N_KEYS)
                found = [_judged(options, n_steps, head, seed) for seed in keys]
                row = {"parents of each variable": name, "T": n_steps, "head": head}
                row |= {k: float(np.mean([one[k] for one in found])) for k in found[0]}
                rows.append(row | {"keys": len(found)})
                say(str(rows[-1]))
    return rows


def _judged(options: dict, n_steps: int, head: str, seed: int) -> dict[str, float]:
    key = jax.random.key(seed)
    made = simulate.variance_parents(
        key, n_vars=N_VARS, max_lag=MAX_LAG, n_steps=n_steps, **options
    )
    found = jc.discover(np.asarray(made.series), MAX_LAG, head=head, key=key, progress=False)
    graph = np.asarray(found.graph.directed)
    truth = np.asarray(made.truth.directed)
    row = {"F1, all edges": _f1(graph, truth)}
    parts = found.info.parts
    if not parts or "variance_part" not in parts:
        return row
    mean, variance = (np.asarray(parts[name]) for name in ("mean_part", "variance_part"))
    share = variance / np.maximum(mean + variance, 1e-30)
    row["F1, edges on the mean"] = _f1(graph & (share <= 1 - LEAST), made.on_mean)
    row["F1, edges on the variance"] = _f1(graph & (share >= LEAST), made.on_variance)
    row["said of the wrong moment"] = float(
        (graph & made.on_mean & (share > 0.5)).sum()
        + (graph & made.on_variance & (share <= 0.5)).sum()
    )
    return row


def _f1(mask: np.ndarray, truth: np.ndarray) -> float:
    total = mask.sum() + truth.sum()
    return float(2 * (mask & truth).sum() / total) if total else 1.0
