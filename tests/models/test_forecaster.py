import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcause import InputError
from jaxcause.models.forecaster import ForecasterConfig, apply, init_params, predictor, with_skip

CONFIG = ForecasterConfig(n_vars=3, max_lag=4, width=8, n_heads=2)


def windows(n=5, seed=0):
    return jnp.asarray(np.random.default_rng(seed).normal(size=(n, 4, 3)), jnp.float32)


def reference(params, x):
    """The model written out in numpy, token by token, from its description."""
    n_time, n_vars = x.shape
    p = jax.tree.map(np.asarray, params)
    tokens = np.stack(
        [
            x[s, j] * p["value"] + p["variable"][j] + p["time"][s]
            for s in range(n_time)
            for j in range(n_vars)
        ]
    )
    step = np.repeat(np.arange(n_time), n_vars)

    def norm(h, scale):
        return h / np.sqrt((h**2).mean(-1, keepdims=True) + 1e-6) * scale

    def gelu(u):
        return 0.5 * u * (1 + np.tanh(np.sqrt(2 / np.pi) * (u + 0.044715 * u**3)))

    for block in (p["blocks"][k] for k in sorted(p["blocks"])):
        q, k, v = np.split(
            norm(tokens, block["attention_norm"]["scale"]) @ block["attention"]["qkv"]["kernel"],
            3,
            1,
        )
        out = np.zeros_like(tokens)
        for head in (slice(0, 4), slice(4, 8)):
            for a in range(len(tokens)):
                seen = step <= step[a]
                logits = k[seen, head] @ q[a, head] / np.sqrt(4)
                weight = np.exp(logits - logits.max())
                out[a, head] = weight @ v[seen, head] / weight.sum()
        tokens = tokens + out @ block["attention"]["out"]["kernel"]
        up = norm(tokens, block["mlp_norm"]["scale"]) @ block["up"]["kernel"] + block["up"]["bias"]
        tokens = tokens + gelu(up) @ block["down"]["kernel"]
    hidden = norm(tokens, p["norm"]["scale"]).reshape(n_time, n_vars, -1)
    return (hidden * p["readout"]).sum(-1) + p["bias"]


def test_the_model_is_what_its_description_says():
    params = init_params(jax.random.key(0), CONFIG)
    x = windows()
    expected = np.stack([reference(params, np.asarray(w)) for w in x])
    np.testing.assert_allclose(apply(CONFIG, params, x), expected, atol=2e-6)


def test_attention_is_causal_by_time_step():
    params = init_params(jax.random.key(0), CONFIG)
    jacobian = jax.jacrev(lambda w: apply(CONFIG, params, w[None])[0])(windows()[0])
    for at in range(4):
        future = np.abs(np.asarray(jacobian))[at, :, at + 1 :]
        assert (future == 0).all()
        assert (np.abs(np.asarray(jacobian))[at, :, : at + 1] > 0).all()


def test_the_skip_is_a_linear_autoregression_over_the_lags_in_the_window():
    config = ForecasterConfig(n_vars=3, max_lag=4, width=8, n_heads=2, skip=True)
    weights = np.random.default_rng(1).normal(size=(3, 3, 5))
    params = with_skip(init_params(jax.random.key(0), config), weights)
    x = windows()
    out = np.asarray(apply(config, params, x))
    for at in range(4):
        expected = sum(
            np.asarray(x)[:, at + 1 - lag] @ weights[:, :, lag] for lag in range(1, at + 2)
        )
        np.testing.assert_allclose(out[:, at], expected, atol=1e-5)


def test_the_predictor_reads_the_newest_step():
    params = init_params(jax.random.key(0), CONFIG)
    x = windows()
    np.testing.assert_allclose(
        predictor(CONFIG, params)(x[0]), apply(CONFIG, params, x)[0, -1], atol=1e-6
    )


def test_everything_is_float32_even_under_x64():
    params = init_params(jax.random.key(0), CONFIG)
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {jnp.dtype("float32")}
    assert apply(CONFIG, params, windows()).dtype == jnp.float32


def test_the_same_key_gives_the_same_parameters():
    a, b, c = (init_params(jax.random.key(k), CONFIG) for k in (0, 0, 1))
    assert all((x == y).all() for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True))
    assert not (a["variable"] == c["variable"]).all()


@pytest.mark.parametrize(
    ("change", "message"), [({"depth": 0}, "depth=0"), ({"width": 9}, "multiple of n_heads=2")]
)
def test_bad_sizes_are_named(change, message):
    with pytest.raises(InputError, match=message):
        ForecasterConfig(**({"n_vars": 3, "max_lag": 4, "width": 8, "n_heads": 2} | change))
