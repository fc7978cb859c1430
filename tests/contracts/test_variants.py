"""Searches with caps and tests are plain functions: compiled or not, on a device or from numpy."""

import chex
import jax
import numpy as np
from absl.testing import parameterized
from contracts.test_searches import OPTIONS, N, check_same, made_for

from jaxcause import Caps, icd, pc

CAPS = Caps(max_degree=N - 1, max_cond_size=1)
every_variant = chex.variants(
    with_jit=True, without_jit=True, with_device=True, without_device=True
)


class Variants(chex.TestCase):
    @every_variant
    @parameterized.named_parameters(("one_sided_pc", pc, "one_sided"), ("own_icd", icd, "own"))
    def test_a_search_with_caps(self, search, name):
        test = made_for(name, 0)
        plain = search(test, **OPTIONS | {"max_cond_size": 1})
        with jax.enable_x64(name != "own"):
            capped = self.variant(lambda t: search(t, **OPTIONS, caps=CAPS))(test)
        capped = jax.tree.map(np.asarray, capped)
        assert not capped.info.overflow
        # The p-values are those of another program, and equal up to rounding.
        np.testing.assert_allclose(plain.p_values, capped.p_values, rtol=1e-3, atol=1e-6)
        check_same(plain._replace(p_values=capped.p_values, levels=None), capped)

    @every_variant
    @parameterized.parameters("float64", "float32", "one_sided", "oracle", "own")
    def test_a_conditional_independence_test(self, name):
        test = made_for(name, 0)
        cond = np.array([2, 5, -1], np.int32)
        with jax.enable_x64(name != "own"):
            found = self.variant(lambda t, x, y, s: t(x, y, s))(
                test, np.int32(0), np.int32(1), cond
            )
            expected = test(0, 1, cond)
        chex.assert_shape(found, ())
        np.testing.assert_allclose(found.p_value, expected.p_value, rtol=1e-5, atol=1e-12)
