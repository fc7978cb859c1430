"""PCMCI and PCMCI+: seconds and memory beside tigramite, where it is installed."""

import json
import multiprocessing
import resource
import time

import jax
import numpy as np

from jaxcause.discovery import lagged_correlation, pcmci, pcmci_plus

MAX_LAG, N_STEPS, REPEATS = 5, 1000, 3
SIZES = (10, 50, 100)


def run(*, quick: bool = False) -> list[dict]:
    """P = 10, 50 and 100 (not if ``quick``), T = 1,000; each in a process of its own."""
    rows = []
    for n_vars in SIZES[: 2 if quick else 3]:
        for method in ("pcmci", "pcmci+"):
            with multiprocessing.get_context("spawn").Pool(1) as alone:
                ours = alone.apply(measure, (n_vars, method))
            with multiprocessing.get_context("spawn").Pool(1) as alone:
                theirs = alone.apply(measure_peer, (n_vars, method))
            rows.append(beside(n_vars, method, ours, theirs))
            print(json.dumps(rows[-1]), flush=True)
    return rows


def beside(n_vars: int, method: str, ours: dict, theirs: dict | None) -> dict:
    row = {
        "method": method,
        "p": n_vars,
        "T": N_STEPS,
        "lags": MAX_LAG,
        "cold s": ours["cold"],
        "warm s": ours["warm"],
        "peak GiB": ours["peak"],
        "tests": ours["tests"],
    }
    if theirs is not None:
        tested = ~np.isnan(ours["p"])
        difference = np.abs(ours["p"] - theirs["p"])[tested]
        row |= {
            "tigramite s": theirs["seconds"],
            "ratio": theirs["seconds"] / ours["warm"],
            "largest difference of p": float(difference.max()),
            "edges": int((theirs["graph"] != "").sum()),
            "edges that differ": int((ours["graph"] != theirs["graph"]).sum()),
        }
    return row


def simulated(n_vars: int) -> np.ndarray:
    """A stable linear autoregression: two parents besides the own past, some links at lag 0."""
    rng = np.random.default_rng(n_vars)
    lagged = np.zeros((MAX_LAG, n_vars, n_vars))
    now = np.zeros((n_vars, n_vars))
    for target in range(n_vars):
        lagged[0, target, target] = 0.4
        for source in rng.choice(n_vars, 2, replace=False):
            lagged[rng.integers(MAX_LAG), source, target] += rng.choice([-0.2, 0.2])
        if target and rng.random() < 0.3:
            now[rng.integers(target), target] = 0.4
    x = rng.normal(size=(N_STEPS + 100, n_vars))
    within = np.linalg.inv(np.eye(n_vars) - now)
    for t in range(MAX_LAG, len(x)):
        x[t] = (x[t] + sum(x[t - lag - 1] @ lagged[lag] for lag in range(MAX_LAG))) @ within
    assert np.abs(x).max() < 100
    return x[100:]


def measure(n_vars: int, method: str) -> dict:
    x = simulated(n_vars)
    seconds = []
    for _ in range(1 + REPEATS):
        began = time.perf_counter()
        corr, n = lagged_correlation(x, np.arange(len(x) - 2 * MAX_LAG), max_lag=MAX_LAG)
        if method == "pcmci":
            found = pcmci(corr, n, n_vars=n_vars, pc_alpha=0.2, alpha=0.01)
        else:
            found = pcmci_plus(corr, n, n_vars=n_vars, pc_alpha=0.01)
        seconds.append(time.perf_counter() - began)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    in_use = (jax.local_devices()[0].memory_stats() or {}).get("peak_bytes_in_use", 0) / 2**30
    return {
        "cold": seconds[0],
        "warm": float(np.median(seconds[1:])),
        "peak": max(peak, in_use),
        "tests": int(found.info.n_tests.sum() + found.info.n_tests_mci.sum()),
        "p": found.p_value,
        "graph": symbols(np.asarray(found.graph.marks)),
    }


def measure_peer(n_vars: int, method: str) -> dict | None:
    try:
        from tigramite import data_processing
        from tigramite.independence_tests.parcorr import ParCorr
        from tigramite.pcmci import PCMCI
    except ImportError:
        return None
    peer = PCMCI(data_processing.DataFrame(simulated(n_vars)), ParCorr())
    began = time.perf_counter()
    if method == "pcmci":
        found = peer.run_pcmci(tau_max=MAX_LAG, pc_alpha=0.2, alpha_level=0.01)
    else:
        found = peer.run_pcmciplus(tau_max=MAX_LAG, pc_alpha=0.01)
    seconds = time.perf_counter() - began
    return {"seconds": seconds, "p": found["p_matrix"], "graph": found["graph"]}


def symbols(marks: np.ndarray) -> np.ndarray:
    """Edges as tigramite writes them."""
    names = {(3, 2): "-->", (2, 3): "<--", (1, 1): "o-o", (4, 4): "x-x"}
    text = np.full(marks.shape[:3], "", "U3")
    for ends, name in names.items():
        text[(marks == ends).all(axis=-1)] = name
    return text
