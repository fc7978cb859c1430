"""Training of the forecaster: its share of the machine's matrix products, members, memory."""

import dataclasses
import resource
import time
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxcause import simulate
from jaxcause.models.forecaster import PRESETS, ForecasterConfig, init_params
from jaxcause.series import as_series_table
from jaxcause.training import TrainingConfig, rows_of
from jaxcause.training import fit as train_one
from jaxcause.workflows import discover
from jaxcause.workflows._discover.training import Loss, default_training, with_short_calls

SIZES = (("base", 10, 5), ("base", 25, 5), ("base", 50, 5), ("base", 10, 25), ("large", 25, 5))
STEPS = 800
MEMBERS = 20


def run(*, quick: bool) -> list[dict]:
    """Matrix products beside training steps, an ensemble beside one model, one large model."""
    rows = []
    for preset, n_vars, max_lag in SIZES:
        config = ForecasterConfig(n_vars, max_lag, **PRESETS[preset])
        rows.append(
            {
                "table": "a step of training (512 rows), matrix products in between",
                "model": preset,
                "n": n_vars,
                "L": max_lag,
            }
            | _step(config)
        )
    rows += _members()
    if not quick:
        rows.append(_large())
    for row in rows:
        print(row, flush=True)
    return rows


_product = jax.jit(lambda a: a @ a)


def _matmul_rate() -> float:
    """Floating-point operations per second of the best of some large products."""
    fastest = 0.0
    for size in (1024, 2048):
        a = jnp.ones((size, size), jnp.float32)
        _product(a).block_until_ready()
        for _ in range(3):
            began = time.perf_counter()
            _product(a).block_until_ready()
            fastest = max(fastest, 2 * size**3 / (time.perf_counter() - began))
    return fastest


def _step(config: ForecasterConfig) -> dict[str, float]:
    """Calls of twenty steps, each beside products just before it: the medians.

    A machine that others use is faster at one time than at another; what is measured within a
    second of each other can be compared.
    """
    n_vars, max_lag = config.n_vars, config.max_lag
    training = default_training(50_000, config)
    training = dataclasses.replace(training, n_steps=STEPS, steps_per_call=20, n_evaluations=1)
    series = np.random.default_rng(0).normal(size=(50_000, n_vars))
    starts = np.arange(40_000)
    held_out = starts[:256]
    rows = rows_of(series, starts, held_out, length=max_lag + 1, stretch=training.stretch)
    rates: list[tuple[float, float]] = []
    now = {"began": time.perf_counter(), "peak": _matmul_rate()}

    def after_a_call(_: Any) -> None:
        rates.append((time.perf_counter() - now["began"], now["peak"]))
        now["peak"] = _matmul_rate()
        now["began"] = time.perf_counter()

    train_one(
        Loss(config),
        init_params(jax.random.key(0), config),
        rows,
        starts,
        held_out,
        length=max_lag,
        config=training,
        seed=(1,),
        on_progress=after_a_call,
    )
    # The first call compiles.
    seconds, peak = np.array(rates[1:]).T
    seconds /= training.call_length
    rate = 3 * training.batch_size * training.stretch * config.flops / seconds
    return {
        "ms": 1e3 * float(np.median(seconds)),
        "GFLOP/s": float(np.median(rate)) / 1e9,
        "GFLOP/s of matrix products": float(np.median(peak)) / 1e9,
        "share": float(np.median(rate / peak)),
        "smallest": float((rate / peak).min()),
        "largest": float((rate / peak).max()),
    }


def _members() -> list[dict]:
    """An ensemble beside one model, end to end, compiled code at hand for both."""
    system = simulate.lagged_system(
        jax.random.key(0), n_vars=10, max_lag=5, n_steps=20_000, function="pl+m"
    )
    table = as_series_table(np.asarray(system.series, float))
    options = {"key": jax.random.key(0), "skip": False, "progress": False}
    rows = []
    for members in (1, MEMBERS):
        ask = partial(discover, table, 5, members=members, **options)
        ask()
        began = time.perf_counter()
        ask()
        rows.append(
            {
                "table": "members (n=10, L=5, T=20,000), end to end, warm",
                "members": members,
                "seconds": time.perf_counter() - began,
            }
        )
    rows[-1]["ratio"] = rows[-1]["seconds"] / rows[0]["seconds"]
    return rows


def _large() -> dict:
    """Some steps and gradients of 5,000 inputs, and the memory that they took."""
    system = simulate.lagged_system(jax.random.key(0), n_vars=100, max_lag=50, n_steps=6000)
    began = time.perf_counter()
    discover(
        np.asarray(system.series),
        50,
        key=jax.random.key(0),
        skip=False,
        transform="standardise",
        training=with_short_calls(TrainingConfig(20, n_evaluations=1), ForecasterConfig(100, 50)),
        n_windows=16,
        progress=False,
    )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {
        "table": "n=100, L=50: 20 steps, gradients of 16 windows",
        "seconds": time.perf_counter() - began,
        "peak GiB": peak,
    }
