import os
import subprocess
import sys

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compilation import AS_USERS_DO

from jaxcause import (
    BackgroundKnowledge,
    Caps,
    InputError,
    fci,
    icd,
    oracle_test,
    partial_correlation_test,
    pc,
)
from jaxcause.simulate import random_dag

SEARCHES = [pc, fci, icd]
SAMPLES = 300


def correlations(seed, n, graphs=()):
    mixing = np.random.default_rng(seed).normal(size=(*graphs, n, 3 * n))
    mixing[..., np.arange(n), np.arange(n)] += 3
    mixing /= np.linalg.norm(mixing, axis=-1, keepdims=True)
    return mixing @ np.swapaxes(mixing, -1, -2)


def check_equal(one, other):
    """Two results of the same search say the same."""
    np.testing.assert_array_equal(one.graph.marks, other.graph.marks)
    np.testing.assert_array_equal(one.sepsets.found, other.sepsets.found)
    np.testing.assert_array_equal(one.sepsets.membership(), other.sepsets.membership())
    np.testing.assert_allclose(one.p_values, other.p_values, rtol=1e-5, atol=1e-12)
    np.testing.assert_array_equal(
        np.asarray(one.info.n_tests).sum(axis=-1), np.asarray(other.info.n_tests).sum(axis=-1)
    )
    np.testing.assert_array_equal(one.info.truncated, other.info.truncated)
    if one.levels is not None:
        shared = one.levels.marks.shape[-3]
        np.testing.assert_array_equal(one.levels.marks, other.levels.marks[..., :shared, :, :])


# Each size of sets is a part of the program, and takes seconds to compile: what does not need large
# sets makes do with small ones.
@pytest.mark.parametrize(("search", "size"), [(pc, 3), (fci, 2), (icd, 2)])
def test_the_program_with_caps_equals_the_search_without(search, size):
    test = partial_correlation_test(correlations(0, 9, graphs=(4,)), SAMPLES)
    plain = search(test, alpha=0.05, max_cond_size=size)
    capped = search(test, alpha=0.05, caps=Caps(max_degree=8, max_cond_size=size))
    assert not np.asarray(capped.info.overflow).any()
    check_equal(plain, capped)


@pytest.mark.parametrize("search", SEARCHES)
def test_any_test_runs_with_caps(search):
    dag = np.asarray(random_dag(jax.random.key(2), 7, degree=2.5))
    test = oracle_test(dag, np.arange(6))
    capped = search(test, alpha=0.5, caps=Caps(max_degree=5, max_cond_size=1))
    check_equal(search(test, alpha=0.5, max_cond_size=1), capped)


def stars():
    """Covariances of two graphs whose hubs have six neighbours, and three."""
    dag = np.zeros((2, 8, 8), bool)
    dag[0, 0, 1:7] = True
    dag[1, 0, 1:4] = True
    effect = np.linalg.inv(np.eye(8) - 0.6 * dag)
    return np.swapaxes(effect, 1, 2) @ effect


@pytest.mark.parametrize("search", SEARCHES)
def test_inside_the_callers_jit_and_vmap_where_only_some_graphs_fit(search):
    weaker = 0.9 * correlations(1, 8, graphs=(6,)) + 0.1 * np.eye(8)
    covariance = np.concatenate([stars(), weaker])
    options = {"alpha": 1e-4, "sepset": "first"}
    caps = Caps(max_degree=3, max_cond_size=1)

    def capped(one):
        return search(partial_correlation_test(one, SAMPLES), caps=caps, **options)

    found = jax.jit(jax.vmap(capped))(jnp.asarray(covariance))
    overflow = np.asarray(found.info.overflow)
    assert overflow[:2].tolist() == [True, False]
    plain = search(partial_correlation_test(covariance, SAMPLES), max_cond_size=1, **options)
    # The marginal tests come first: too many neighbours after them, and a graph does not fit.
    assert (~overflow).sum() >= 3
    for graph in np.flatnonzero(~overflow):
        np.testing.assert_array_equal(found.graph.marks[graph], plain.graph.marks[graph])
        np.testing.assert_array_equal(found.sepsets.found[graph], plain.sepsets.found[graph])
        np.testing.assert_array_equal(
            found.sepsets.membership()[graph], plain.sepsets.membership()[graph]
        )


@pytest.mark.parametrize("search", SEARCHES)
def test_knowledge_and_masks_count_with_caps_too(search):
    test = partial_correlation_test(correlations(3, 6, graphs=(2,)), SAMPLES)
    mask = np.ones((2, 6), bool)
    mask[1, 5] = False
    known = BackgroundKnowledge.temporal(2, 2, contemporaneous=True)
    options = {"alpha": 0.1, "knowledge": known, "node_mask": mask}
    plain = search(test, max_cond_size=1, **options)
    check_equal(plain, search(test, caps=Caps(max_degree=5, max_cond_size=1), **options))


@pytest.mark.parametrize("search", SEARCHES)
def test_a_traced_test_needs_caps(search):
    with pytest.raises(InputError, match="pass caps"):
        jax.jit(lambda c: search(partial_correlation_test(c, SAMPLES)).graph.marks)(jnp.eye(3))


def test_collider_rules_and_caps_exclude_each_other():
    with pytest.raises(InputError, match="colliders='majority' cannot run with caps"):
        pc(partial_correlation_test(np.eye(3), 100), colliders="majority", caps=Caps(2, 1))


def test_the_same_shapes_compile_once():
    chex.clear_trace_counter()

    @jax.jit
    @chex.assert_max_traces(n=1)
    def search(corr, n_samples, alpha):
        test = partial_correlation_test(corr, n_samples)
        return pc(test, alpha=alpha, caps=Caps(max_degree=4, max_cond_size=1)).graph.marks

    for seed, n_samples, alpha in ((0, 100.0, 0.01), (1, 200.0, 0.05), (2, 50.0, 0.2)):
        search(jnp.asarray(correlations(seed, 5)), n_samples, alpha)


SHARDED = """
import jax, numpy as np, jaxcause as jc
from jax.sharding import AxisType, NamedSharding, PartitionSpec
mesh = jax.make_mesh((2,), ("graphs",), axis_types=(AxisType.Auto,))
mixing = np.random.default_rng(0).normal(size=(4, 5, 12)).astype(np.float32)
mixing /= np.linalg.norm(mixing, axis=-1, keepdims=True)
corr = mixing @ np.swapaxes(mixing, -1, -2)

@jax.jit
def search(corr):
    test = jc.partial_correlation_test(corr, 300)
    return jc.pc(test, alpha=0.05, caps=jc.Caps(max_degree=4, max_cond_size=1)).graph.marks

spread = jax.device_put(corr, NamedSharding(mesh, PartitionSpec("graphs")))
assert len(spread.sharding.device_set) == 2
assert (np.asarray(search(spread)) == np.asarray(search(corr))).all()
print("the same on", jax.device_count(), "devices")
"""


def test_a_batch_spread_over_devices_gives_the_same():
    flags = {"XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    done = subprocess.run(
        [sys.executable, "-c", SHARDED],
        capture_output=True,
        text=True,
        timeout=180,
        env={**os.environ, **AS_USERS_DO, **flags, "OPENBLAS_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert "the same on 2 devices" in done.stdout


@pytest.mark.usefixtures("untyped")
@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize(
    ("caps", "message"),
    [
        ((0, 1), "caps.max_degree=0 must be a whole number of at least 1"),
        ((2.0, 1), r"caps.max_degree=2\.0 must be a whole number"),
        ((2, -1), "caps.max_cond_size=-1 must be a whole number of at least 0"),
        ((2, None), "caps.max_cond_size=None must be a whole number"),
        ((True, 1), "caps.max_degree=True must be a whole number"),
    ],
)
def test_caps_are_whole_numbers(search, caps, message):
    test = partial_correlation_test(correlations(0, 4), SAMPLES)
    with pytest.raises(InputError, match=message):
        search(test, caps=Caps(*caps))
