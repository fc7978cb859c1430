"""Series from generators that others published, which are installed beside this library.

``pip install torch scikit-learn einops tqdm`` and ``pip install --no-deps causalcompass dotime``:
the packages pin old versions of JAX and NumPy, which their generators do not need.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.lagged.beside import imported, without_init
from benchmarks.lagged.case import Case
from benchmarks.lagged.dynamics import DYNAMICS, held_back
from benchmarks.lagged.published import Loader

COMPASS_VARS, COMPASS_ROWS, COMPASS_LAG = 10, 500, 3
"""The smallest systems of CausalCompass."""
HIDDEN = 0.4
"""Share of missing values, the higher one of CausalCompass."""
DOTIME_ROWS = 1000

SCENARIOS = {
    "": ("vanilla", "simulate_var", "simulate_lorenz_96"),
    "confounded": (
        "confounder",
        "simulate_var_with_confounders",
        "simulate_lorenz_with_confounders",
    ),
    "measurement error": (
        "measurement_error",
        "simulate_var_with_measure_error",
        "simulate_lorenz_with_measure_error",
    ),
    "changing noise": (
        "nonstationary",
        "simulate_nonstationary_var",
        "simulate_nonstationary_lorenz_96",
    ),
    "trend, season": (
        "trendseason",
        "simulate_var_with_trend_season",
        "simulate_lorenz_with_trend_season",
    ),
    "half binary": ("mixed_data", "generate_mixed_var", "generate_mixed_lorenz_96"),
    "missing": ("missing", "generate_missing_var", "generate_missing_lorenz_96"),
}
"""Module and generators of CausalCompass by what is violated. It has two more, standardised and
rescaled columns, which change nothing here: every method standardises."""


def compass(scenario: str, system: str, seed: int, data: Path | None = None) -> Case:
    """A linear system or Lorenz-96 of CausalCompass (Yi et al. 2026); ``data`` is not used."""
    module, *names = SCENARIOS[scenario]
    without_init("causalcompass")
    generate = getattr(imported(f"causalcompass.datasets.{module}"), names[system == "lorenz"])
    options: dict[str, Any] = {"p": COMPASS_VARS, "T": COMPASS_ROWS, "seed": seed}
    if system == "var":
        options["lag"] = COMPASS_LAG
    if scenario == "half binary":
        options["device"] = "cpu"
    if scenario == "missing":
        at_random = {"missing_prob": HIDDEN, "missing_var": "all"}
        options["missing_config"] = {"random_missing": at_random}
        _, masked, observed, effects, _ = generate(**options)
        series = np.where(observed > 0, masked, np.nan)
    else:
        made = generate(**options)
        series = made[0]
        effects = next(part for part in reversed(made) if np.shape(part) == (COMPASS_VARS,) * 2)
    return Case(np.asarray(series, float), effects.T.astype(bool), COMPASS_LAG, summary=True)


def dotime(seed: int, data: Path | None = None) -> Case:
    """A random nonlinear system of DoTime without regimes; a summary graph over lags 1 to 3."""
    package = imported("dotime")
    # Some of its draws are from the generators of the process.
    imported("torch").manual_seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    stable = {"unit_norm_rows": True, "spectral_rho": 0.9}
    prior = package.DoTime(
        {"hardening": stable}, seed=seed, chain_prob=0.0, regime_switching_prob=0.0
    )
    series, _, _, system = prior.generate_pair(T=DOTIME_ROWS)
    graph = imported("dotime.graph_meta").LaggedGraph.from_scm(system)
    truth = np.zeros((graph.n, graph.n), bool)
    for source, target, _ in graph.edges:
        truth[source, target] = True
    np.fill_diagonal(truth, False)
    return Case(series.numpy().astype(float), truth, max(graph.k_eff, 1), summary=True)


def _named(scenario: str, system: str, seed: int) -> str:
    return f"compass {system}{', ' if scenario else ''}{scenario}, {seed}"


def _compass(seeds: tuple[int, ...]) -> dict[str, Callable[[Path], Case]]:
    return {
        _named(scenario, system, seed): partial(compass, scenario, system, seed)
        for scenario in SCENARIOS
        for system in ("var", "lorenz")
        for seed in seeds
    }


IN_VIEW, LATER = (0, 1, 2), (10, 11, 12)
"""Seeds of CausalCompass that constants were chosen on, and those that were run afterwards."""
DOTIME_IN_VIEW, DOTIME_LATER = range(20), range(20, 40)
"""The same of DoTime."""
NOT_VARYING = (2, 7, 26, 28, 29, 35)
"""Systems of DoTime that are left out, since a column of theirs is constant."""

GENERATED: dict[str, Loader] = {
    **_compass(IN_VIEW + LATER),
    **{
        f"dotime {seed}": partial(dotime, seed)
        for seed in (*DOTIME_IN_VIEW, *DOTIME_LATER)
        if seed not in NOT_VARYING
    },
    **DYNAMICS,
}
"""All generated series."""


def kind_of(name: str) -> tuple[str, bool]:
    """The scenario of a generated series, and whether it was held back."""
    kind, _, seed = name.replace("dotime ", "dotime, ").rpartition(", ")
    if name in DYNAMICS:
        return kind, held_back(name)
    return kind, int(seed) in (DOTIME_LATER if kind == "dotime" else LATER)
