"""The lagged graph of a forecaster of your own: any differentiable [time, vars] -> [vars]."""

import jax
import jax.numpy as jnp

from jaxcause import attribution


def forecast(window):
    """A model that was trained elsewhere: three variables, the last four rows."""
    drive = jnp.tanh(window[-1, 0]) + 0.5 * window[-3, 2] ** 2
    return jnp.stack([0.8 * window[-1, 0], drive, window[-2, 1] * window[-1, 2]])


windows = jax.random.normal(jax.random.key(0), (256, 4, 3))
scores = attribution.gradient_energy(forecast, windows)
graph = attribution.select_global_top_k(scores, 5)
for source, lag, edge, target in graph.edges(["a", "b", "c"]):
    print(f"{source}(t-{lag}) {edge} {target}(t)")
