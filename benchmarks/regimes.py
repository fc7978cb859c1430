"""Regimes that are found: against those simulated, in stationary series, and what they are for."""

import time
from collections.abc import Callable, Iterator

import jax
import numpy as np

import jaxcause as jc
from benchmarks.core.timing import say
from benchmarks.lagged import settings
from jaxcause import metrics
from jaxcause.series import find_regimes

SEEDS = (0, 1, 2)
SETTINGS = ("domains=2", "domains=5", "domains=10", "n=10", "pl+m", "heteroscedastic")
FRESH = 5000
"""First seed of the stationary series; thresholds were chosen on seeds below 2,000."""
SIZES = ((1000, 5), (5000, 8))
"""Rows and variables of stationary series."""


def run(*, quick: bool = False) -> list[dict]:
    """All rows; a quick run reads no graph, and makes few stationary series."""
    rows = []
    for name in SETTINGS:
        rows.append(_of_setting(name, quick=quick))
        say(str(rows[-1]))
    for row in _stationary(3 if quick else 20):
        rows.append(row)
        say(str(row))
    return rows


def _of_setting(name: str, *, quick: bool) -> dict:
    """Means over the seeds: the index that was found; F1 without it, with it, with the truth."""
    found: dict[str, list[float]] = {}

    def note(what: str, value: float) -> None:
        found.setdefault(what, []).append(value)

    numbers = []
    for seed in SEEDS:
        case = settings.load(name, "reduced", seed, None)
        series = np.asarray(case.series, np.float64)
        true = np.zeros(len(series), int) if case.domain is None else case.domain
        began = time.process_time()
        regimes = find_regimes(series, max_lag=case.max_lag)
        note("CPU s", time.process_time() - began)
        numbers.append(regimes.n_regimes)
        note("rows in a wrong regime", wrong_share(true, regimes.domain))
        changes = np.flatnonzero(np.diff(true)) + 1
        nearest = [int(np.abs(regimes.starts - row).min()) for row in changes]
        if nearest:
            note("rows off a boundary, median", float(np.median(nearest)))
            note("rows off a boundary, most", float(max(nearest)))
        if not quick:
            known = {"none": None, "found": "auto"} | (
                {} if case.domain is None else {"given": case.domain}
            )
            for label, domain in known.items():
                note(f"F1 {label}", _f1(case, domain, seed))
    return {
        "table": "Simulated settings",
        "setting": name,
        "regimes": int(true.max()) + 1,
        "found": ", ".join(map(str, numbers)),
        **{what: float(np.mean(values)) for what, values in found.items()},
    }


def _f1(case: settings.Case, domain: object, seed: int) -> float:
    key = jax.random.key(seed)
    found = jc.discover(case.series, case.max_lag, key=key, domain=domain, progress=False)
    return float(metrics.precision_recall(found.graph.directed, case.truth.directed).f1)


def wrong_share(true: np.ndarray, found: np.ndarray) -> float:
    """Share of rows outside the best one-to-one match of regimes, matched largest first."""
    table = np.zeros((true.max() + 1, found.max() + 1))
    np.add.at(table, (true, found), 1)
    right = 0.0
    for _ in range(min(table.shape)):
        i, j = np.unravel_index(np.argmax(table), table.shape)
        right += table[i, j]
        table[i], table[:, j] = 0, 0
    return 1 - right / len(true)


Simulate = Callable[[np.random.Generator, int, int], np.ndarray]


def _stationary(n_series: int) -> Iterator[dict]:
    for kind, simulate in STATIONARY.items():
        for n_rows, n_vars in SIZES:
            numbers = [
                find_regimes(
                    simulate(np.random.default_rng(seed), n_rows, n_vars), max_lag=3
                ).n_regimes
                for seed in range(FRESH, FRESH + n_series)
            ]
            yield {
                "table": "Series of one regime",
                "series": kind,
                "rows": n_rows,
                "variables": n_vars,
                "number": n_series,
                "with several regimes": sum(number > 1 for number in numbers),
            }


def _links(rng: np.random.Generator, n_vars: int, n_lags: int = 3) -> np.ndarray:
    """Three parents for each variable, ``[lag, target, source]``."""
    links = np.zeros((n_lags, n_vars, n_vars))
    for target in range(n_vars):
        for cell in rng.choice(n_vars * n_lags, 3, replace=False):
            size = rng.choice([-1, 1]) * rng.uniform(0.25, 0.33)
            links[cell // n_vars, target, cell % n_vars] = size
    return links


def _system(
    rng: np.random.Generator,
    n_rows: int,
    n_vars: int,
    *,
    function: Callable[[np.ndarray], np.ndarray] = lambda x: x,
    noise: np.ndarray | None = None,
    scale: Callable[[np.ndarray], np.ndarray | float] = lambda past: 1.0,
) -> np.ndarray:
    links, burn = _links(rng, n_vars), 200
    x = np.zeros((n_rows + burn, n_vars))
    e = rng.normal(size=x.shape) if noise is None else np.resize(noise, x.shape)
    for t in range(len(links), len(x)):
        past = x[t - len(links) : t][::-1]
        x[t] = np.einsum("lji,li->j", links, function(past)) + scale(past) * e[t]
    return x[burn:]


def _sluggish(rng: np.random.Generator, n_rows: int, n_vars: int) -> np.ndarray:
    links, x = 0.05 * _links(rng, n_vars)[0], np.zeros((n_rows + 500, n_vars))
    for t in range(1, len(x)):
        x[t] = 0.98 * x[t - 1] + np.tanh(x[t - 1] / 5) @ links.T + rng.normal(size=n_vars)
    return x[500:]


def _wells(rng: np.random.Generator, n_rows: int, n_vars: int) -> np.ndarray:
    links, x = 0.1 * _links(rng, n_vars)[0], np.zeros((n_rows, n_vars))
    for t in range(1, n_rows):
        drift = 0.1 * (x[t - 1] - x[t - 1] ** 3) + np.tanh(x[t - 1]) @ links.T
        x[t] = x[t - 1] + drift + 0.18 * rng.normal(size=n_vars)
    return x


def _product(rng: np.random.Generator, n_rows: int, n_vars: int) -> np.ndarray:
    links, x = _links(rng, n_vars)[0], np.zeros((n_rows, n_vars))
    for t in range(1, n_rows):
        x[t] = x[t - 1] @ links.T + rng.normal(size=n_vars)
        x[t, -1] = 0.98 * x[t - 1, -1] + 0.2 * rng.normal()
        x[t, 0] += 0.6 * np.tanh(x[t - 1, -1]) * x[t - 1, 1]
    return x


def _volatile(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    level = np.exp(0.7 * np.repeat(rng.normal(size=-(-shape[0] // 200)), 200)[: shape[0]])
    return level[:, None] * rng.normal(size=shape)


STATIONARY: dict[str, Simulate] = {
    "linear": _system,
    "sine": lambda g, t, n: _system(g, t, n, function=lambda x: np.sin(2.5 * x)),
    "magnitude": lambda g, t, n: _system(g, t, n, function=lambda x: np.abs(x) - 0.8),
    "heavy tails (Student t, 2)": lambda g, t, n: _system(
        g, t, n, noise=g.standard_t(2, size=(t + 200, n))
    ),
    "variance set by the past": lambda g, t, n: _system(
        g, t, n, scale=lambda past: 1 + 0.8 * np.tanh(past[0])
    ),
    "variance that changes with time": lambda g, t, n: _system(
        g, t, n, noise=_volatile(g, (t + 200, n))
    ),
    "skewed (exponential of a linear one)": lambda g, t, n: np.exp(_system(g, t, n)),
    "season of the level": lambda g, t, n: (
        _system(g, t, n) + 2 * np.sin(np.arange(t) / 180)[:, None] * g.normal(size=n)
    ),
    "autocorrelation 0.98": _sluggish,
    "random walks": lambda g, t, n: np.cumsum(g.normal(size=(t, n)), axis=0),
    "two wells": _wells,
    "a slow variable changes a slope": _product,
}
