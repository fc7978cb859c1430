"""A simulated nonlinear system, discovered and compared with its known graph."""

import time
from typing import NamedTuple

import jax
import numpy as np

from jaxcause.metrics import PrecisionRecall, precision_recall
from jaxcause.simulate import vector_autoregression
from jaxcause.workflows._cache import kept_programs
from jaxcause.workflows._discover.call import discover
from jaxcause.workflows._discover.result import Discovery

N_VARS, MAX_LAG, N_STEPS = 6, 4, 20_000


class Demo(NamedTuple):
    """What the demonstration found, beside the linear baseline."""

    found: Discovery
    comparison: dict[str, PrecisionRecall]
    seconds: float


@kept_programs()
def run_demo(*, seed: int = 0, progress: bool = True) -> Demo:
    """Simulate six variables with three nonlinear lagged parents each, and discover them.

    Args:
        seed: Seed of the system and of the training.
        progress: Whether to draw a progress bar on stderr.
    """
    began = time.perf_counter()
    system_key, training_key = jax.random.split(jax.random.key(seed))
    series, truth = vector_autoregression(
        system_key, n_vars=N_VARS, max_lag=MAX_LAG, n_steps=N_STEPS, function="nonlinear"
    )
    found = discover(np.asarray(series), MAX_LAG, key=training_key, progress=progress)
    linear = discover(np.asarray(series), MAX_LAG, method="var")
    comparison = {
        "Transformer gradients": precision_recall(found.graph, truth),
        "linear VAR, t-tests": precision_recall(linear.graph, truth),
    }
    return Demo(found, comparison, time.perf_counter() - began)
