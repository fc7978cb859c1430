"""`discover` at its default settings: simulated systems, and real series where they are at hand."""

import time
from pathlib import Path

import jax
import numpy as np

import jaxcause as jc
from jaxcause import metrics, simulate
from jaxcause.io import read_csv

KEYS = (0, 1, 2)


def run(data: Path | None) -> list[dict]:
    """All rows; those on data files only if ``data`` is given."""
    rows = []
    studies = [simulated(kind) for kind in ("nonlinear", "linear")]
    studies += [lorenz(data), rivers(data)] if data is not None else []
    for study in studies:
        for row in study:
            print(row, flush=True)
            rows.append(row)
    return rows


def simulated(function: str):
    """n=10, L=5, three parents each, T=50,000: edges found, beside the linear baseline's."""
    for seed in KEYS:
        series, truth = simulate.vector_autoregression(
            jax.random.key(seed), n_vars=10, max_lag=5, n_steps=50_000, function=function
        )
        series = np.asarray(series)
        began = time.perf_counter()
        found = jc.discover(series, 5, key=jax.random.key(seed), progress=False)
        seconds = time.perf_counter() - began
        linear = jc.discover(series, 5, method="var")
        ours, theirs = (metrics.precision_recall(f.graph, truth) for f in (found, linear))
        yield {
            "data": f"{function} VAR n=10 L=5 T=50000",
            "seed": seed,
            "AUROC": float(metrics.auroc(found.scores, truth)),
            "F1@3": float(metrics.f1_at_k(found.scores, truth, 3)),
            "F1": float(ours.f1),
            "FDP": 1 - float(ours.precision),
            "F1 linear": float(theirs.f1),
            "error": found.info["held_out_error"],
            "error linear": found.info["held_out_error_linear"],
            "chosen by": found.info["selection"],
            "seconds": seconds,
        }


def lorenz(data: Path):
    """Lorenz-96, T=1,000: AUROC of the off-diagonal summary graph."""
    for forcing in (10, 40):
        case = np.load(data / "lorenz96" / f"F_{forcing}_T_1000_dataset_1.npz")
        truth = case["Gref"].T.astype(bool)
        for max_lag in (1, 3, 5):
            for seed in KEYS:
                began = time.perf_counter()
                found = jc.discover(
                    case["X_np"].T, max_lag, key=jax.random.key(seed), progress=False
                )
                score = metrics.auroc(found.scores, truth, summary=True, diagonal=False)
                yield {
                    "data": f"Lorenz-96 F={forcing} L={max_lag}",
                    "seed": seed,
                    "AUROC": float(score),
                    "error": found.info["held_out_error"],
                    "error linear": found.info["held_out_error_linear"],
                    "chosen by": found.info["selection"],
                    "seconds": time.perf_counter() - began,
                }


def rivers(data: Path):
    """Bavarian rivers: the strongest root gradient energy into Dillingen from each other gauge."""
    table = read_csv(data / "rivers" / "rivers.csv")
    for seed in KEYS:
        began = time.perf_counter()
        found = jc.discover(table, 3, key=jax.random.key(seed), progress=False)
        into = found.strength[:, found.names.index("dillingen")].max(axis=-1)
        yield {
            "data": "rivers L=3",
            "seed": seed,
            "from Kempten": float(into[found.names.index("kempten")]),
            "from Lenggries": float(into[found.names.index("lenggries")]),
            "error": found.info["held_out_error"],
            "error linear": found.info["held_out_error_linear"],
            "chosen by": found.info["selection"],
            "seconds": time.perf_counter() - began,
        }
