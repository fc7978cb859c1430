"""What a test is asked: its own nodes, none given itself; a condition counts once."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcause as jc
from jaxcause import InputError
from jaxcause.stats import DeletionTest, holed_samples

N_NODES = 5


def data(n_holes=0):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, N_NODES)) @ (np.eye(N_NODES) + np.triu(np.ones((N_NODES,) * 2), 1))
    x[:n_holes, 0] = np.nan
    return x


DAG = np.triu(np.ones((N_NODES,) * 2, bool), 1)
TESTS = {
    "correlation": lambda: jc.partial_correlation_test(np.corrcoef(data().T), 60),
    "on a device": lambda: jc.partial_correlation_test(jnp.asarray(np.corrcoef(data().T)), 60),
    "holes": lambda: DeletionTest(holed_samples(data(9))),
    "oracle": lambda: jc.oracle_test(DAG),
}


@pytest.fixture(params=TESTS)
def asked(request):
    return TESTS[request.param]()


@pytest.mark.parametrize(
    ("x", "y", "cond", "message"),
    [
        (-1, 1, [-1], "x holds -1, but the test has the nodes 0 … 4"),
        (0, 5, [-1], "y holds 5"),
        (0, 99, [], "y holds 99"),
        (0, 1, [2, 99], "cond holds 99"),
        (0, 1, [-2], "cond holds -2"),
        (0, 1, [0], "cond holds 0, which is x"),
        (0, 1, [3, 1], "cond holds 1, which is y"),
        ([0, 1], [2, 1], [[3], [1]], "cond holds 1, which is x"),
    ],
)
def test_other_nodes_are_refused(asked, x, y, cond, message):
    x, y = (end if isinstance(end, int) else np.array(end) for end in (x, y))
    for engine in (np.asarray, jnp.asarray):
        with pytest.raises(InputError, match=message):
            asked(x, y, engine(np.array(cond, np.int32)))


def test_a_condition_that_stands_twice_counts_once(asked):
    once, twice = np.array([2, 3, -1, -1], np.int32), np.array([2, 3, 3, 2], np.int32)
    for given in (once, twice):
        same = jnp.asarray(given)
        p_values = asked(0, 1, given).p_value, jax.jit(asked)(0, 1, same).p_value
        np.testing.assert_allclose(p_values, float(asked(0, 1, once).p_value), rtol=1e-6)
