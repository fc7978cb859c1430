import itertools
from unittest import mock

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxcause import partial_correlation_test, pc, warmup
from jaxcause.discovery._host.evaluator import Evaluator
from jaxcause.discovery._host.rows import Rows
from jaxcause.discovery._kernel import gaussian, over_cores, over_devices, short_lists, sizes
from jaxcause.discovery._kernel.bits import boolean_product, pack, unpack
from jaxcause.discovery._kernel.conditioning_sets import SetRange
from jaxcause.discovery._kernel.engine import engine_of
from jaxcause.discovery._kernel.gaussian import GaussianEngine
from jaxcause.discovery._kernel.in_numpy import first_separating_in_numpy
from jaxcause.discovery._kernel.partial_correlation import Correlations, squared_correlations
from jaxcause.discovery._kernel.rows import NULL, RowBatch
from jaxcause.discovery._kernel.short_lists import first_single_conditions


def correlations(seed, n, graphs=()):
    mixing = np.random.default_rng(seed).normal(size=(*graphs, n, n + 2))
    mixing /= np.linalg.norm(mixing, axis=-1, keepdims=True)
    return mixing @ np.swapaxes(mixing, -1, -2)


def p_by_hand(corr, n_samples, x, y, given, one_sided):
    """Partial correlation from the inverse of the sub-matrix, columns in any order."""
    nodes = [*given[::-1], y, x]
    precision = np.linalg.inv(corr[np.ix_(nodes, nodes)])
    r = -precision[-1, -2] / np.sqrt(precision[-1, -1] * precision[-2, -2])
    if one_sided and r <= 0:
        return 1.0
    return 2 * scipy.stats.norm.sf(np.sqrt(n_samples - len(given) - 3) * np.abs(np.arctanh(r)))


def all_rows(graphs, n):
    """Every pair of every graph, with all other nodes as candidates, in a shuffled order."""
    order = np.random.default_rng(9).permutation(n)
    triples = [(g, x, y) for g in graphs for x, y in itertools.combinations(range(n), 2)]
    graph, x, y = (np.array(column) for column in zip(*triples, strict=True))
    lists = np.array([[k for k in order if k not in pair] for pair in zip(x, y, strict=True)])
    return Rows.own(np.arange(x.size), (graph, x, y), lists, np.full(x.size, n - 2))


# Every pair of a size, a kind of test and a type; all triples would compile twice as long.
@pytest.mark.parametrize(
    ("size", "one_sided", "dtype"),
    [
        (1, False, np.float32),
        (1, True, np.float64),
        (2, False, np.float64),
        (2, True, np.float32),
        (3, False, np.float32),
        (3, True, np.float64),
    ],
)
@pytest.mark.parametrize(
    ("engine", "looped"),
    [("numpy", False), ("xla", False), ("xla", True), ("xla", "in turns of four sets")],
    indirect=["engine"],
)
def test_the_first_separating_set_is_that_of_brute_force(
    size, one_sided, dtype, looped, engine, monkeypatch
):
    if looped:
        monkeypatch.setattr(sizes, "TESTS_AT_ONCE", 0)
    if looped == "in turns of four sets":
        monkeypatch.setattr(sizes, "on_accelerator", lambda: True)
        monkeypatch.setattr(sizes, "ACCELERATOR_SETS", 4)
        monkeypatch.setattr(sizes, "ACCELERATOR_LANES", 32)
    n, n_samples, alpha = 7, 60, 0.2
    corr = correlations(0, n, graphs=(2,))
    test = partial_correlation_test(corr, n_samples, one_sided=one_sided, search_dtype=dtype)
    rows = all_rows(range(2), n)
    # Colexicographic order of positions: the last position counts most.
    sets = sorted(itertools.combinations(range(n - 2), size), key=lambda s: s[::-1])
    close = {"abs": 1e-4 if dtype == np.float32 else 1e-12}
    p = np.array(
        [
            [p_by_hand(corr[graph], n_samples, x, y, listed[list(s)], one_sided) for s in sets]
            for graph, x, y, listed in zip(rows.graph, rows.x, rows.y, rows.lists, strict=True)
        ]
    )
    separates = p > alpha
    for max_p in (False, True):
        evaluate = Evaluator(engine_of(test), alpha=alpha, max_p=max_p)
        found = evaluate(rows, size)
        p_values = evaluate.p_values(found.strength)
        chosen = p.argmax(axis=1) if max_p else separates.argmax(axis=1)
        np.testing.assert_array_equal(found.separated, separates.any(axis=1))
        for k, m in enumerate(chosen):
            tested = len(sets) if max_p or not separates[k].any() else m + 1
            assert found.n_tests[k] == tested
            if not separates[k].any():
                assert p_values[k] == pytest.approx(p[k].max(), **close)
                continue
            assert p_values[k] == pytest.approx(p[k, m], **close)
            if not (max_p and one_sided):  # one-sided, many sets have p = 1
                assert found.sets[k].tolist() == rows.lists[k][list(sets[m])].tolist()


@pytest.mark.parametrize("size", [2, 3, 4])
@pytest.mark.parametrize("max_p", [False, True])
def test_all_at_once_look_ups_and_tiles_agree(size, max_p, compiled, monkeypatch):
    corr = correlations(1, 14)
    rows = all_rows([0], 14)
    engine = engine_of(partial_correlation_test(corr, 80))
    evaluate = Evaluator(engine, alpha=0.5, max_p=max_p)
    found = [evaluate(rows, size)]
    monkeypatch.setattr(sizes, "TESTS_AT_ONCE", 0)
    for width in (0, 16):
        widths = []
        monkeypatch.setattr(
            GaussianEngine, "_tile_width", lambda *_, w=width, seen=widths: seen.append(w) or w
        )
        found.append(evaluate(rows, size))
        assert widths
    for other in found[1:]:
        np.testing.assert_array_equal(other.sets, found[0].sets)
        np.testing.assert_array_equal(other.n_tests, found[0].n_tests)
        np.testing.assert_allclose(other.strength, found[0].strength, rtol=1e-9)


def test_few_tests_are_made_at_once_and_many_in_a_loop(compiled, monkeypatch):
    called = []
    for name in ("gaussian_each", "gaussian_first"):
        kernel = getattr(gaussian, name)
        monkeypatch.setattr(
            gaussian, name, lambda *a, k=kernel, n=name, **o: called.append(n) or k(*a, **o)
        )
    for n, expected in ((8, "gaussian_each"), (60, "gaussian_first")):
        called.clear()
        engine = engine_of(partial_correlation_test(correlations(0, n), 90))
        Evaluator(engine, alpha=0.1)(all_rows([0], n), 1)
        assert set(called) == {expected}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_cores_find_what_one_core_finds(dtype, compiled, monkeypatch):
    monkeypatch.setattr(sizes, "TESTS_AT_ONCE", 0)
    rows, seen = all_rows(range(3), 20), []
    on_cores = over_devices.on_cores
    monkeypatch.setattr(over_devices, "on_cores", lambda *a: seen.append(a[-1]) or on_cores(*a))
    found = []
    for n_cores in (1, 2, 5):
        monkeypatch.setattr(over_cores, "_n_cores", lambda n=n_cores: n)
        test = partial_correlation_test(correlations(3, 20, (3,)), 50, search_dtype=dtype)
        evaluate = Evaluator(engine_of(test), alpha=0.3, max_p=True)
        found.append(evaluate(rows, 2))
    assert set(seen) == {1, 2, 4}
    for other in found[1:]:
        chex.assert_trees_all_equal(other, found[0])


@given(st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=300)
def test_short_lists_give_the_bits_of_one_set_after_the_other(seed):
    rng = np.random.default_rng(seed)
    n, n_graphs, width = int(rng.integers(4, 12)), int(rng.integers(1, 4)), int(rng.integers(1, 9))
    corr = correlations(seed, n, (n_graphs,))
    if rng.random() < 0.3:  # copies leave no variance
        corr[:, 1], corr[:, :, 1] = corr[:, 0], corr[:, :, 0]
        corr[:, 1, 1] = corr[:, 0, 1] = corr[:, 1, 0] = 1
    n_lists, n_rows = int(rng.integers(1, 6)), int(rng.integers(1, 30))
    length = rng.integers(1, width + 1, n_lists)
    lists = np.where(np.arange(width) < length[:, None], rng.integers(0, n, (n_lists, width)), -1)
    owner, skips = rng.integers(0, n_lists, n_rows), rng.random(n_rows) < 0.5
    skips &= length[owner] > 1
    n_candidates = length[owner] - skips
    order = np.argsort(n_candidates, kind="stable")
    start = int(rng.integers(0, n_candidates.min()))
    sets = SetRange(1, start, int(rng.integers(start + 1, width + 2)))
    batch = RowBatch(
        graph=rng.integers(0, n_graphs, n_rows),
        x=rng.integers(0, n, n_rows),
        y=rng.integers(0, n, n_rows),
        start=owner * width,
        skip=np.where(skips, rng.integers(0, length[owner]), NULL),
        n_candidates=n_candidates,
        n_sets=n_candidates,
        limit=rng.choice([-1.0, 0.01, 0.2, 2.0], n_rows),
    ).at(order)
    padded = np.pad(lists.ravel(), (0, 50)).astype(np.int32)
    found = Correlations(corr.reshape(-1), np.array(n, np.int32), padded)
    one_sided, best = bool(rng.random() < 0.5), bool(rng.random() < 0.5)

    def values(tests, positions):
        with np.errstate(divide="ignore", invalid="ignore"):
            return squared_correlations(found, tests, one_sided=one_sided)(positions)[0]

    expected = first_separating_in_numpy(values, batch, sets, best=best, at_a_time=64)
    with mock.patch.object(short_lists, "TESTS_IN_CACHE", int(rng.choice([1, 20, 1 << 15]))):
        result = first_single_conditions(found, batch, sets, one_sided=one_sided, best=best)
    chex.assert_trees_all_equal(result, expected)


def test_large_sets_are_not_looked_up_all_at_once():
    at_once = sizes.all_at_once
    assert at_once(98_304, 1)
    assert not at_once(98_305, 1)
    assert at_once(98_304, 8)
    assert at_once(2_000, 64)
    assert not at_once(98_304, 64)


def test_rounding_never_turns_a_decision(compiled, monkeypatch):
    # Few tests are made in float64 at once.
    monkeypatch.setattr(sizes, "TESTS_AT_ONCE", 0)
    # A nearly singular matrix, and limits that lie within rounding of the statistics.
    n = 12
    base = correlations(2, n)
    corr = 0.999 * base[:, :1] @ base[:1] + 0.001 * base
    corr[np.arange(n), np.arange(n)] = 1
    corr = 0.5 * (corr + corr.T)
    rows = all_rows([0], n)
    double = engine_of(partial_correlation_test(corr, 30, search_dtype=np.float64))
    reached = Evaluator(double, alpha=1e-300)
    p_values = reached.p_values(reached(rows, 3).strength)
    for p in p_values[::20]:
        for alpha in (p * (1 - 1e-9), p * (1 + 1e-9)):
            engine = engine_of(partial_correlation_test(corr, 30, search_dtype=np.float32))
            single = Evaluator(engine, alpha=float(alpha))
            exact = Evaluator(double, alpha=float(alpha))(rows, 3)
            np.testing.assert_array_equal(single(rows, 3).sets, exact.sets)
            assert engine.n_retested > 0


def test_a_vanishing_variance_means_dependent():
    corr = np.eye(4)
    corr[0, 1] = corr[1, 0] = 1.0
    rows = Rows.own(
        np.arange(2),
        (np.zeros(2, int), np.array([0, 0]), np.array([2, 1])),
        np.array([[1], [3]]),
        np.ones(2, int),
    )
    for dtype in (np.float32, np.float64):
        test = partial_correlation_test(corr, 100, search_dtype=dtype)
        found = Evaluator(engine_of(test), alpha=0.01)(rows, 1)
        assert not found.separated.any()
        assert np.isinf(found.strength).all()


def budget(monkeypatch, **most):
    """Kernels that nothing has compiled yet, each of which may be traced so many times."""
    chex.clear_trace_counter()
    for name, n in most.items():
        counted = chex.assert_max_traces(getattr(gaussian, name).__wrapped__, n=n)
        static = {"gaussian_each": ["one_sided"], "_normal_tails": []}.get(
            name, ["one_sided", "best", "guarded", "lanes", "width", "at_once"]
        )
        monkeypatch.setattr(gaussian, name, jax.jit(counted, static_argnames=static))


def test_a_new_size_compiles_next_to_nothing(compiled, monkeypatch):
    # All of these sizes round up to shapes of the first: the kernels are traced no more than once
    # for each size of conditioning sets.
    budget(monkeypatch, gaussian_each=8, gaussian_first=1)
    warmup(60)
    for n in (40, 55):
        weights = np.triu(np.random.default_rng(n).random((n, n)) < 2 / n, 1) * 0.5
        effects = np.linalg.inv(np.eye(n) - weights)
        pc(partial_correlation_test(effects.T @ effects, 500))


def test_a_second_search_compiles_nothing(compiled, monkeypatch):
    budget(monkeypatch, gaussian_each=5, gaussian_first=1, _normal_tails=1)
    test = partial_correlation_test(correlations(3, 20), 100)
    pc(test)
    pc(partial_correlation_test(np.asarray(test.corr)[::-1, ::-1].copy(), 100))


@pytest.mark.parametrize("n", [1, 31, 32, 33, 70])
def test_words_hold_the_bits(n):
    rng = np.random.default_rng(n)
    left, right = rng.random((2, 3, 5, n)) < 0.2
    np.testing.assert_array_equal(unpack(pack(jnp.asarray(left)), n), left)
    product = boolean_product(jnp.asarray(left), jnp.asarray(np.swapaxes(right, 1, 2)))
    np.testing.assert_array_equal(product, left.astype(int) @ np.swapaxes(right, 1, 2) > 0)


def test_the_persistent_cache_takes_the_kernels(compiled, tmp_path):
    # What the documentation says about the cache: programs land there although they are small.
    jax.config.update("jax_compilation_cache_dir", str(tmp_path))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    try:
        jax.clear_caches()
        pc(partial_correlation_test(correlations(4, 9), 200))
        assert any(tmp_path.iterdir())
    finally:
        jax.config.update("jax_compilation_cache_dir", None)
