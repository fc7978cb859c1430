"""The tasks of ``jaxcause benchmark``: a description, a call, and its amount of work and unit."""

from collections.abc import Callable
from typing import Any

import numpy as np

ALPHA = 0.01
N_SAMPLES = 1000
TRAINING = {"n_vars": 10, "max_lag": 5, "n_steps": 20_000}
Measured = Callable[[], Any]


def _matmul() -> tuple[str, Measured, float, str]:
    import jax

    n = 1024 if jax.default_backend() == "cpu" else 8192
    left = jax.random.normal(jax.random.key(0), (n, n), np.float32)
    multiply = jax.jit(lambda a: a @ a)
    return (
        f"float32 product of {n} × {n} matrices",
        lambda: multiply(left).block_until_ready(),
        2 * n**3 / 1e9,
        "GFLOP/s",
    )


def _pc() -> tuple[str, Measured, float, str]:
    call = _search("pc", _correlations(1, 200)[0])
    return "PC, 200 variables", call, 1.0, "graphs/s"


def _batch() -> tuple[str, Measured, float, str]:
    call = _search("pc", _correlations(1000, 32))
    return "PC, 1,000 graphs of 32 variables", call, 1000.0, "graphs/s"


def _caps() -> tuple[str, Measured, float, str]:
    import jax

    import jaxcause as jc

    corr, caps = _correlations(1000, 32), jc.Caps(max_degree=24, max_cond_size=3)
    with jax.enable_x64(True):
        on_device = jax.device_put(corr)

    @jax.jit
    def search(corr: jax.Array) -> jax.Array:
        test = jc.partial_correlation_test(corr, N_SAMPLES)
        return jax.numpy.asarray(jc.pc(test, alpha=ALPHA, caps=caps).graph.marks)

    def call() -> None:
        with jax.enable_x64(True):
            search(on_device).block_until_ready()

    return "PC as one program, the same graphs, caps 24 and 3", call, 1000.0, "graphs/s"


def _icd() -> tuple[str, Measured, float, str]:
    from jaxcause.attention import correlation

    scores = 3.0 * np.random.default_rng(0).normal(size=(144, 32, 32))
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    corr = np.asarray(correlation(weights / weights.sum(axis=-1, keepdims=True)))
    call = _search("icd", corr)
    return "ICD, 144 attention heads of 32 tokens", call, 144.0, "graphs/s"


def _training() -> tuple[str, Measured, float, str]:
    import jax

    from jaxcause.simulate import vector_autoregression
    from jaxcause.training import TrainingConfig
    from jaxcause.workflows import discover

    series, _ = vector_autoregression(jax.random.key(0), function="nonlinear", **TRAINING)
    n_steps = 100

    def call() -> None:
        discover(
            np.asarray(series),
            TRAINING["max_lag"],
            key=jax.random.key(1),
            training=TrainingConfig(n_steps=n_steps),
            skip=False,
            transform="standardise",
            progress=False,
        )

    work = f"discovery with {n_steps} training steps, n=10, L=5, T=20,000"
    return work, call, float(n_steps), "steps/s"


STUDIES = {
    "matmul": _matmul,
    "pc": _pc,
    "batch": _batch,
    "caps": _caps,
    "icd": _icd,
    "training": _training,
}


def _search(name: str, corr: np.ndarray) -> Measured:
    import jax

    import jaxcause as jc

    search = {"pc": jc.pc, "icd": jc.icd}[name]
    return lambda: jax.block_until_ready(
        search(jc.partial_correlation_test(corr, N_SAMPLES), alpha=ALPHA).graph.marks
    )


def _correlations(n_graphs: int, n: int) -> np.ndarray:
    """Correlations in 1,000 samples of random sparse linear models."""
    rng = np.random.default_rng(0)
    weights = np.triu(rng.random((n_graphs, n, n)) < 3 / (n - 1), 1)
    effects = np.linalg.inv(np.eye(n) - weights * rng.uniform(0.3, 1, weights.shape))
    found = [np.corrcoef((rng.normal(size=(N_SAMPLES, n)) @ one).T) for one in effects]
    return np.stack(found)
