import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcause import InputError
from jaxcause.models import forecaster
from jaxcause.models.forecaster import (
    PRESETS,
    ForecasterConfig,
    attention,
    density_predictor,
    init_params,
    positional_attention,
    predictor,
    with_allowed,
    with_skip,
)
from jaxcause.models.forecaster import positional as positional_module
from jaxcause.nn import ATTN_LRP

# Compiled as a whole: operation by operation the tests would mostly compile.
forward = jax.jit(forecaster.forward, static_argnums=0)

SIZES = {"n_vars": 3, "max_lag": 4, "width": 8, "n_heads": 2}
CONTENT = ForecasterConfig(**SIZES, attention="content", mlp_ratio=2)
POSITIONAL = ForecasterConfig(**SIZES, depth=3)
BOTH = pytest.mark.parametrize("config", [CONTENT, POSITIONAL], ids=["content", "positional"])


def windows(n=5, seed=0):
    return jnp.asarray(np.random.default_rng(seed).normal(size=(n, 4, 3)), jnp.float32)


def content_reference(params, x):
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
    return (hidden * p["readout"][0]).sum(-1) + p["bias"][0]


def positional_reference(params, x):
    """Mean and raw variance of the row after x, sum by sum from the description."""
    p = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)
    n_lags, n_vars = x.shape
    heads, size = p["logits"].shape[0], p["mix"].shape[-1] // p["logits"].shape[0]

    def gelu(u):
        return 0.5 * u * (1 + np.tanh(np.sqrt(2 / np.pi) * (u + 0.044715 * u**3)))

    out = []
    for i in range(n_vars):
        z = np.zeros(heads * size)
        for h in range(heads):
            weight = np.exp(10 * p["logits"][h, i])
            weight /= 1 + weight.sum()
            for j in range(n_vars):
                for lag in range(1, n_lags + 1):
                    value = x[-lag, j]
                    token = gelu(value * p["value"][j] + p["variable"][j])
                    v = token @ p["mix"][j] + value * p["linear_value"][j]
                    part = slice(h * size, (h + 1) * size)
                    z[part] += weight[j, lag - 1] * v[part]
        signal = z @ p["signal"][i] + p["signal_bias"][i]
        hidden = signal * gelu(z @ p["gate"][i] + p["gate_bias"][i])
        for layer, bias in zip(p["layers"], p["layer_biases"], strict=True):
            hidden = hidden + gelu(hidden @ layer[i] + bias[i])
        out.append(p["readout"][:, i] @ hidden + p["linear_readout"][:, i] @ z + p["bias"][:, i])
    return np.stack(out, axis=1)


def test_the_content_model_is_what_its_description_says():
    params = init_params(jax.random.key(0), CONTENT)
    x = windows()
    expected = np.stack([content_reference(params, np.asarray(w)) for w in x])
    np.testing.assert_allclose(forward(CONTENT, params, x).mean, expected, atol=2e-6)


def test_the_positional_model_is_what_its_description_says():
    config = dataclasses.replace(POSITIONAL, head="gaussian")
    params = init_params(jax.random.key(0), config)
    params["signal_bias"] = params["signal_bias"] + 0.1
    params["bias"] = params["bias"] + 0.2
    x = windows()
    found = forward(config, params, x)
    expected = np.stack([positional_reference(params, np.asarray(w)) for w in x])
    assert found.mean.shape == (5, 1, 3)
    np.testing.assert_allclose(found.mean[:, 0], expected[:, 0], atol=2e-5)
    variance = np.log1p(np.exp(expected[:, 1] + np.log(np.e - 1))) + 1e-4
    np.testing.assert_allclose(found.variance[:, 0], variance, atol=2e-4)


def test_a_stretch_of_rows_is_predicted_as_its_windows_are():
    params = init_params(jax.random.key(0), POSITIONAL)
    rows = jnp.asarray(np.random.default_rng(0).normal(size=(2, 9, 3)), jnp.float32)
    together = forward(POSITIONAL, params, rows).mean
    assert together.shape == (2, 6, 3)
    for first in range(6):
        alone = forward(POSITIONAL, params, rows[:, first : first + 4]).mean
        np.testing.assert_allclose(together[:, first], alone[:, 0], atol=2e-6)


def test_lags_in_blocks_give_the_same_and_the_same_gradient(monkeypatch):
    params = init_params(jax.random.key(0), POSITIONAL)
    x = windows()

    def total(x):
        return (forecaster.forward(POSITIONAL, params, x).mean ** 2).sum()

    whole = jax.jit(jax.value_and_grad(total))(x)
    monkeypatch.setattr(positional_module, "MOST_INPUTS_AT_ONCE", 3 * 3)
    # A function of its own is traced anew.
    blocks = jax.jit(jax.value_and_grad(lambda x: total(x)))(x)
    np.testing.assert_allclose(whole[0], blocks[0], rtol=1e-5)
    np.testing.assert_allclose(whole[1], blocks[1], atol=1e-5)


def test_content_attention_is_causal_by_time_step():
    params = init_params(jax.random.key(0), CONTENT)
    jacobian = jax.jit(jax.jacrev(lambda w: forward(CONTENT, params, w[None]).mean[0]))(
        windows()[0]
    )
    for at in range(4):
        future = np.abs(np.asarray(jacobian))[at, :, at + 1 :]
        assert (future == 0).all()
        assert (np.abs(np.asarray(jacobian))[at, :, : at + 1] > 0).all()
    weights = np.asarray(jax.jit(attention, static_argnums=0)(CONTENT, params, windows()))
    assert weights.shape == (2, 5, 2, 12, 12)
    np.testing.assert_allclose(weights.sum(-1), 1, atol=1e-5)
    assert (weights[..., 0, 3:] == 0).all()


def test_positional_attention_leaves_a_rest_to_the_sink():
    params = init_params(jax.random.key(0), POSITIONAL)
    weights = np.asarray(positional_attention(POSITIONAL, params))
    assert weights.shape == (2, 3, 3, 4)
    assert (weights > 0).all()
    assert (weights.sum((2, 3)) < 1).all()


@BOTH
def test_the_skip_is_a_linear_autoregression(config):
    config = dataclasses.replace(config, skip=True)
    weights = np.random.default_rng(1).normal(size=(3, 3, 5))
    params = with_skip(init_params(jax.random.key(0), config), weights)
    x = windows()
    expected = sum(np.asarray(x)[:, 4 - lag] @ weights[:, :, lag] for lag in range(1, 5))
    np.testing.assert_allclose(forward(config, params, x).mean[:, -1], expected, atol=1e-5)


def test_what_is_not_allowed_is_never_used():
    config = dataclasses.replace(POSITIONAL, skip=True)
    allowed = np.ones((3, 3, 5), bool)
    allowed[0, 1, 2:] = allowed[2, 2] = False
    params = with_skip(init_params(jax.random.key(0), config), np.ones((3, 3, 5)))
    params = with_allowed(params, allowed)
    params["readout"] = params["readout"] + 1.0
    jacobian = jax.jit(jax.jacrev(predictor(config, params)))(windows()[0])
    used = np.asarray(jacobian)[:, ::-1].transpose(2, 0, 1) != 0
    np.testing.assert_array_equal(used, allowed[:, :, 1:])
    gradient = jax.jit(jax.grad(lambda p: (forward(config, p, windows()).mean ** 2).sum()))(params)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient))
    at_forbidden = np.asarray(gradient["logits"])[:, ~allowed[:, :, 1:].swapaxes(0, 1)]
    assert (at_forbidden == 0).all()


@BOTH
def test_missing_values_are_a_token_of_their_own(config):
    config = dataclasses.replace(config, missing=True)
    params = init_params(jax.random.key(0), config)
    x, seen = windows(), np.ones((5, 4, 3), bool)
    seen[:, 2, 1] = False
    one = forward(config, params, x, observed=jnp.asarray(seen)).mean
    other = forward(config, params, x.at[:, 2, 1].set(7.0), observed=jnp.asarray(seen)).mean
    np.testing.assert_array_equal(one, other)
    assert not np.allclose(one, forward(config, params, x).mean)


@BOTH
def test_the_regime_is_an_input(config):
    config = dataclasses.replace(config, n_domains=3)
    params = init_params(jax.random.key(0), config)
    params = jax.tree.map(lambda leaf: leaf + 0.1, params)
    x = windows()[0]
    by_regime = [jax.jit(predictor(config, params, domain=d))(x) for d in range(3)]
    assert not np.allclose(by_regime[0], by_regime[1])
    length = 4 if config.attention == "content" else 1
    domain = jnp.full((1, length), 2, jnp.int32)
    again = forward(config, params, x[None], domain=domain).mean[0, -1]
    np.testing.assert_allclose(by_regime[2], again, atol=1e-6)


@BOTH
def test_the_gaussian_head_has_a_positive_variance_that_depends_on_the_past(config):
    config = dataclasses.replace(config, head="gaussian")
    params = init_params(jax.random.key(0), config)
    mean, variance = jax.jit(density_predictor(config, params))(windows()[0])
    assert mean.shape == variance.shape == (3,)
    assert (variance > 0).all()
    gradient = jax.jit(jax.jacrev(lambda w: density_predictor(config, params)(w)[1]))(windows()[0])
    assert (np.abs(gradient) > 0).any()


@BOTH
def test_relevance_rules_change_the_gradient_alone(config):
    params = init_params(jax.random.key(0), config)
    x = windows()[0]
    plain, ruled = predictor(config, params), predictor(config, params, ops=ATTN_LRP)
    np.testing.assert_allclose(jax.jit(plain)(x), jax.jit(ruled)(x), atol=1e-6)
    derivatives = jax.jit(lambda x: (jax.jacrev(plain)(x), jax.jacrev(ruled)(x)))(x)
    assert not np.allclose(*derivatives)


@BOTH
def test_bfloat16_products_are_close(config):
    params = init_params(jax.random.key(0), config)
    half = dataclasses.replace(config, dtype="bfloat16")
    exact, rough = (forward(c, params, windows()).mean for c in (config, half))
    assert rough.dtype == jnp.float32
    np.testing.assert_allclose(exact, rough, atol=0.05)


@BOTH
def test_the_predictor_reads_the_newest_step(config):
    params = init_params(jax.random.key(0), config)
    x = windows()
    expected = forward(config, params, x).mean[0, -1]
    np.testing.assert_allclose(jax.jit(predictor(config, params))(x[0]), expected, atol=1e-6)


@BOTH
def test_everything_is_float32_even_under_x64(config):
    params = init_params(jax.random.key(0), config)
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {jnp.dtype("float32")}
    assert forward(config, params, windows()).mean.dtype == jnp.float32


def test_the_same_key_gives_the_same_parameters():
    a, b, c = (init_params(jax.random.key(k), POSITIONAL) for k in (0, 0, 1))
    assert all((x == y).all() for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True))
    assert not (a["variable"] == c["variable"]).all()


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_configurations(name):
    assert ForecasterConfig(3, 4, **PRESETS[name]).flops > 0


@pytest.mark.usefixtures("untyped")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"depth": 0}, "depth=0"),
        ({"width": 9}, "multiple of n_heads=2"),
        ({"attention": "none"}, "attention='none'"),
        ({"head": "poisson"}, "head='poisson'"),
    ],
)
def test_bad_sizes_are_named(change, message):
    with pytest.raises(InputError, match=message):
        ForecasterConfig(**(SIZES | change))
