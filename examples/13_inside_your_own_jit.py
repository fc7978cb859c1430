"""Gradients and searches inside your own programs: `jit`, `vmap`, `grad`, `scan`."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

import jaxcause as jc

# 1. A search inside `jit`: caps fix the shapes, and everything else may be traced.
rng = np.random.default_rng(0)
samples = rng.normal(size=(400, 5))
samples[:, 1] += 0.8 * samples[:, 0]
samples[:, 2] += 0.8 * samples[:, 1]
samples[:, 4] += 0.8 * samples[:, 3]
caps = jc.Caps(max_degree=4, max_cond_size=2)


@jax.jit
def skeleton(x, alpha):
    test = jc.partial_correlation_test(jnp.corrcoef(x.T), x.shape[0])
    found = jc.pc(test, alpha=alpha, caps=caps)
    return found.graph.adjacency, found.info.overflow


# 2. `vmap` over resamples of the data, and over alpha: how stable is each edge?
resampled = jnp.asarray(samples)[rng.integers(400, size=(100, 400))]
over_resamples = jax.vmap(lambda x, alpha: skeleton(x, alpha)[0], in_axes=(0, None))
over_both = jax.jit(jax.vmap(over_resamples, in_axes=(None, 0)))
alphas = jnp.array([0.001, 0.01, 0.1])
for alpha, share in zip(alphas, over_both(resampled, alphas).mean(axis=1), strict=True):
    pairs = [(i, j) for i in range(5) for j in range(i + 1, 5) if share[i, j] > 0.1]
    said = "  ".join(f"{i}--{j} {share[i, j]:.2f}" for i, j in pairs)
    print(f"alpha {alpha:.3f} -> share of resamples with the edge: {said}")
print("a cap was too small:", bool(skeleton(samples, 0.01)[1]))


# 3. A forecaster trained by your own loop, and its graph in the same compiled program.
def forecast(params, window):
    hidden = jnp.tanh(jnp.einsum("tv,tvh->h", window, params["in"]) + params["bias"])
    return hidden @ params["out"]


def simulate(key, n_steps):
    """Two variables: the second depends on the size of the first, which no linear model detects."""

    def step(past, noise):
        row = jnp.stack([noise[0], 2 * jnp.abs(past[-2, 0]) - 1.6 + 0.3 * noise[1]])
        return jnp.concatenate([past[1:], row[None]]), row

    noise = jax.random.normal(key, (n_steps, 2))
    return jax.lax.scan(step, jnp.zeros((3, 2)), noise)[1]


@functools.partial(jax.jit, static_argnames="n_steps")
def train_and_read(key, n_steps=600):
    """Simulate, train, and score every lagged edge: ``[source, target, lag]``."""
    series = simulate(key, 1000)
    windows = jnp.stack([series[k : k - 3] for k in range(3)], axis=1)
    targets = series[3:]
    keys = jax.random.split(key, 2)
    params = {
        "in": 0.3 * jax.random.normal(keys[0], (3, 2, 16)),
        "bias": jnp.linspace(-1.0, 1.0, 16),
        "out": 0.3 * jax.random.normal(keys[1], (16, 2)),
    }

    def loss(params):
        error = jax.vmap(functools.partial(forecast, params))(windows) - targets
        return (error**2).mean()

    def descend(carry, _):
        params, momentum = carry
        momentum = jax.tree.map(lambda m, g: 0.9 * m - 0.02 * g, momentum, jax.grad(loss)(params))
        return (jax.tree.map(jnp.add, params, momentum), momentum), None

    start = (params, jax.tree.map(jnp.zeros_like, params))
    (params, _), _ = jax.lax.scan(descend, start, length=n_steps)
    fitted = functools.partial(forecast, params)
    return jc.attribution.gradient_energy(fitted, windows[:512])


scores = np.asarray(train_and_read(jax.random.key(0)))
for source, target, lag in [(0, 1, 1), (0, 1, 2), (0, 1, 3), (1, 0, 1), (1, 0, 2)]:
    name = f"{'ab'[source]}(t-{lag}) -> {'ab'[target]}(t):"
    print(f"{name}  gradient energy {scores[source, target, lag]:.3f}")
graph = jc.attribution.select_global_top_k(scores, 1)
print("strongest:", graph.edges("ab")[0])
