import functools
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import rule_by_rule as reference
from typechecker import tolerance

from jaxcause.nn import ATTN_LRP, CP_LRP, STANDARD, Ops

ALL = {"standard": STANDARD, "attn_lrp": ATTN_LRP, "cp_lrp": CP_LRP}
CAUSAL = np.tril(np.ones((reference.TOKENS, reference.TOKENS), bool))


def heads(x):
    return x.reshape(reference.TOKENS, reference.HEADS, -1).swapaxes(0, 1)[None]


@functools.partial(jax.jit, static_argnames="ops")
def value_and_gradient(net, x, ops):
    def output(x):
        def linear(layer, x):
            return x @ layer.weights + jnp.broadcast_to(layer.bias, (len(x), len(layer.bias)))

        for block in net["blocks"]:
            n = ops.rms_norm(x, block["rms_scale"])
            q, k, v = (heads(linear(block[name], n)) for name in "qkv")
            mixed = ops.attention(q, k, v, jnp.asarray(CAUSAL))[0][0]
            x = x + linear(block["out"], mixed.swapaxes(0, 1).reshape(x.shape))
            m = ops.layer_norm(x, block["layer_scale"], block["layer_bias"])
            gate = ops.activation(jax.nn.silu, linear(block["gate"], m))
            x = x + linear(block["down"], ops.gate(linear(block["signal"], m), gate))
        return linear(net["read"], x)[-1, 0]

    return jax.value_and_grad(output)(x)


def case(seed, biases):
    rng = np.random.default_rng(seed)
    net = reference.network(rng, biases=biases)
    return net, rng.normal(size=(reference.TOKENS, reference.WIDTH))


def found(net, x, ops):
    arrays = jax.tree.map(jnp.asarray, net)
    value, gradient = value_and_gradient(arrays, jnp.asarray(x), ops)
    return float(value), x * np.asarray(gradient)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("biases", [False, True])
@pytest.mark.parametrize("ops", ["attn_lrp", "cp_lrp"])
def test_relevance_equals_its_propagation_layer_by_layer(ops, biases, seed):
    net, x = case(seed, biases)
    output, expected = reference.relevance(net, x, CAUSAL, ops == "cp_lrp")
    value, relevance = found(net, x, ALL[ops])
    scale = np.abs(expected).max()
    assert value == pytest.approx(output, rel=tolerance(1e-10, 1e-3))
    np.testing.assert_allclose(relevance, expected, atol=scale * tolerance(1e-9, 1e-2))


def test_cp_lrp_conserves_the_sum_without_biases_and_attn_lrp_does_not():
    misses = []
    for seed in range(4):
        net, x = case(seed, biases=False)
        # The ε of the norms is no bias: what they divide by is a constant.
        value, relevance = found(net, x, CP_LRP)
        assert relevance.sum() == pytest.approx(value, rel=tolerance(1e-9, 1e-3))
        value, relevance = found(net, x, ATTN_LRP)
        misses.append(abs(relevance.sum() / value - 1))
        net, x = case(seed, biases=True)
        value, relevance = found(net, x, CP_LRP)
        assert abs(relevance.sum() / value - 1) > 0.01
    assert min(misses) > 0.01


def test_rules_differ_from_the_gradient_and_from_one_another():
    net, x = case(0, biases=True)
    values, relevances = zip(*(found(net, x, ops) for ops in ALL.values()), strict=True)
    assert values[0] == pytest.approx(values[1], rel=1e-5) == pytest.approx(values[2], rel=1e-5)
    for a, b in ((0, 1), (0, 2), (1, 2)):
        assert np.abs(relevances[a] - relevances[b]).max() > 0.01


def operands(dtype):
    x = np.random.default_rng(0).normal(size=(2, 4, 6))
    x[0, 0, 0] = 0
    return jnp.asarray(x, dtype), jnp.asarray(1.0 + np.arange(6) / 6, dtype)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize("ops", [ATTN_LRP, CP_LRP])
def test_every_forward_is_the_same_to_the_last_bit(ops, dtype):
    x, row = operands(dtype)
    mask = jnp.asarray(np.tril(np.ones((4, 4), bool)))
    calls = [
        lambda o: o.rms_norm(x, row),
        lambda o: o.layer_norm(x, row, 1 - row),
        lambda o: o.activation(jax.nn.gelu, x),
        lambda o: o.activation(jax.nn.sigmoid, x),
        lambda o: o.gate(x, x),
        lambda o: o.attention(x, x, x, mask),
        lambda o: o.attention(x, x, x),
    ]
    for call in calls:
        for a, b in zip(jax.tree.leaves(call(STANDARD)), jax.tree.leaves(call(ops)), strict=True):
            assert a.dtype == b.dtype
            assert (a == b).all()


def test_standard_operations_equal_their_formulas():
    x, row = operands(jnp.float32)
    a, s = np.asarray(x, np.float64), np.asarray(row, np.float64)
    expected = a / np.sqrt((a**2).mean(-1, keepdims=True) + 1e-6) * s
    np.testing.assert_allclose(STANDARD.rms_norm(x, row), expected, atol=1e-5)
    centred = a - a.mean(-1, keepdims=True)
    expected = centred / np.sqrt(a.var(-1, keepdims=True) + 1e-6) * s + 1 - s
    np.testing.assert_allclose(STANDARD.layer_norm(x, row, 1 - row), expected, atol=1e-5)
    mask = np.array([[1, 0, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0], [1, 1, 1, 1]], bool)
    mixed, weights = STANDARD.attention(x, x, x, jnp.asarray(mask))
    assert weights.dtype == jnp.float32
    powers = np.where(mask, np.exp(a @ a.swapaxes(1, 2) / np.sqrt(6)), 0)
    expected = powers / np.maximum(powers.sum(-1, keepdims=True), 1e-30)
    np.testing.assert_allclose(weights, expected, atol=1e-5)
    np.testing.assert_allclose(mixed, expected @ a, atol=1e-5)


def test_gradients_stay_finite_where_nothing_is_seen_and_where_an_input_is_zero():
    x, _ = operands(jnp.float32)
    mask = jnp.zeros((4, 4), bool)
    for ops in ALL.values():
        gradient = jax.grad(lambda x, o=ops: o.attention(x, x, x, mask)[0].sum())(x)
        assert (gradient == 0).all()
        gradient = jax.grad(lambda x, o=ops: o.activation(jax.nn.gelu, x).sum())(0 * x)
        assert jnp.isfinite(gradient).all()


def test_a_rule_of_ones_own_replaces_one_operation():
    doubled = STANDARD._replace(gate=lambda a, b: 2 * a * b)
    assert isinstance(doubled, Ops)
    assert float(doubled.gate(jnp.ones(()), jnp.ones(()))) == 2
    assert doubled.rms_norm is STANDARD.rms_norm


def test_operations_bring_in_nothing_but_jax():
    code = "import jaxcause.nn, sys; print([m for m in ('flax', 'optax') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
