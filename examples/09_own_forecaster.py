"""Your own forecasters: a CNN, a perceptron that forecasts a variance, one with a second input."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.tree_util import Partial

from jaxcause import attribution
from jaxcause.graph import LaggedGraph
from jaxcause.nn import ATTN_LRP, STANDARD
from jaxcause.stats import lagged_q_values

NAMES, LAGS, STEPS, HIDDEN = ["a", "b", "c", "d"], 3, 4000, 24
TRUTH = {("a", 1, "a"), ("a", 2, "b"), ("b", 1, "c"), ("c", 1, "c"), ("c", 1, "d")}


def simulate(rng):
    """The last edge, c to d, acts on the variance alone."""
    x, noise = np.zeros((STEPS, 4)), rng.normal(size=(STEPS, 4))
    for t in range(2, STEPS):
        x[t, 0] = 0.6 * x[t - 1, 0] + noise[t, 0]
        x[t, 1] = np.tanh(2 * x[t - 2, 0]) + 0.5 * noise[t, 1]
        x[t, 2] = 0.9 * abs(x[t - 1, 1]) + 0.4 * x[t - 1, 2] + 0.4 * noise[t, 2]
        x[t, 3] = np.exp(x[t - 1, 2] - 1) * noise[t, 3]
    return (x - x.mean(axis=0)) / x.std(axis=0)


def layer(key, *shape):
    return jax.random.normal(key, shape) / np.sqrt(np.prod(shape[:-1]))


def cnn(params, window, ops=STANDARD):
    """Two convolutions in time, [time, vars] -> [vars]; LRP can explain its layers."""
    hidden = window[None]
    for kernel, bias in zip(params["kernels"], params["biases"], strict=True):
        hidden = jax.lax.conv_general_dilated(
            hidden, kernel, (1,), "VALID", dimension_numbers=("NWC", "WIO", "NWC")
        )
        hidden = ops.activation(jax.nn.gelu, hidden + bias)
    return hidden[0, -1] @ params["out"]


def perceptron(params, window):
    """Mean and variance of the next row, [time, vars] -> ([vars], [vars])."""
    hidden = jax.nn.gelu(window.reshape(-1) @ params["in"] + params["bias"])
    mean, raw = jnp.split(hidden @ params["out"], 2)
    return mean, jax.nn.softplus(raw + 0.5) + 1e-3


def squared_error(params, window, row):
    return ((cnn(params, window) - row) ** 2).mean()


def negative_log_density(params, window, row):
    mean, variance = perceptron(params, window)
    return ((row - mean) ** 2 / variance + jnp.log(variance)).mean()


def train(loss, params, windows, rows, steps=600):
    optimiser = optax.adam(optax.cosine_decay_schedule(1e-2, steps))

    def step(state, key):
        params, moments = state
        at = jax.random.randint(key, (256,), 0, len(windows))
        mean_loss = lambda p: jax.vmap(loss, (None, 0, 0))(p, windows[at], rows[at]).mean()  # noqa: E731
        updates, moments = optimiser.update(jax.grad(mean_loss)(params), moments)
        return (optax.apply_updates(params, updates), moments), None

    keys = jax.random.split(jax.random.key(1), steps)
    start = (params, optimiser.init(params))
    return jax.jit(lambda s: jax.lax.scan(step, s, keys))(start)[0][0]


def show(title, scores):
    found = attribution.select_global_top_k(scores, len(TRUTH)).edges(NAMES)
    right = sum((source, lag, target) in TRUTH for source, lag, _, target in found)
    edges = "  ".join(f"{source}(t-{lag}) -> {target}" for source, lag, _, target in found)
    print(f"{title}: {right} of {len(TRUTH)} right\n  {edges}")


x = simulate(np.random.default_rng(0)).astype(np.float32)
windows = jnp.asarray(np.lib.stride_tricks.sliding_window_view(x[:-1], LAGS, axis=0).swapaxes(1, 2))
rows, read = jnp.asarray(x[LAGS:]), windows[::8]
keys = jax.random.split(jax.random.key(0), 5)

kernels = [layer(keys[0], 2, 4, HIDDEN), layer(keys[1], LAGS - 1, HIDDEN, HIDDEN)]
params = {"kernels": kernels, "biases": [jnp.zeros(HIDDEN)] * 2, "out": layer(keys[2], HIDDEN, 4)}
seen, unseen = slice(None, 3000), slice(3000, None)
params = train(squared_error, params, windows[seen], rows[seen])
show(
    "CNN, gradient energy (it does not detect effects on the variance of d)",
    attribution.gradient_energy(Partial(cnn, params), read),
)
explained = lambda params, window: cnn(params, window, ATTN_LRP)  # noqa: E731
show("CNN, relevance", attribution.relevance(Partial(explained, params), read))
show("CNN, stability of ranks", attribution.rank_mean_over_std(Partial(cnn, params), read).score)

# How many edges are there? Forecasts of windows that were not trained on get worse without a cause.
impact = attribution.predictive_impact(
    Partial(cnn, params), windows[unseen], rows[unseen], key=keys[0], regressed_on=windows
)
graph = LaggedGraph.from_mask(lagged_q_values(impact.p_value) <= 0.01)
found = graph.edges(NAMES)
print("CNN, predictive impact at a false-discovery rate of 1 %:")
print("  " + "  ".join(f"{source}(t-{lag}) -> {target}" for source, lag, _, target in found))

params = {
    "in": layer(keys[3], LAGS * 4, 2 * HIDDEN),
    "bias": jnp.zeros(2 * HIDDEN),
    "out": 0.1 * layer(keys[4], 2 * HIDDEN, 8),
}
params = train(negative_log_density, params, windows, rows)
energy = attribution.score_energy(Partial(perceptron, params), read)
show("Perceptron, score energy", energy.total)
print(
    f"  c(t-1) on d: through the mean {energy.mean_part[2, 3, 1]:.3f}, "
    f"through the variance {energy.variance_part[2, 3, 1]:.3f}"
)


def with_regime(strength, regime, window):
    """A model that takes a regime and a window."""
    return strength[regime] * window[-1]


# A Partial binds all arguments but the window. Its arrays can change without a new compilation.
for regime in range(2):
    model = Partial(with_regime, jnp.array([0.5, 2.0]), jnp.int32(regime))
    scores = attribution.gradient_energy(model, read, targets=np.array([0]))
    print(f"Regime {regime}: a(t-1) -> a has gradient energy {scores[0, 0, 1]:.2f}")
