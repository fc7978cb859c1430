"""Simulated systems whose mechanism is a function of a window, so that effects are known."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy.stats
from jax.tree_util import Partial

import jaxcause as jc
from benchmarks.calibration.figures import f1_at_true_number
from jaxcause.attribution import intervention
from jaxcause.training import TrainingConfig

N_VARS, MAX_LAG, N_PARENTS, NOISE = 5, 3, 2, 0.6
N_STEPS, BURN_IN, N_READ = 10_000, 200, 512

Terms = Callable[[jax.Array, jax.Array], jax.Array]
"""From values of the parents ``[vars, parents]`` and weights to the forecast ``[vars]``."""


def _sum_of(function: Callable[[jax.Array], jax.Array]) -> Terms:
    return lambda seen, weight: (weight * function(seen)).sum(axis=1)


def _product(seen: jax.Array, weight: jax.Array) -> jax.Array:
    return 1.5 * weight[:, 0] * jnp.tanh(seen[:, 0] * seen[:, 1])


def _ripple(x: jax.Array) -> jax.Array:
    return x + jnp.sin(12 * x) / 6


def _step_and_ripple(seen: jax.Array, weight: jax.Array) -> jax.Array:
    return weight[:, 0] * jnp.tanh(10 * seen[:, 0]) + weight[:, 1] * _ripple(seen[:, 1])


SYSTEMS: dict[str, tuple[Terms, float]] = {
    "linear": (_sum_of(lambda x: x), 0.0),
    "curved (tanh 2x)": (_sum_of(lambda x: jnp.tanh(2 * x)), 0.0),
    "saturated (tanh 10x)": (_sum_of(lambda x: jnp.tanh(10 * x)), 0.0),
    "rippled (x + sin(12x)/6)": (_sum_of(_ripple), 0.0),
    "one of each (tanh 10x, x + sin(12x)/6)": (_step_and_ripple, 0.0),
    "product (tanh x1*x2)": (_product, 0.0),
    "half-wave (max(x, 0))": (_sum_of(lambda x: jnp.maximum(x, 0)), 0.0),
    "even (tanh x²)": (_sum_of(lambda x: jnp.tanh(x**2)), 0.0),
    "folded (sin 3x)": (_sum_of(lambda x: jnp.sin(3 * x)), 0.0),
    "curved, noises correlated .95": (_sum_of(lambda x: jnp.tanh(2 * x)), 0.95),
}
"""How the parents act, and the correlation of the noises of all variables within a time step."""


class System(NamedTuple):
    """A series of standard units, its mechanism in these units, and its edges."""

    name: str
    series: np.ndarray
    mechanism: Partial
    edges: np.ndarray

    @property
    def windows(self) -> np.ndarray:
        """Windows spread over the series, as the default reads them."""
        starts = np.linspace(0, len(self.series) - MAX_LAG, N_READ).astype(int)
        return self.series[starts[:, None] + np.arange(MAX_LAG)]


def draw_system(name: str, seed: int, n_steps: int = N_STEPS) -> System:
    """Two parents per variable at random lags, with weights of both signs and unequal size."""
    terms, rho = SYSTEMS[name]
    rng = np.random.default_rng(seed)
    cells = np.stack([rng.permutation(N_VARS * MAX_LAG)[:N_PARENTS] for _ in range(N_VARS)])
    source, lag = cells % N_VARS, cells // N_VARS + 1
    weight = rng.uniform(0.2, 1.0, cells.shape)
    weight *= 0.9 / weight.sum(axis=1, keepdims=True) * rng.choice([-1, 1], cells.shape)
    own, common = (rng.normal(size=(n_steps + BURN_IN, n)) for n in (N_VARS, 1))
    shocks = NOISE * (np.sqrt(1 - rho) * own + np.sqrt(rho) * common)
    raw = Partial(partial(_mechanism, terms), source, lag, weight.astype(np.float32))
    series = np.asarray(_roll(raw, shocks.astype(np.float32)))[BURN_IN:]
    mean, scale = series.mean(axis=0), series.std(axis=0)
    edges = np.zeros((N_VARS, N_VARS, MAX_LAG + 1), bool)
    edges[source, np.arange(N_VARS)[:, None], lag] = True
    mechanism = Partial(_in_standard_units, raw, jnp.asarray(mean), jnp.asarray(scale))
    return System(name, (series - mean) / scale, mechanism, edges)


def _mechanism(terms: Terms, source, lag, weight, window):
    return terms(window[-lag, source], weight)


def _in_standard_units(mechanism, mean, scale, window):
    return (mechanism(window * scale + mean) - mean) / scale


@jax.jit
def _roll(mechanism, shocks):
    def step(past, shock):
        row = mechanism(past) + shock
        return jnp.concatenate([past[1:], row[None]]), row

    return jax.lax.scan(step, jnp.zeros((MAX_LAG, N_VARS), shocks.dtype), shocks)[1]


def true_effects(system: System) -> np.ndarray:
    """What setting each input to other values of its own does, by the mechanism itself."""
    key = jax.random.key(10**6)
    return np.asarray(intervention(system.mechanism, system.windows, key=key, n_draws=64))


def train(system: System, model: str, n_steps: int, seed: int) -> Any:
    """A Transformer without a linear model beside it, as `discover` returns it."""
    content = {"batch_size": 64, "stretch": 1, "weight_decay": 1e-4} if model == "content" else {}
    return jc.discover(
        system.series,
        MAX_LAG,
        model=model,
        skip=False,
        transform="standardise",
        domain=None,
        latents=False,
        training=TrainingConfig(n_steps=n_steps, **content),
        key=jax.random.key(seed),
        progress=False,
    )


def excess_error(system: System, forecast: Partial) -> float:
    """Mean squared distance of a forecast from the mechanism, as a share of its variance."""
    windows = system.windows
    right = np.asarray(jax.vmap(system.mechanism)(windows))
    found = np.asarray(jax.vmap(forecast)(windows))
    return float(((found - right) ** 2).mean() / right.var(axis=0).mean())


def judged(scores: np.ndarray, truth: np.ndarray, edges: np.ndarray) -> dict[str, float]:
    """How scores rank all candidates, and the true edges among themselves."""
    lagged, is_edge = scores[:, :, 1:].ravel(), edges[:, :, 1:].ravel()
    found, true = scores[edges], truth[edges]
    return {
        "AUROC": _auroc(lagged, is_edge),
        "F1": f1_at_true_number(scores, edges),
        "rank correlation": float(scipy.stats.spearmanr(found, true).statistic),
        "correlation": float(np.corrcoef(np.sqrt(found), np.sqrt(true))[0, 1]),
    }


def _auroc(scores: np.ndarray, is_edge: np.ndarray) -> float:
    ranks = scipy.stats.rankdata(scores)
    n_edges, n_others = is_edge.sum(), (~is_edge).sum()
    return float((ranks[is_edge].sum() - n_edges * (n_edges + 1) / 2) / (n_edges * n_others))
