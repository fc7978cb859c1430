"""What `discover` costs with many variables, what its screen of inputs loses, and what is found.

Every row is made in a process of its own. Seconds of one core are those of the processor, which
other work on the machine changes less than those of the clock; two free cores take a little more
than half of them. Seeds from 100 on were not used while constants were chosen.
"""

import os
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import jax
import numpy as np

from benchmarks.core.apart import answer, apart, peak_mebibytes
from jaxcause import attribution, metrics, simulate
from jaxcause import discover as discover_graph
from jaxcause.models.forecaster import ForecasterConfig, init_params, predictor
from jaxcause.series import as_series_table, link_knowledge
from jaxcause.training import fit
from jaxcause.workflows._discover import prepare, training
from jaxcause.workflows._discover.screen import candidate_links, with_screen

ITSELF = "benchmarks.scale"
N_VARS, STAGE_ROWS, MAX_LAG = (25, 50, 100, 200), 10_000, 5
STEPS = 20
WHOLE = (
    (100, 10_000, "linear"),
    (100, 10_000, "mlp_additive"),
    (200, 10_000, "linear"),
    (200, 10_000, "mlp_additive"),
)
SEED = 100
KEPT = (50, 100, 200)
SHAPES = ("linear", "monotonic", "pl+m", "mlp_additive", "even", "product", "exclusive or")
STAGES = "stages, seconds of one core"


def run(*, quick: bool) -> list[dict]:
    """Stages by size with their exponents, recall of the screen, and whole runs."""
    rows = list(
        _with_exponents([apart(ITSELF, "stages", [n]) for n in N_VARS[: 3 if quick else 4]])
    )
    rows += [row for shape in SHAPES for row in apart(ITSELF, "recall", [shape])]
    rows += [apart(ITSELF, "whole", which) for which in WHOLE[: 2 if quick else None]]
    return rows


def stages(n_vars: int) -> dict[str, Any]:
    """Processor seconds of each stage, compiled code at hand."""
    series = _series("mlp_additive", n_vars, STAGE_ROWS, SEED)[0]
    table = as_series_table(series)
    known = link_knowledge(table.names, MAX_LAG)
    found: dict[str, Any] = {"table": STAGES, "n": n_vars, "T": STAGE_ROWS}
    options = prepare.WindowOptions(0.2)
    how = {"known": known, "transform": "standardise", "options": options}
    data, found["linear models"] = _timed(lambda: prepare.prepare(table, MAX_LAG, **how))
    screened, found["screen"] = _timed(lambda: with_screen(data, 100))
    _, found["linear evidence"] = _timed(data.linear_evidence)
    config = ForecasterConfig(n_vars, MAX_LAG, skip=True)
    found["a step of training"] = _seconds_of_a_step(config, screened)
    params = init_params(jax.random.key(0), config)
    windows = np.asarray(data.filled[:1024, None] * np.ones((1, MAX_LAG, 1)), np.float32)

    def read() -> None:
        attribution.gradient_energy(predictor(config, params), windows).block_until_ready()

    read()
    found["gradients of 1,024 windows"] = _timed(read)[1]
    return found | {"MiB": peak_mebibytes()}


def whole(n_vars: int, n_rows: int, function: str) -> dict[str, Any]:
    """One call of `discover`, and how right its graph is."""
    series, true = _series(function, n_vars, n_rows, SEED)
    began, cpu = time.perf_counter(), time.process_time()
    found = discover_graph(series, MAX_LAG, key=jax.random.key(0), progress=False)
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    graph, info = np.asarray(found.graph.directed), found.info
    best = np.asarray(attribution.select_top_k(np.asarray(found.scores), 3).directed)
    return {
        "table": "whole runs",
        "n": n_vars,
        "T": n_rows,
        "function": function,
        "seconds": seconds,
        "CPU s": cpu,
        **{f"{stage}, s": took for stage, took in info.seconds.items()},
        "MiB": peak_mebibytes(),
        "steps": info.steps,
        "edges chosen by": info.selection,
        "links looked at, per target": info.screen or n_vars * MAX_LAG,
        "F1@3": float(metrics.precision_recall(best, true).f1),
        "F1 q=0.1": float(metrics.precision_recall(graph, true).f1),
        "FDP q=0.1": float(metrics.false_discovery_proportion(graph, true)),
    }


def recall(shape: str) -> list[dict]:
    """Share of the true links from other variables that a screen of 200 variables keeps."""
    series, true = _series(shape, 200, STAGE_ROWS, SEED)
    table = as_series_table(series)
    known, options = link_knowledge(table.names, MAX_LAG), prepare.WindowOptions(0.2)
    data = prepare.prepare(table, MAX_LAG, known=known, transform="standardise", options=options)
    cross = true & ~np.eye(200, dtype=bool)[:, :, None]
    row = {"table": "recall of the screen (n=200, L=5, T=10,000)", "effects": shape}
    for kept in KEPT:
        seen = with_screen(data, kept).candidates
        row[f"of {kept}"] = float((seen & cross).sum() / cross.sum())
    linear = data.linear_evidence(of_training=True)
    alone = candidate_links(linear, linear, known, kept=100)
    return [row | {"of 100, linear alone": float((alone & cross).sum() / cross.sum())}]


def _series(shape: str, n_vars: int, n_rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A series and its true links ``[source, target, lag]``."""
    if shape in CURVED:
        return curved_system(CURVED[shape], n_vars, n_rows, seed)
    made = simulate.lagged_system(
        jax.random.key(seed), n_vars=n_vars, max_lag=MAX_LAG, n_steps=n_rows, function=shape
    )
    return np.asarray(made.series, float), np.asarray(made.truth.directed)


CURVED: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "even": lambda a, b: (np.minimum(np.abs(a), 2) + np.minimum(np.abs(b), 2) - 1.56) / 0.8,
    "product": lambda a, b: np.clip(a, -2, 2) * np.clip(b, -2, 2),
    "exclusive or": lambda a, b: np.sign(a * b),
}
"""Effects of two parents without a linear trace; their mean is about 0, their variance about 1."""


def curved_system(
    effect: Callable[[np.ndarray, np.ndarray], np.ndarray], n_vars: int, n_rows: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Two parents each, which explain a third of the variance together; the rest is noise."""
    rng = np.random.default_rng(seed)
    parents = np.stack([rng.choice(n_vars - 1, 2, replace=False) for _ in range(n_vars)])
    parents += parents >= np.arange(n_vars)[:, None]
    lags = rng.integers(1, MAX_LAG + 1, (n_vars, 2))
    x = rng.normal(size=(n_rows + 100, n_vars))
    for t in range(MAX_LAG, len(x)):
        a, b = (x[t - lags[:, k], parents[:, k]] for k in (0, 1))
        x[t] = np.sqrt(1 / 3) * effect(a, b) + np.sqrt(2 / 3) * x[t]
    true = np.zeros((n_vars, n_vars, MAX_LAG + 1), bool)
    for k in (0, 1):
        true[parents[:, k], np.arange(n_vars), lags[:, k]] = True
    return x[100:], true


def _seconds_of_a_step(config: ForecasterConfig, data: prepare.Prepared) -> float:
    """The median over calls of five steps, but for the first, which compiles."""
    settings = training.default_training(len(data.split.train), config)
    settings = settings.__class__(STEPS, steps_per_call=5, n_evaluations=1)
    ends: list[float] = []
    fit(
        training.Loss(config),
        init_params(jax.random.key(0), config),
        training.series_rows(config, data, settings),
        data.split.train,
        data.split.held_out,
        length=MAX_LAG,
        config=settings,
        seed=(1,),
        on_progress=lambda _: ends.append(time.process_time()),
    )
    return float(np.median(np.diff(ends))) / settings.call_length


def _with_exponents(rows: list[dict]) -> Iterator[dict]:
    """The rows, and the exponent of n between the two largest sizes."""
    yield from rows
    last, before = rows[-1], rows[-2]
    exponent = {"table": STAGES, "n": "exponent", "T": ""}
    for name in last.keys() - exponent.keys():
        exponent[name] = np.log(last[name] / before[name]) / np.log(last["n"] / before["n"])
    yield exponent


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    began = time.process_time()
    return work(), time.process_time() - began


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    answer({"stages": stages, "whole": whole, "recall": recall})
