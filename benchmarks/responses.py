"""Signed effects and responses to a change, against those of the systems that made the series."""

import time
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import jaxcause as jc
from jaxcause.simulate._var import _NONLINEAR, _roll

N_VARS, MAX_LAG, N_PARENTS, NOISE = 5, 3, 2, 0.5
N_STEPS, HORIZON, LONG_RUN, BURN_IN = 1000, 10, 20_000, 200
CHANGE = 1.0
"""Standard deviations by which the source is changed."""
LINEAR = (lambda x: x,)
METHODS = ("gradient", "var", "lasso", "pc", "pcmci", "pcmci+")


class System(NamedTuple):
    """A simulated autoregression whose functions are known."""

    source: np.ndarray
    lag: np.ndarray
    weight: np.ndarray
    which: np.ndarray
    shapes: tuple

    def run(self, shocks: np.ndarray) -> np.ndarray:
        """The series that some shocks make."""
        return np.asarray(_run(shocks.astype(np.float32), *self), float)


@partial(jax.jit, static_argnames="shapes")
def _run(shocks, source, lag, weight, which, shapes):
    """One series, or one for each entry of a leading axis of shocks."""
    if shocks.ndim == 2:
        return _roll(shocks, source, lag, weight, which, shapes, MAX_LAG)
    return jax.vmap(lambda one: _roll(one, source, lag, weight, which, shapes, MAX_LAG))(shocks)


def draw_system(seed: int, function: str) -> System:
    """Two parents per variable; weights of both signs, scaled to a stable system."""
    rng = np.random.default_rng(seed)
    inputs = np.stack([rng.permutation(N_VARS * MAX_LAG)[:N_PARENTS] for _ in range(N_VARS)])
    size = rng.uniform(0.3, 0.8, inputs.shape)
    size *= np.minimum(1, 0.9 / size.sum(axis=1, keepdims=True))
    weight = size * rng.choice([-1.0, 1.0], inputs.shape)
    shapes = LINEAR if function == "linear" else _NONLINEAR
    which = rng.integers(0, len(shapes), inputs.shape)
    if function == "monotonic":
        which = np.where(which % 2, 3, 0)
    return System(inputs % N_VARS, inputs // N_VARS + 1, weight.astype(np.float32), which, shapes)


def noise(seed: int, n_steps: int) -> np.ndarray:
    return NOISE * np.random.default_rng(seed).normal(size=(n_steps + BURN_IN, N_VARS))


def true_effects(system: System, deviation: np.ndarray) -> np.ndarray:
    """Mean slopes over a long run, for changes of a tenth of a standard deviation up and down."""
    x = system.run(noise(10**6, LONG_RUN))[BURN_IN:]
    effects = np.zeros((N_VARS, N_VARS, MAX_LAG + 1))
    for target in range(N_VARS):
        for p, source in enumerate(system.source[target].tolist()):
            g, step = system.shapes[system.which[target, p]], 0.1 * deviation[source]
            slope = np.asarray(g(jnp.asarray(x[:, source] + step)))
            slope = (slope - np.asarray(g(jnp.asarray(x[:, source] - step)))) / (2 * step)
            cell = source, target, system.lag[target, p]
            effects[cell] += system.weight[target, p] * slope.mean()
    return effects


def true_response(system: System, source: int, size: float) -> np.ndarray:
    """Mean of paths with a change less those without, by the same noise, over 400 moments."""
    shocks = np.stack([noise(2 * 10**6 + seed, HORIZON + 1) for seed in range(400)])
    changed = shocks.copy()
    changed[:, BURN_IN, source] += size
    return (system.run(changed) - system.run(shocks))[:, BURN_IN:].mean(axis=0)


def run(*, quick: bool = False) -> list[dict]:
    """Errors of effects and responses of every method, over random systems."""
    rows = []
    for function in ("linear", "monotonic", "nonlinear"):
        seeds = range(2 if quick else 8)
        made = [_case(seed, function) for seed in seeds]
        for method in METHODS:
            began = time.perf_counter()
            results = [_judged(method, *case) for case in made]
            merged = {k: np.concatenate([r[k] for r in results]) for k in results[0]}
            error = np.sqrt((merged["response_error"] ** 2).mean())
            scale = np.sqrt((merged["response_truth"] ** 2).mean())
            clear = np.abs(merged["truth"]) > 0.1 * merged["unit"]
            slope = (merged["effect"] * merged["truth"])[clear].sum()
            rows.append(
                {
                    "functions": function,
                    "method": method,
                    "systems": len(made),
                    "true edges found": len(merged["effect"]),
                    "sign right": float(
                        (np.sign(merged["effect"]) == np.sign(merged["truth"]))[clear].mean()
                    ),
                    "of clear signs": int(clear.sum()),
                    "effect / truth": float(slope / (merged["truth"][clear] ** 2).sum()),
                    "95 % intervals right": (
                        "" if method == "lasso" else float(np.mean(merged["covered"]))
                    ),
                    "error of responses": float(error / scale),
                    "share of effects, error": float(np.abs(merged["share_error"]).mean()),
                    "s": (time.perf_counter() - began) / len(made),
                }
            )
    return rows


def _case(seed: int, function: str) -> tuple:
    system = draw_system(seed, function)
    series = system.run(noise(seed, N_STEPS))[BURN_IN:]
    deviation = series.std(axis=0)
    truth = true_effects(system, deviation)
    responses = [true_response(system, j, CHANGE * deviation[j]) for j in range(N_VARS)]
    return series, deviation, truth, responses, system


def _judged(method, series, deviation, truth, responses, system) -> dict:
    found = jc.discover(series, MAX_LAG, method=method, progress=False)
    effects = found.effects
    true = np.zeros(truth.shape, bool)
    true[system.source, np.arange(N_VARS)[:, None], system.lag] = True
    hits = np.argwhere(np.asarray(found.graph.directed) & true)
    cell = tuple(hits.T)
    low, high = effects.low[cell], effects.high[cell]
    covered = np.where(np.isnan(low), np.nan, (low <= truth[cell]) & (truth[cell] <= high))
    error, size = [], []
    for j in range(N_VARS):
        change = {found.names[j]: CHANGE * deviation[j]}
        ours = found.respond(change, steps=HORIZON).response / deviation
        error.append((ours - responses[j] / deviation)[1:])
        size.append((responses[j] / deviation)[1:])
    shares = _true_shares(system, series)
    return {
        "effect": effects.mean[cell],
        "truth": truth[cell],
        "unit": deviation[hits[:, 1]] / deviation[hits[:, 0]],
        "covered": covered,
        "share_error": effects.share[cell] - shares[cell],
        "response_error": np.array(error).ravel(),
        "response_truth": np.array(size).ravel(),
    }


def _true_shares(system: System, series: np.ndarray) -> np.ndarray:
    """Variance of the term of each parent, as a share of the target's."""
    shares = np.zeros((N_VARS, N_VARS, MAX_LAG + 1))
    for target in range(N_VARS):
        for p, source in enumerate(system.source[target].tolist()):
            g = system.shapes[system.which[target, p]]
            term = system.weight[target, p] * np.asarray(g(jnp.asarray(series[:, source])))
            cell = source, target, system.lag[target, p]
            shares[cell] = term.var() / series[:, target].var()
    return shares
