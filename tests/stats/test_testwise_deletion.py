"""Each test on the samples that hold all its variables, beside the same samples cut out by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jaxcause as jc
from jaxcause import InputError
from jaxcause.discovery import Caps
from jaxcause.stats import (
    holed_samples,
    pairwise_correlation,
    partial_correlation_test_from_data,
)


def of_testwise(x, **options):
    return partial_correlation_test_from_data(x, missing="testwise", **options)


def common_causes(seed, n_rows=200, share=0.05):
    """Two variables that depend on two common causes alone, a share of whose cells is missing."""
    rng = np.random.default_rng(seed)
    causes = rng.normal(size=(n_rows, 2))
    causes[:, 1] += causes[:, 0]
    x = np.c_[causes.sum(1, keepdims=True) + 0.5 * rng.normal(size=(n_rows, 2)), causes]
    x[rng.random(x.shape) < share] = np.nan
    return x


@st.composite
def samples_and_tests(draw):
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    n_rows, n = draw(st.integers(12, 60)), draw(st.integers(3, 6))
    x = rng.normal(size=(n_rows, n)) @ rng.normal(size=(n, n))
    if draw(st.booleans()):
        x[:, -1] = x[:, 0] + (0 if draw(st.booleans()) else x[:, 1])
    x = x * 10.0 ** draw(st.integers(-3, 3)) + draw(st.sampled_from([0.0, 1.0, 1000.0]))
    share = draw(st.sampled_from([0.02, 0.1, 0.3]))
    x[rng.random(x.shape) < share] = np.nan
    if draw(st.booleans()):
        x[rng.random(n_rows) < 0.5, 1:] = np.nan
    nodes = [rng.permutation(n) for _ in range(20)]
    sizes = rng.integers(0, n - 1, 20)
    return x, [(int(p[0]), int(p[1]), p[2 : 2 + k]) for p, k in zip(nodes, sizes, strict=True)]


def filled_by_hand(x):
    """The last column may be a copy of the first: what one misses, the other may hold."""
    ends = x[:, [0, -1]]
    known = ~np.isnan(ends)
    both, n_filled = known.all(axis=1), known.any(axis=1).sum() - known.sum(axis=0)
    same = (ends[both, 0] == ends[both, 1]).all()
    if not same or both.sum() < max(4, n_filled.max()):
        return x
    x = x.copy()
    x[:, [0, -1]] = np.where(known, ends, ends[:, ::-1])
    return x


@settings(deadline=None, max_examples=60)
@given(samples_and_tests())
def test_the_same_as_on_samples_cut_out_by_hand(case):
    x, tests = case
    try:
        test = of_testwise(x)
    except InputError:
        return
    cond = np.full((len(tests), 4), -1)
    for row, (_, _, given_nodes) in zip(cond, tests, strict=True):
        row[: len(given_nodes)] = given_nodes
    ends = np.array([pair[:2] for pair in tests]).T
    together = test(*ends, cond)
    x = filled_by_hand(x)
    held = test.samples.n_holding(np.column_stack([cond, *ends]).T)
    for k, (i, j, given_nodes) in enumerate(tests):
        columns = [i, j, *given_nodes]
        rows = x[~np.isnan(x[:, columns]).any(axis=1)][:, columns]
        assert held[k] == len(rows)
        alone = test(i, j, given_nodes)
        assert together.p_value[k] == pytest.approx(float(alone.p_value), rel=1e-9, abs=1e-300)
        constant = [len(rows) < 2 or np.ptp(column) == 0 for column in rows.T]
        if len(rows) - len(given_nodes) - 3 <= 0 or constant[0] or constant[1]:
            assert together.p_value[k] == 0
            continue
        varied = [at for at in range(len(columns)) if not constant[at]]
        plain = partial_correlation_test_from_data(rows[:, varied])
        by_hand = plain(0, 1, np.arange(2, len(varied)))
        assert together.statistic[k] == pytest.approx(float(by_hand.statistic), abs=1e-6)


def test_errors_have_the_spread_that_the_test_assumes():
    """Where effects are strong, correlations of different samples give false edges."""
    by_test, by_pair = [], []
    for seed in range(400):
        x = common_causes(seed)
        by_test.append(float(of_testwise(x)(0, 1, np.array([2, 3])).p_value))
        pairs = partial_correlation_test_from_data(x, missing="pairwise")
        by_pair.append(float(pairs(0, 1, np.array([2, 3])).p_value))
    assert 0.02 < np.mean(np.array(by_test) < 0.05) < 0.08
    assert np.mean(np.array(by_pair) < 0.05) > 0.12


def test_a_cause_may_decide_what_is_missing():
    """Values of X and Y are missing where their common cause is large, or small."""
    false = []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        x = common_causes(seed, 400, 0)
        missing = rng.random((400, 2)) < 0.5 / (1 + np.exp(np.c_[-3 * x[:, 2], 3 * x[:, 2]]))
        x[:, :2][missing] = np.nan
        false.append(of_testwise(x)(0, 1, np.array([2, 3])).p_value < 0.05)
    assert 0.02 < np.mean(false) < 0.085


@pytest.mark.parametrize("search", [jc.pc, jc.fci, jc.icd])
def test_searches_take_it_on_the_host_and_in_a_program(search):
    x = common_causes(3, 400)
    test = of_testwise(x)
    on_host = search(test).graph
    assert not on_host.adjacency[0, 1]
    assert on_host.adjacency[0, 2]
    assert on_host.adjacency[1, 3]
    caps = Caps(max_degree=3, max_cond_size=2)
    traced = jax.jit(lambda one: search(one, caps=caps).graph.marks)(test)
    np.testing.assert_array_equal(traced, on_host.marks)


def test_a_test_in_a_program_is_the_same():
    test = of_testwise(common_causes(0, 100, 0.2))
    cond = jnp.array([[2, 3], [3, -1], [-1, -1]])
    x, y = jnp.array([0, 0, 1]), jnp.array([1, 2, 2])
    one = jax.jit(jax.vmap(lambda i, j, s: test(i, j, s).p_value))(x, y, cond)
    np.testing.assert_allclose(one, test(*map(np.asarray, (x, y, cond))).p_value, rtol=1e-3)


def test_what_samples_hold():
    x = common_causes(1, 50, 0.2)
    samples = holed_samples(x)
    assert (samples.n_nodes, samples.n_samples) == (4, 50)
    np.testing.assert_array_equal(samples.n_common, pairwise_correlation(x).n_samples)
    found = samples.correlations(np.array([[0, 0], [2, 2], [-1, 3]]))
    assert found.varies.tolist() == [[True, True], [True, True], [False, True]]
    pairs = pairwise_correlation(x[:, [0, 2]]).corr
    np.testing.assert_allclose(found.corr[:2, :2, 0], pairs, atol=1e-12)
    assert found.corr[2, :2, 0].tolist() == [0, 0]
    assert found.n_samples[0] == samples.n_common[0, 2]


def test_samples_without_a_hole_are_sums():
    x = common_causes(1, 50, 0)
    test = of_testwise(x)
    assert test.samples.values.shape == (5, 0)
    plain = partial_correlation_test_from_data(x)
    args = (0, 1, np.array([2]))
    assert test(*args).p_value == pytest.approx(plain(*args).p_value, abs=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x: x.__setitem__((3, 2), np.inf), "x is infinite in row 3, column 2"),
        (lambda x: x.__setitem__((slice(None), 1), 1.0), "constant in column 1"),
        (lambda x: x.__setitem__((slice(2, None), 1), np.nan), "missing='testwise' needs at least"),
    ],
)
def test_samples_that_cannot_be_used(change, message):
    x = common_causes(0, 30, 0)
    change(x)
    with pytest.raises(InputError, match=message):
        of_testwise(x)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: jax.jit(lambda v: of_testwise(v).samples.values)(x), "x cannot be traced"),
        (lambda x: of_testwise(np.stack([x, x])), "takes one data set"),
        (lambda x: of_testwise(x, shrinkage="auto"), "shrinkage='auto' is not for"),
        (lambda x: of_testwise(x, shrinkage=0.1), "shrinkage=0.1 is not for"),
    ],
)
def test_options_that_it_does_not_honour(call, message):
    with pytest.raises(InputError, match=message):
        call(common_causes(0, 30))


def test_one_sided():
    x = common_causes(0, 100)
    x[:, 0] *= -1
    for one_sided in (False, True):
        found = of_testwise(x, one_sided=one_sided)(0, 1, np.array([-1]))
        assert found.statistic < 0
        assert (found.p_value == 1) == one_sided
