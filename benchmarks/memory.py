"""Hidden causes that hang together in time: where the older past stops being an instrument.

Linear systems of ten variables, three parents each at lags to 5, and five hidden causes of three
variables each, every one a first-order autoregression. Edges are selected by t-tests.
"""

import numpy as np

import jaxcause as jc
from benchmarks.lagged.hidden import as_causes, false_of_certain
from jaxcause import metrics
from jaxcause.discovery import Refined, refine

N_VARS, MAX_LAG, N_PARENTS, N_HIDDEN, N_CHILDREN = 10, 5, 3, 5, 3
MEMORIES = (0.0, 0.5, 0.7, 0.9)
LENGTHS = (2_000, 20_000)
SEEDS = range(5)
WAYS = {"the search alone": None, "and instruments": 0.1}


def run() -> list[dict]:
    """F1 and false shares of the edges at q=0.1, means over five systems."""
    rows = []
    for memory in MEMORIES:
        for n_steps in LENGTHS:
            found = {way: [] for way in WAYS}
            for seed in SEEDS:
                series, true = simulated(seed, n_steps, memory)
                selected = jc.discover(series, MAX_LAG, method="var").graph
                for way, q in WAYS.items():
                    refined = refine(selected, series, latents=True, q=q)
                    found[way].append(_figures(refined, true))
            for way, some in found.items():
                means = {name: float(np.mean([one[name] for one in some])) for name in some[0]}
                rows.append({"memory": memory, "T": n_steps, "marks by": way} | means)
                print(rows[-1], flush=True)
    return rows


def simulated(seed: int, n_steps: int, memory: float) -> tuple[np.ndarray, np.ndarray]:
    """The series, and its edges ``[source, target, lag]``."""
    rng = np.random.default_rng(seed)
    weight = np.zeros((N_VARS, N_VARS, MAX_LAG + 1))
    for target in range(N_VARS):
        for place in rng.choice(N_VARS * MAX_LAG, N_PARENTS, replace=False):
            source, lag = divmod(int(place), MAX_LAG)
            weight[source, target, lag + 1] = rng.choice([-1, 1]) * rng.uniform(0.2, 0.5)
    while _growth(weight) >= 0.95:
        weight *= 0.9
    shared = np.zeros((N_HIDDEN, N_VARS, MAX_LAG + 1))
    for cause in range(N_HIDDEN):
        for child in rng.choice(N_VARS, N_CHILDREN, replace=False):
            lag = rng.integers(MAX_LAG + 1)
            shared[cause, child, lag] = rng.choice([-1, 1]) * rng.uniform(0.5, 1)
    warm_up = 200
    x = rng.normal(size=(warm_up + n_steps, N_VARS))
    hidden = rng.normal(size=(len(x), N_HIDDEN))
    for t in range(1, len(x)):
        hidden[t] = memory * hidden[t - 1] + np.sqrt(1 - memory**2) * hidden[t]
    for t in range(MAX_LAG, len(x)):
        past = slice(t - MAX_LAG, t + 1)
        x[t] += np.einsum("li,ijl->j", x[past][::-1], weight)
        x[t] += np.einsum("li,ijl->j", hidden[past][::-1], shared)
    return x[warm_up:], weight != 0


def _growth(weight: np.ndarray) -> float:
    """Largest eigenvalue of the companion matrix: below 1 the series is stable."""
    rows = weight[:, :, 1:].transpose(1, 2, 0).reshape(N_VARS, -1)
    companion = np.vstack([rows, np.eye(N_VARS * (MAX_LAG - 1), N_VARS * MAX_LAG)])
    return float(np.abs(np.linalg.eigvals(companion)).max())


def _figures(refined: Refined, true: np.ndarray) -> dict[str, float]:
    found = np.array(as_causes(refined.graph).directed)
    found[:, :, 0] = False
    return {
        "F1": float(metrics.precision_recall(found, true).f1),
        "false": float(metrics.false_discovery_proportion(found, true)),
        "false of -->": false_of_certain(refined.graph, true),
        "-->": int(np.asarray(refined.graph.directed)[:, :, 1:].sum()),
        "targets in doubt": len((refined.info.instruments or {}).get("doubted", ())),
    }
