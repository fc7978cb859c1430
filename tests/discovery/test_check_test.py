"""What is no test, or none that JAX can compile, is refused in one line that says what to write."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import pytest

import jaxcause as jc
from jaxcause import InputError
from jaxcause._typing import CIResult
from jaxcause.discovery._kernel.engine import engine_of

DATA = np.random.default_rng(0).normal(size=(50, 3))


class Own(NamedTuple):
    """A test as a user writes it; what it does with its arguments comes from a subclass."""

    corr: np.ndarray

    @property
    def n_nodes(self):
        return self.corr.shape[-1]

    def p_value(self, x, y, cond):
        return jnp.where(jnp.abs(self.corr[x, y]) > 0.5, 0.0, 1.0)

    def __call__(self, x, y, cond):
        p_value = self.p_value(x, y, cond)
        return CIResult(1 - p_value, p_value)


class ByNumpy(Own):
    def p_value(self, x, y, cond):
        return np.where(np.abs(self.corr[np.asarray(x), y]) > 0.5, 0.0, 1.0)


class ByInt(Own):
    def p_value(self, x, y, cond):
        return jnp.float32(int(x) == int(y))


class ByFloat(Own):
    def p_value(self, x, y, cond):
        return float(jnp.float32(x))


class ByIf(Own):
    def p_value(self, x, y, cond):
        return jnp.float32(1) if self.corr[x, y] > 0.5 else jnp.float32(0)


class ByLoop(Own):
    def p_value(self, x, y, cond):
        return jnp.float32(sum(1 for node in cond if node >= 0))


class WithoutResult(Own):
    def __call__(self, x, y, cond):
        return self.p_value(x, y, cond)


class Plain:
    n_nodes = 3

    def __call__(self, x, y, cond):
        return CIResult(jnp.float32(0), jnp.float32(1))


CORR = jnp.asarray(np.corrcoef(DATA.T), jnp.float32)


@pytest.mark.usefixtures("untyped")
@pytest.mark.parametrize("wrong", [ByNumpy, ByInt, ByFloat, ByIf, ByLoop])
def test_what_cannot_be_traced_is_refused(wrong):
    with pytest.raises(
        InputError, match=r"JAX cannot compile.*jax\.numpy.*pure_callback"
    ) as raised:
        jc.pc(wrong(CORR))
    assert "\n" not in str(raised.value)


@pytest.mark.usefixtures("untyped")
def test_a_test_of_ones_own_is_taken():
    assert jc.pc(Own(CORR)).graph.n_nodes == 3
    for search in (jc.pc, jc.icd, jc.fci):
        with pytest.raises(InputError, match="returns a .* without p_value"):
            search(WithoutResult(CORR))
        with pytest.raises(InputError, match="no pytree of arrays; make it a NamedTuple"):
            search(Plain())


@pytest.mark.usefixtures("untyped")
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (DATA, r"a ndarray of shape \(50, 3\), not a test; .*partial_correlation_test_from_data"),
        (jnp.asarray(DATA), "not a test; of samples in rows pass jc.partial_correlation_test_from"),
        (CORR, r"of correlations jc\.partial_correlation_test\(corr, n_samples\)"),
        (DATA.tolist(), "a list, not a test; of samples in rows"),
        ("fisherz", "a str, not a test; pass one, such as"),
        (lambda x, y, cond: 1.0, "without n_nodes; write a pytree"),
    ],
)
def test_what_is_no_test_is_refused(wrong, message):
    with pytest.raises(InputError, match=message) as raised:
        engine_of(wrong)
    assert "\n" not in str(raised.value)


@pytest.mark.usefixtures("untyped")
@pytest.mark.parametrize("search", [jc.pc, jc.fci, jc.icd])
def test_searches_take_data(search):
    data = DATA + DATA[:, [0, 0, 0]]
    wanted = np.asarray(search(jc.partial_correlation_test_from_data(data)).graph.marks)
    frame = pytest.importorskip("pandas").DataFrame(data)
    for given in (data, jnp.asarray(data), frame):
        np.testing.assert_array_equal(np.asarray(search(given).graph.marks), wanted)
    many = search(np.stack([data, data]))
    np.testing.assert_array_equal(np.asarray(many.graph[1].marks), wanted)
    whole = np.round(10 * data).astype(int)
    assert search(whole).graph.n_nodes == 3


@pytest.mark.usefixtures("untyped")
@pytest.mark.parametrize(
    ("given", "message"),
    [
        (CORR, r"correlation matrix; write jc\.partial_correlation_test\(corr, n_samples\)"),
        (DATA[:, 0], r"an array of shape \(50,\); give data \[samples, variables\]"),
        (DATA.astype(str), "values, not numbers; leave text columns out"),
        (np.full((50, 3), np.nan), r"cannot be correlated: .* jc\.partial_correlation_test_from"),
    ],
)
def test_data_that_no_search_takes_are_refused_in_a_line(given, message):
    with pytest.raises(InputError, match=message) as raised:
        jc.pc(given)
    assert "\n" not in str(raised.value)
