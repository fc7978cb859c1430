"""Is it the Transformer, or any forecaster: one readout of several architectures.

All are trained on the same series of 2,000 rows, by the same number of steps; the parameters that
forecast the last fifth best are kept, and read on the same windows. The excess
error is the distance of a forecast from the mechanism that made the series, as a share of the
mechanism's variance: a graph can be no better than the forecast that it is read from.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.tree_util import Partial

from benchmarks.core.timing import say
from benchmarks.mechanisms import (
    MAX_LAG,
    N_VARS,
    System,
    draw_system,
    excess_error,
    judged,
    train,
    true_effects,
)
from jaxcause import attribution

ON = ("linear", "curved (tanh 2x)", "product (tanh x1*x2)")
N_KEYS, N_ROWS, N_STEPS, BATCH, WIDTH = 3, 2000, 1000, 256, 64
N_EVALUATIONS, HELD_OUT = 20, 0.2


class Architecture(NamedTuple):
    """Parameters from a key, and a forecast from parameters and a window ``[time, vars]``."""

    init: Callable
    forecast: Callable


def run(*, quick: bool = False) -> list[dict]:
    """Rows of all systems, architectures and readouts, each a mean over keys."""
    rows = []
    for name in ON:
        found: dict[tuple[str, str], list[dict]] = {}
        for seed in range(1 if quick else N_KEYS):
            system = draw_system(name, seed, N_ROWS)
            truth = true_effects(system)
            for architecture, (forecast, n_params) in _trained(system, seed):
                error = excess_error(system, forecast)
                for readout, scores in _read(forecast, system, seed).items():
                    row = {"parameters": n_params, "excess error": error}
                    row |= judged(scores, truth, system.edges)
                    found.setdefault((architecture, readout), []).append(row)
        for (architecture, readout), of_it in found.items():
            row = {"system": name, "architecture": architecture, "readout": readout}
            row |= {k: float(np.mean([one[k] for one in of_it])) for k in of_it[0]}
            rows.append(row | {"parameters": int(row["parameters"]), "keys": len(of_it)})
            say(str(rows[-1]))
    return rows


def _read(forecast: Partial, system: System, seed: int) -> dict[str, np.ndarray]:
    windows = system.windows
    return {
        "gradient energy": np.asarray(attribution.gradient_energy(forecast, windows)),
        "input × gradient": np.asarray(attribution.input_x_gradient(forecast, windows)) ** 2,
        "intervention": np.asarray(
            attribution.intervention(forecast, windows, key=jax.random.key(seed))
        ),
    }


def _trained(system: System, seed: int):
    """Every architecture on a series: a forecast, and its number of parameters."""
    yield "linear", _linear(system)
    for name, architecture in ARCHITECTURES.items():
        yield name, _fit(architecture, system, jax.random.key(seed))
    for name, model in (
        ("Transformer, by position", "base"),
        ("Transformer, by content", "content"),
    ):
        found = train(system, model, N_STEPS, seed).forecaster
        size = sum(leaf.size for leaf in jax.tree.leaves(found.params))
        yield name, (found.predict_fn, size)


def _pairs(system: System) -> tuple[np.ndarray, np.ndarray]:
    """Windows ``[windows, time, vars]`` and the rows after them."""
    x = system.series.astype(np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(x[:-1], MAX_LAG, axis=0).swapaxes(1, 2)
    return np.ascontiguousarray(windows), x[MAX_LAG:]


def _linear(system: System):
    windows, rows = _pairs(system)
    weights = np.linalg.lstsq(windows.reshape(len(windows), -1), rows, rcond=None)[0]
    forecast = Partial(lambda w, window: window.reshape(-1) @ w, jnp.asarray(weights))
    return forecast, weights.size


def _fit(architecture: Architecture, system: System, key: jax.Array):
    """Adam with a cosine schedule on the mean squared error, in one compiled program."""
    windows, rows = map(jnp.asarray, _pairs(system))
    optimiser = optax.adamw(optax.cosine_decay_schedule(3e-3, N_STEPS), weight_decay=1e-4)
    n_train = int(len(windows) * (1 - HELD_OUT))

    def loss(params, at):
        found = jax.vmap(partial(architecture.forecast, params))(windows[at])
        return ((found - rows[at]) ** 2).mean()

    def step(state, step_key):
        params, moments = state
        at = jax.random.randint(step_key, (BATCH,), 0, n_train)
        updates, moments = optimiser.update(jax.grad(loss)(params, at), moments, params)
        return (optax.apply_updates(params, updates), moments), None

    def stretch(state, keys):
        (params, moments), best, least = state
        (params, moments), _ = jax.lax.scan(step, (params, moments), keys)
        error = loss(params, jnp.arange(n_train, len(windows)))
        best = jax.tree.map(lambda new, old: jnp.where(error < least, new, old), params, best)
        return ((params, moments), best, jnp.minimum(error, least)), None

    params = architecture.init(key)
    keys = jax.random.split(jax.random.fold_in(key, 1), N_STEPS).reshape(N_EVALUATIONS, -1)
    start = ((params, optimiser.init(params)), params, jnp.float32(jnp.inf))
    params = jax.block_until_ready(jax.jit(lambda s: jax.lax.scan(stretch, s, keys)[0][1])(start))
    size = sum(leaf.size for leaf in jax.tree.leaves(params))
    return Partial(architecture.forecast, params), size


def _layers(key: jax.Array, *shapes: tuple[int, ...]) -> list[tuple[jax.Array, jax.Array]]:
    """Weights of variance one over their inputs, and biases of zero."""
    keys = jax.random.split(key, len(shapes))
    return [
        (jax.random.normal(k, s) / np.sqrt(np.prod(s[:-1])), jnp.zeros(s[-1]))
        for k, s in zip(keys, shapes, strict=True)
    ]


def _perceptron(params, window):
    hidden = window.reshape(-1)
    for weight, bias in params[:-1]:
        hidden = jax.nn.gelu(hidden @ weight + bias)
    return hidden @ params[-1][0] + params[-1][1]


def _convolutions(params, window):
    hidden = window[None]
    for kernel, bias in params[:-1]:
        hidden = jax.lax.conv_general_dilated(
            hidden, kernel, (1,), "VALID", dimension_numbers=("NWC", "WIO", "NWC")
        )
        hidden = jax.nn.gelu(hidden + bias)
    return hidden[0, -1] @ params[-1][0] + params[-1][1]


def _recurrent(params, window):
    """A long short-term memory, and a linear layer on its last state."""
    (weight, bias), out = params

    def cell(state, row):
        hidden, memory = state
        gates = jnp.split(jnp.concatenate([row, hidden]) @ weight + bias, 4)
        taken, kept, shown = (jax.nn.sigmoid(gate) for gate in gates[:3])
        memory = kept * memory + taken * jnp.tanh(gates[3])
        return (shown * jnp.tanh(memory), memory), None

    start = (jnp.zeros(WIDTH), jnp.zeros(WIDTH))
    (hidden, _), _ = jax.lax.scan(cell, start, window)
    return hidden @ out[0] + out[1]


ARCHITECTURES = {
    "MLP": Architecture(
        lambda key: _layers(key, (N_VARS * MAX_LAG, WIDTH), (WIDTH, WIDTH), (WIDTH, N_VARS)),
        _perceptron,
    ),
    "CNN": Architecture(
        lambda key: _layers(key, (2, N_VARS, WIDTH), (MAX_LAG - 1, WIDTH, WIDTH), (WIDTH, N_VARS)),
        _convolutions,
    ),
    "LSTM": Architecture(
        lambda key: _layers(key, (N_VARS + WIDTH, 4 * WIDTH), (WIDTH, N_VARS)), _recurrent
    ),
}
