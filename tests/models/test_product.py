"""Products of matrices: values and every derivative against einsum, alone and many at once."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcause.models.forecaster._product import product

OVER = [(2, 1), (1, 1), (2, 2), (1, 2)]


def operands(over, *many, dtype=np.float64):
    rng = np.random.default_rng(0)
    left = (3, 4, 5) if over[0] == 2 else (3, 5, 4)
    right = (3, 5, 6) if over[1] == 1 else (3, 6, 5)
    return tuple(jnp.asarray(rng.normal(size=(*many, *shape)), dtype) for shape in (left, right))


def by_einsum(a, b, over):
    left, right = "nik" if over[0] == 2 else "nki", "nkj" if over[1] == 1 else "njk"
    return jnp.einsum(f"{left},{right}->nij", a, b)


@pytest.mark.parametrize("over", OVER)
def test_values_and_derivatives_are_those_of_einsum(over):
    a, b = operands(over)
    np.testing.assert_allclose(product(a, b, over), by_einsum(a, b, over), rtol=1e-12)

    def energy(function, a, b):
        return (jnp.sin(function(a, b, over)) ** 2).sum()

    for order in (jax.grad, lambda f, n: jax.jacfwd(f, n), lambda f, n: jax.jacrev(f, n)):
        for n in (1, 2):
            found, expected = (order(energy, n)(f, a, b) for f in (product, by_einsum))
            np.testing.assert_allclose(found, expected, rtol=1e-10)
    for first in (1, 2):
        for second in (1, 2):
            found, expected = (
                jax.jacfwd(jax.grad(energy, first), second)(f, a, b) for f in (product, by_einsum)
            )
            np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("over", OVER)
@pytest.mark.parametrize("axes", [(0, 0), (1, 3), (0, None), (2, None), (None, 0), (None, 3)])
def test_many_at_once_are_as_one_by_one(over, axes):
    of_one = operands(over)
    of_many = operands(over, 2)
    given = [
        one if axis is None else jnp.moveaxis(many, 0, axis)
        for one, many, axis in zip(of_one, of_many, axes, strict=True)
    ]
    found = jax.jit(jax.vmap(lambda a, b: product(a, b, over), axes))(*given)
    for m in range(2):
        at_m = [
            x if axis is None else jnp.take(x, m, axis) for x, axis in zip(given, axes, strict=True)
        ]
        np.testing.assert_allclose(found[m], by_einsum(*at_m, over), rtol=1e-12)


def test_many_pullbacks_share_one_forward_pass():
    a, b = operands((1, 1))
    _, pull = jax.vjp(lambda a, b: product(a, b, (1, 1)), a, b)
    cotangents = jnp.asarray(np.random.default_rng(1).normal(size=(7, 3, 4, 6)))
    for found, expected in zip(
        jax.vmap(pull)(cotangents),
        (jnp.einsum("mnij,nkj->mnki", cotangents, b), jnp.einsum("mnij,nki->mnkj", cotangents, a)),
        strict=True,
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("over", OVER)
def test_no_derivative_is_turned_round(over):
    a, b = operands(over)
    gradient = jax.grad(lambda a, b: (product(a, b, over) ** 2).sum(), (0, 1))
    assert "transpose" not in str(jax.make_jaxpr(gradient)(a, b))


def test_half_precision_is_summed_in_single():
    a, b = operands((2, 1), dtype=jnp.bfloat16)
    found = product(a, b)
    assert found.dtype == np.float32
    expected = by_einsum(a.astype(np.float32), b.astype(np.float32), (2, 1))
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    gradient = jax.grad(lambda a: product(a, b).sum())(a)
    assert gradient.dtype == jnp.bfloat16
