"""PCMCI and PCMCI+ beside tigramite's outputs and beside regressions in a loop."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from jaxcause._checks import InputError
from jaxcause.discovery import lagged_correlation, pcmci, pcmci_plus
from jaxcause.discovery._pcmci.student_test import StudentTest
from jaxcause.graph import cyclic_edges
from jaxcause.stats import holed_samples

FOLDER = Path(__file__).parent / "goldens"


@pytest.fixture(scope="module")
def goldens():
    with np.load(FOLDER / "pcmci.npz") as stored:
        return dict(stored)


@pytest.fixture(scope="module")
def holed_goldens():
    with np.load(FOLDER / "pcmci_holes.npz") as stored:
        return dict(stored)


def every_window(series, max_lag):
    return lagged_correlation(series, np.arange(len(series) - 2 * max_lag), max_lag=max_lag)


def symbols(graph):
    text = np.full(graph.marks.shape[:3], "", "U3")
    names = {(3, 2): "-->", (2, 3): "<--", (1, 1): "o-o", (4, 4): "x-x"}
    marks = np.asarray(graph.marks)
    for cell in np.ndindex(text.shape):
        text[cell] = names.get(tuple(marks[cell].tolist()), "")
    return text


@pytest.mark.parametrize("at", range(20))
def test_the_same_as_tigramite(goldens, at):
    case = json.loads(str(goldens["cases"]))[at]
    series = goldens[f"{case['name']}_series"].astype(np.float64)
    found = searched(case, *every_window(series, case["max_lag"]), series.shape[1])
    check_against(goldens, case, found)


@pytest.mark.parametrize("at", range(12))
def test_the_same_as_tigramite_with_missing_values(holed_goldens, at):
    case = json.loads(str(holed_goldens["cases"]))[at]
    series = holed_goldens[f"{case['name']}_series"].astype(np.float64)
    length = 2 * case["max_lag"] + 1
    newest_first = np.lib.stride_tricks.sliding_window_view(series, length, axis=0)[..., ::-1]
    windows = newest_first.transpose(0, 2, 1).reshape(len(newest_first), -1)
    samples = holed_samples(windows)
    assert samples.values.shape[1] > 0
    found = searched(case, samples, samples.n_samples, series.shape[1])
    check_against(holed_goldens, case, found)


def searched(case, data, n_samples, n_vars):
    options = {"n_vars": n_vars, "pc_alpha": case["pc_alpha"]}
    if case["method"] == "pcmci":
        return pcmci(data, n_samples, alpha=0.05, **options)
    return pcmci_plus(data, n_samples, colliders=case["colliders"], **options)


def check_against(goldens, case, found):
    tested = ~np.isnan(found.p_value)
    assert tested.sum() == tested.size - found.graph.n_vars
    np.testing.assert_allclose(
        found.p_value[tested], goldens[f"{case['name']}_p"][tested], atol=1e-9
    )
    # Of a pair at lag 0 that was separated from its later variable, tigramite gives the p-value of
    # that test with the statistic of another one.
    tested[:, :, 0] &= np.asarray(found.graph.adjacency)[:, :, 0]
    np.testing.assert_allclose(
        found.statistic[tested], goldens[f"{case['name']}_r"][tested], atol=1e-11
    )
    assert (symbols(found.graph) == goldens[f"{case['name']}_graph"]).all()
    now = np.asarray(found.graph.marks)[:, :, 0, 1]
    assert found.info.n_conflicts == (symbols(found.graph) == "x-x").sum() // 2
    assert found.info.n_cyclic == cyclic_edges(now).sum() // 2


# Regressions in a loop.


def looped_test(series, max_lag, x, y, given):
    """Partial correlation of two (variable, lag) by residuals of least squares."""
    rows = np.arange(2 * max_lag, len(series))
    column = lambda node: series[rows - node[1], node[0]]  # noqa: E731
    z = np.stack([np.ones(len(rows)), *(column(node) for node in given)], axis=1)
    left, right = (
        column(node) - z @ np.linalg.lstsq(z, column(node), rcond=None)[0] for node in (x, y)
    )
    r = left @ right / np.sqrt(left @ left * (right @ right))
    degrees = len(rows) - 2 - len(given)
    return r, 2 * stats.t.sf(abs(r) * np.sqrt(degrees / (1 - r * r)), degrees)


def looped_parents(series, max_lag, target, alpha):
    strength = {(i, lag): np.inf for i in range(series.shape[1]) for lag in range(1, max_lag + 1)}
    parents, size = list(strength), 0
    while len(parents) > size:
        gone = []
        for parent in parents:
            given = [other for other in parents if other != parent][:size]
            r, p = looped_test(series, max_lag, parent, (target, 0), given)
            strength[parent] = min(strength[parent], abs(r))
            gone += [parent] if p > alpha else []
        parents = [p for p in parents if p not in gone]
        parents.sort(key=lambda parent: -strength[parent])
        size += 1
    return parents


def test_the_same_as_regressions_in_a_loop(goldens):
    series, max_lag = goldens["case_4_series"].astype(np.float64), 3
    n_vars = series.shape[1]
    corr, n_samples = every_window(series, max_lag)
    found = pcmci(corr, n_samples, n_vars=n_vars, pc_alpha=0.3)
    parents = [looped_parents(series, max_lag, j, 0.3) for j in range(n_vars)]
    table = np.zeros(found.info.parents.shape, bool)
    for target, nodes in enumerate(parents):
        for source, lag in nodes:
            table[source, target, lag] = True
    assert (found.info.parents == table).all()
    for i, j, lag in np.ndindex(found.p_value.shape):
        if lag == 0 and i == j:
            continue
        given = {node for node in parents[j] if node != (i, lag)}
        given |= {(k, shift + lag) for k, shift in parents[i]}
        r, p = looped_test(series, max_lag, (i, lag), (j, 0), sorted(given))
        assert found.statistic[i, j, lag] == pytest.approx(r, abs=1e-10)
        assert found.p_value[i, j, lag] == pytest.approx(p, abs=1e-9)


def test_one_test_for_sets_of_every_size():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(90, 60)) @ rng.normal(size=(60, 60))
    test = StudentTest(np.corrcoef(x.T), len(x))
    sizes = [0, 1, 3, 9, 20, 40]
    cond = np.full((len(sizes), 50), -1)
    for row, size in enumerate(sizes):
        # Padding stands anywhere.
        cond[row, rng.choice(50, size, replace=False)] = rng.choice(np.arange(2, 60), size, False)
    found = test(np.zeros(6, int), np.ones(6, int), cond)
    for row, size in enumerate(sizes):
        given = cond[row][cond[row] >= 0]
        precision = np.linalg.inv(np.corrcoef(x.T[[0, 1, *given]]))
        r = -precision[0, 1] / np.sqrt(precision[0, 0] * precision[1, 1])
        degrees = 88 - size
        p = 2 * stats.t.sf(abs(r) * np.sqrt(degrees / (1 - r * r)), degrees)
        assert found.statistic[row] == pytest.approx(r, abs=1e-9)
        assert found.p_value[row] == pytest.approx(p, abs=1e-9)
    left = test.residual_variance(np.zeros(1, int), np.arange(1, 6)[None])
    assert left[0] == pytest.approx(1 / np.linalg.inv(np.corrcoef(x.T[:6]))[0, 0])


def test_a_copy_is_dependent_and_no_degree_of_freedom_says_nothing():
    corr = np.eye(8)
    corr[0, 1] = corr[1, 0] = 1.0
    nodes = np.array([0, 2]), np.array([1, 3])
    found = StudentTest(corr, 100)(*nodes, np.array([[4], [-1]]))
    assert found.statistic.tolist() == [1, 0]
    assert found.p_value.tolist() == [0, 1]
    short = StudentTest(np.eye(8), 4)(*nodes, np.array([[4, 5], [4, -1]]))
    assert short.p_value[0] == 1
    assert short.p_value[1] == pytest.approx(1)


@pytest.fixture(scope="module")
def system():
    """X0 drives itself and X1 a step later; X1 and X3 meet in X2, which drives X4, at once."""
    rng = np.random.default_rng(4)
    x = rng.normal(size=(3000, 5))
    for t in range(1, len(x)):
        x[t, 0] += 0.5 * x[t - 1, 0]
        x[t, 1] += 0.6 * x[t - 1, 0]
        x[t, 2] += 0.6 * x[t, 1] + 0.6 * x[t, 3]
        x[t, 4] += 0.7 * x[t, 2]
    return x


@pytest.mark.parametrize("colliders", ["majority", "none"])
def test_a_known_system(system, colliders):
    corr, n_samples = every_window(system, 1)
    found = pcmci_plus(corr, n_samples, n_vars=5, pc_alpha=0.001, colliders=colliders)
    expected = [("0", 1, "0"), ("0", 1, "1"), ("1", 0, "2"), ("3", 0, "2"), ("2", 0, "4")]
    edges = found.graph.edges(list("01234"))
    assert sorted(edges) == sorted((i, lag, "-->", j) for i, lag, j in expected)
    assert found.info.n_conflicts == 0


def test_variables_in_another_order(system):
    order = np.array([3, 1, 4, 0, 2])
    plain, moved = (
        pcmci_plus(*every_window(x, 1), n_vars=5, pc_alpha=0.05)
        for x in (system[:300], system[:300, order])
    )
    np.testing.assert_allclose(moved.p_value, plain.p_value[np.ix_(order, order)], atol=1e-12)
    marks = np.asarray(plain.graph.marks)[np.ix_(order, order)]
    assert (np.asarray(moved.graph.marks) == marks).all()


@pytest.mark.parametrize("method", [pcmci, pcmci_plus])
def test_links_that_are_not_allowed(system, method):
    corr, n_samples = every_window(system[:300], 1)
    allowed = np.ones((5, 5, 2), bool)
    allowed[0, 1, 1] = False
    allowed[:, :, 0] = False
    found = method(corr, n_samples, n_vars=5, allowed=allowed)
    assert np.isnan(found.p_value[~allowed]).all()
    assert not np.isnan(found.p_value[allowed]).any()
    assert not np.asarray(found.graph.adjacency)[~allowed].any()
    assert not found.info.parents[0, 1, 1]


def test_fewer_conditions(system):
    corr, n_samples = every_window(system[:300], 1)
    found = pcmci(corr, n_samples, n_vars=5, max_target_parents=0, max_source_parents=0)
    r, p = looped_test(system[:300], 1, (0, 1), (1, 0), [])
    assert found.statistic[0, 1, 1] == pytest.approx(r)
    assert found.p_value[0, 1, 1] == pytest.approx(p)


def test_windows_are_streamed_and_skip_what_is_missing(monkeypatch):
    x = np.random.default_rng(0).normal(size=(60, 2)) + 1e3
    starts = np.array([0, 1, 2, 3, 10, 11, 12, 30, 31, 40, 50])
    windows = np.stack([x[s : s + 5][::-1].ravel() for s in starts])
    x[20:25] = np.nan
    monkeypatch.setattr("jaxcause.series._windows.BLOCK", 30)
    corr, n_samples = lagged_correlation(x, starts, max_lag=2)
    assert n_samples == len(starts)
    np.testing.assert_allclose(corr, np.corrcoef(windows.T), atol=1e-12)


def test_bad_input(untyped, system):
    corr, n_samples = every_window(system[:100], 1)
    with pytest.raises(InputError, match="pc_alpha=2"):
        pcmci(corr, n_samples, n_vars=5, pc_alpha=[0.1, 2.0])
    with pytest.raises(InputError, match="corr has 15 nodes"):
        pcmci(corr, n_samples, n_vars=4)
    with pytest.raises(InputError, match="corr has 10 nodes"):
        pcmci_plus(corr[:10, :10], n_samples, n_vars=5)
    with pytest.raises(InputError, match="allowed has shape"):
        pcmci(corr, n_samples, n_vars=5, allowed=np.ones((5, 5, 3), bool))
    required = np.zeros((5, 5, 2), bool)
    with pytest.raises(InputError, match="required has shape"):
        pcmci_plus(corr, n_samples, n_vars=5, required=required[:, :, :1])
    required[0, 1, 1] = True
    with pytest.raises(InputError, match="required link 0 → 1 at lag 1 is not allowed"):
        pcmci(corr, n_samples, n_vars=5, required=required, allowed=~required)
    required[0, 1, 0] = required[1, 0, 0] = True
    with pytest.raises(InputError, match="cycle at lag 0"):
        pcmci(corr, n_samples, n_vars=5, required=required)
    with pytest.raises(InputError, match="colliders='all'"):
        pcmci_plus(corr, n_samples, n_vars=5, colliders="all")
    with pytest.raises(InputError, match="one level"):
        pcmci_plus(corr, n_samples, n_vars=5, pc_alpha=[0.1, 0.2])
    with pytest.raises(InputError, match="column 1 of series is constant"):
        lagged_correlation(np.array([[1.0, 2], [0, 2]] * 9), np.arange(10), max_lag=1)
    with pytest.raises(InputError, match="series has 2 windows of 3 complete rows"):
        lagged_correlation(system, np.arange(2), max_lag=1)


@pytest.mark.parametrize("search", [pcmci, pcmci_plus])
def test_a_matrix_for_each_target(search):
    """The same matrix for all is one matrix; a target's own one is read for that target alone."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 3))
    x[1:, 1] += 0.6 * x[:-1, 0]
    corr, n = every_window(x, 1)
    plain, repeated = (search(c, n, n_vars=3) for c in (corr, np.stack([corr] * 3)))
    np.testing.assert_array_equal(plain.graph.marks, repeated.graph.marks)
    np.testing.assert_allclose(plain.p_value, repeated.p_value)
    mixed = np.stack([corr, corr, np.eye(len(corr))])
    found = search(mixed, n, n_vars=3)
    np.testing.assert_allclose(found.p_value[:, 2, 1], 1)
    assert found.p_value[0, 1, 1] < 1e-6


def test_matrices_and_samples_that_do_not_fit():
    corr, n = every_window(np.random.default_rng(0).normal(size=(60, 3)), 1)
    with pytest.raises(InputError, match="one for each of the 3 targets"):
        pcmci(np.stack([corr] * 2), n, n_vars=3)
    x = np.random.default_rng(0).normal(size=(60, 9))
    x[0, 0] = np.nan
    with pytest.raises(InputError, match="the samples with holes are 60"):
        pcmci(holed_samples(x), 59, n_vars=3)
