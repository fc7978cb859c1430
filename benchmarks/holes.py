"""Missing values: the level of the tests, and the edges of the searches, by how they are treated.

Two variables depend on two common causes alone (level), or six variables do, a step later, on two
causes that they share (edges). Cells are missing at random, or where a cause is large or small.
"""

import time

import numpy as np
from tqdm.auto import tqdm

import jaxcause as jc
from benchmarks.core.timing import say
from jaxcause import partial_correlation_test_from_data

SHARES = (0.05, 0.2, 0.4)
LEVEL, N_SYSTEMS, N_SERIES = 0.05, 1000, 6


def run(*, quick: bool = False) -> list[dict]:
    """Rows of the level of tests, then of searches."""
    rows = []
    for n_rows in (200, 1000):
        for share in SHARES[: 1 if quick else None]:
            for why in ("at random", "because of a cause"):
                rows.append(_level(n_rows, share, why, 50 if quick else N_SYSTEMS))
                say(str(rows[-1]))
    for share, n_rows in ((0.05, 500), (0.2, 2000))[: 1 if quick else None]:
        for method in ("pc", "pcmci", "pcmci+", "tigramite PCMCI"):
            for missing in ("window", "testwise"):
                row = _edges(share, n_rows, method, missing, 1 if quick else N_SERIES)
                rows += [] if row is None else [row]
                say(str(rows[-1]))
    return rows


def _level(n_rows: int, share: float, why: str, n: int) -> dict:
    """How often a test at level .05 finds an edge that is not there."""
    found = {"whole rows": [], "pairwise": [], "testwise": []}
    for seed in range(n):
        x = _common_causes(seed, n_rows, share, why)
        whole = x[~np.isnan(x).any(axis=1)]
        tests = {
            "whole rows": lambda whole=whole: partial_correlation_test_from_data(whole),
            "pairwise": lambda x=x: partial_correlation_test_from_data(x, missing="pairwise"),
            "testwise": lambda x=x: partial_correlation_test_from_data(x, missing="testwise"),
        }
        for name, made in tests.items():
            found[name].append(float(made()(0, 1, np.array([2, 3])).p_value) < LEVEL)
    row = {"what": "tests at level .05", "rows": n_rows, "missing": f"{share:.0%} {why}"}
    return row | {f"false, {name}": float(np.mean(hits)) for name, hits in found.items()}


def _common_causes(seed: int, n_rows: int, share: float, why: str) -> np.ndarray:
    rng = np.random.default_rng(seed)
    causes = rng.normal(size=(n_rows, 2))
    causes[:, 1] += causes[:, 0]
    x = np.c_[causes.sum(1, keepdims=True) + 0.5 * rng.normal(size=(n_rows, 2)), causes]
    if why == "at random":
        x[rng.random(x.shape) < share] = np.nan
        return x
    large = 1 / (1 + np.exp(np.c_[-3 * causes[:, 0], 3 * causes[:, 0]]))
    x[:, :2][rng.random((n_rows, 2)) < 2 * share * large] = np.nan
    return x


def _edges(share: float, n_rows: int, method: str, missing: str, n: int) -> dict | None:
    """F1 over links at lags 1 to 3, false and missed ones; None where it cannot run."""
    scores, started = [], time.perf_counter()
    for seed in tqdm(range(n), desc=f"{method} {missing}", leave=False):
        x, truth = _hubs(seed, n_rows, share)
        try:
            there = _found(x, method, missing)
        except (jc.InputError, ImportError) as error:
            say(f"{method}, {missing}: {error}")
            return None
        hits = (there & truth).sum()
        scores.append([2 * hits / (there.sum() + truth.sum()), (there & ~truth).sum()])
        scores[-1].append((truth & ~there).sum())
    row = {"what": method, "rows": n_rows, "missing": f"{share:.0%} at random", "option": missing}
    means = dict(zip(("F1", "false links", "missed links"), np.mean(scores, axis=0), strict=True))
    return row | means | {"seconds": (time.perf_counter() - started) / n}


def _hubs(seed: int, n_rows: int, share: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x, truth = rng.normal(size=(n_rows, 8)), np.zeros((8, 8, 3), bool)
    truth[np.arange(8), np.arange(8), 0] = truth[0, 1, 0] = True
    truth[0, 2:, 1] = truth[1, 2:, 0] = True
    for t in range(2, n_rows):
        x[t] += 0.6 * x[t - 1]
        x[t, 1] += 0.8 * x[t - 1, 0]
        x[t, 2:] += x[t - 2, 0] + x[t - 1, 1]
    x[rng.random(x.shape) < share] = np.nan
    return x, truth


def _found(x: np.ndarray, method: str, missing: str) -> np.ndarray:
    if method != "tigramite PCMCI":
        found = jc.discover(x, 3, method=method, missing=missing, progress=False)
        return np.asarray(found.graph.directed)[:, :, 1:]
    if missing != "testwise":
        raise ImportError("tigramite always leaves out samples by test")
    from tigramite import data_processing
    from tigramite.independence_tests.parcorr import ParCorr
    from tigramite.pcmci import PCMCI

    frame = data_processing.DataFrame(np.where(np.isnan(x), -999.0, x), missing_flag=-999.0)
    search = PCMCI(frame, ParCorr(), verbosity=0)
    found = search.run_pcmci(tau_max=3, pc_alpha=0.2, alpha_level=0.1, fdr_method="fdr_bh")
    # As many links are tested, and selected at the same false-discovery rate.
    return found["graph"][:, :, 1:] == "-->"
