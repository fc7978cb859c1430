"""Memory and time of a search go with edges and pairs, not with the largest degree."""

import itertools
import subprocess
import sys
import tracemalloc

import jax
import numpy as np
import pytest

from jaxcause import (
    Caps,
    _memory,
    _small_work,
    discover,
    fci,
    partial_correlation_test_from_data,
    pc,
)
from jaxcause._errors import InputError
from jaxcause.discovery._host import edge_lists, search
from jaxcause.discovery._kernel import gaussian, one_condition, sizes
from jaxcause.graph import SepSets
from jaxcause.stats import PartialCorrelationTest
from jaxcause.workflows._discover import windows

STAR = """
import os, resource, sys
os.environ["OPENBLAS_NUM_THREADS"] = "1"
import numpy as np
import jaxcause as jc
rng, p = np.random.default_rng(0), {p}
h = rng.normal(size=2000)
x = 0.8 * h[:, None] + rng.normal(size=(2000, p))
x[:, 0] = h
test = jc.partial_correlation_test_from_data(x)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
found = jc.pc(test, alpha=1e-8, max_cond_size={size}, colliders={colliders!r})
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(int(found.graph.adjacency.sum()) // 2, grown // 1024)
"""


def run_star(p, size, colliders):
    """Edges of the graph, and by how many megabytes the process grew."""
    code = STAR.format(p=p, size=size, colliders=colliders)
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return [int(part) for part in out.stdout.split()]


@pytest.mark.parametrize("colliders", ["sepset", "majority"])
def test_a_hub_costs_memory_in_the_number_of_pairs(colliders):
    # Neighbourhoods padded to the largest degree took 2.6 GB here, and 13 GB for twice the nodes.
    n_edges, megabytes = run_star(500, 1, colliders)
    assert n_edges >= 499
    assert megabytes < 500


def test_a_complete_graph_is_oriented_in_the_memory_of_its_edges():
    n_edges, megabytes = run_star(1000, 0, "sepset")
    assert n_edges == 1000 * 999 // 2
    assert megabytes < 500


def random_test(rng):
    n, n_graphs = int(rng.integers(3, 14)), int(rng.integers(1, 4))
    mixed = np.where(rng.random((n_graphs, n, n)) < rng.random(), 1.0, np.eye(n))
    mixed = mixed * rng.normal(size=mixed.shape)
    x = rng.normal(size=(n_graphs, 60, n)) @ mixed + 0.3 * rng.normal(size=(n_graphs, 60, n))
    return partial_correlation_test_from_data(x), n


def assert_equal(first, second):
    for a, b in zip(jax.tree.leaves(first), jax.tree.leaves(second), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("find", [pc, fci])
def test_blocks_of_pairs_and_sweeps_change_nothing(find, monkeypatch):
    monkeypatch.setattr(_small_work, "PATIENCE", float("inf"))
    n_swept = 0
    sweep = one_condition.best_single_conditions

    def counting(*args):
        nonlocal n_swept
        n_swept += 1
        return sweep(*args)

    monkeypatch.setattr(gaussian, "best_single_conditions", counting)
    for seed in range(16):
        rng = np.random.default_rng(seed)
        test, n = random_test(rng)
        mask = None if seed % 3 else rng.random(n) < 0.8
        options = {
            "alpha": float(rng.choice([1e-3, 0.01, 0.2])),
            "max_cond_size": 2,
            "node_mask": mask,
            "sepset": "first" if seed % 4 == 1 else "max_p",
        }
        whole = find(test, **options)
        with monkeypatch.context() as small:
            small.setattr(search, "PAIRS_PER_BLOCK", int(rng.integers(1, 20)))
            small.setattr(one_condition, "FEWEST_TESTS", 1)
            small.setattr(one_condition, "FEWEST_CANDIDATES", 0)
            small.setattr(one_condition, "TESTS_IN_CACHE", int(rng.choice([1, 30, 1 << 16])))
            small.setattr(sizes, "SETS_PER_CALL", int(rng.choice([2, 3, 4096])))
            assert_equal(find(test, **options), whole)
    assert n_swept > 20


def test_a_sweep_takes_all_pairs_of_a_list_at_once(monkeypatch):
    """Genes depend on hundreds of others: pairs one by one took 27 s where this takes 1.5 s."""
    groups = []
    together = one_condition._with_one_list

    def counting(batch):
        found = list(together(batch))
        groups.append((len(found), np.unique(batch.start).size))
        return iter(found)

    monkeypatch.setattr(one_condition, "_with_one_list", counting)
    monkeypatch.setattr(one_condition, "FEWEST_TESTS", 1)
    monkeypatch.setattr(one_condition, "FEWEST_CANDIDATES", 0)
    common = np.random.default_rng(0).normal(size=(300, 3, 1))
    x = np.random.default_rng(1).normal(size=(300, 3, 8)) + common
    pc(partial_correlation_test_from_data(x.reshape(300, -1)), max_cond_size=1)
    assert groups
    assert all(n_groups == n_lists for n_groups, n_lists in groups)


def test_copies_are_left_to_the_kernels_that_know_them(monkeypatch):
    x = np.random.default_rng(0).normal(size=(200, 6))
    x[:, 1:4] += x[:, :1]
    x[:, 5] = 2 * x[:, 0]
    test = partial_correlation_test_from_data(x)
    assert one_condition.Sweep.of(np.asarray(test.corr)[None]) is None
    whole = pc(test)
    monkeypatch.setattr(one_condition, "FEWEST_TESTS", 1)
    monkeypatch.setattr(one_condition, "FEWEST_CANDIDATES", 0)
    assert_equal(pc(test), whole)


@pytest.mark.parametrize(
    ("find", "shape", "options"),
    [
        (pc, (3000, 3000), {}),
        (fci, (700, 700), {}),
        (pc, (200, 300, 300), {}),
        (pc, (100, 100), {"caps": Caps(90, 1)}),
        (partial_correlation_test_from_data, (1000, 6000), {}),
    ],
)
def test_what_cannot_fit_is_refused_in_one_line(find, shape, options, monkeypatch):
    monkeypatch.setenv("JAXCAUSE_MEMORY", "300 MB")
    monkeypatch.setattr(_memory, "NEVER_REFUSED", 1 << 20)
    given = np.broadcast_to(np.float64(0), shape)
    if find is not partial_correlation_test_from_data:
        given = PartialCorrelationTest(
            np.broadcast_to(np.eye(shape[-1]), shape), np.full(shape[:-2], 100)
        )
        monkeypatch.setenv("JAXCAUSE_MEMORY", "4 MB" if options else "300 MB")
    with pytest.raises(InputError, match="needs about .* of memory, and .* may be used; ") as error:
        find(given, **options)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("method", ["var", "gradient"])
def test_a_series_of_too_many_columns_is_refused_before_memory_is_used(method, monkeypatch):
    x = np.random.default_rng(0).normal(size=(30, 3000))
    monkeypatch.setenv("JAXCAUSE_MEMORY", "3GB")
    tracemalloc.start()
    with pytest.raises(InputError, match=r"a graph of 3,000 variables and max_lag=5 needs about"):
        discover(x, 5, method=method)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20 * x.nbytes


def test_many_windows_are_correlated_in_blocks(monkeypatch):
    x = np.random.default_rng(0).normal(size=(400, 3))
    x[2:, 1] += 0.9 * x[:-2, 0]
    whole = discover(x, 2, method="pc")
    monkeypatch.setattr(windows, "VALUES_AT_ONCE", 100)
    in_blocks = discover(x, 2, method="pc")
    np.testing.assert_array_equal(in_blocks.graph.marks, whole.graph.marks)
    np.testing.assert_allclose(in_blocks.strength, whole.strength, atol=1e-12)


@pytest.mark.parametrize("asked", ["much", "0", "-1GB", "8 apples"])
def test_a_budget_that_is_no_amount_is_named(asked, monkeypatch):
    monkeypatch.setenv("JAXCAUSE_MEMORY", asked)
    with pytest.raises(InputError, match="JAXCAUSE_MEMORY=.* give 8GB, 500MB or off"):
        _memory.check_memory("it", 1e12, "do less")


def test_a_budget_is_read_in_any_unit(monkeypatch):
    for asked, expected in {"2GB": 2**31, "512 MiB": 2**29, "1.5t": 1.5 * 2**40, "7": 7}.items():
        monkeypatch.setenv("JAXCAUSE_MEMORY", asked)
        assert _memory.memory_budget() == expected
    monkeypatch.setenv("JAXCAUSE_MEMORY", "off")
    _memory.check_memory("it", 1e18, "do less")
    monkeypatch.delenv("JAXCAUSE_MEMORY")
    assert _memory.memory_budget() > 2**20


@pytest.mark.parametrize("density", [0.2, 0.9, 1.0])
def test_colliders_between_separated_pairs_are_those_of_all_triples(density, monkeypatch):
    monkeypatch.setattr(edge_lists, "TRIPLES_PER_BLOCK", 64)
    rng, n = np.random.default_rng(0), 12
    adjacency = np.triu(rng.random((3, n, n)) < density, 1)
    adjacency |= adjacency.transpose(0, 2, 1)
    found = np.triu(~adjacency & (rng.random(adjacency.shape) < 0.8), 1)
    nodes = np.where(found[..., None], rng.integers(-1, n, (*found.shape, 2)), -1)
    nodes = np.maximum(nodes, nodes.transpose(0, 2, 1, 3)).astype(np.int32)
    sepsets = SepSets(nodes, found | found.transpose(0, 2, 1))
    edges = edge_lists.EdgeLists.of(adjacency)
    separated = edge_lists.SeparatedPairs.of(adjacency, sepsets)
    all_pairs = {
        (graph, one, middle, other)
        for graph, one, middle, other in itertools.product(range(3), *[range(n)] * 3)
        if one < other and found[graph, one, other] and middle not in nodes[graph, one, other]
        if adjacency[graph, one, middle] and adjacency[graph, middle, other]
    }
    ways = [separated.colliders(edges), separated._between_separated(edges, np.diff(edges.start))]
    for way in ways:
        places = [(one, other) for some in way for one, other in zip(*some, strict=True)]
        assert len(places) == len(set(places))
        assert {
            (edges.owner[a] // n, edges.entry[a] % n, edges.owner[a] % n, edges.entry[b] % n)
            for a, b in places
        } == all_pairs


def test_a_dense_graph_is_not_asked_for_all_its_triples(monkeypatch):
    monkeypatch.setattr(edge_lists.EdgeLists, "triples", None)
    x = np.random.default_rng(0).normal(size=(300, 40))
    x[:, 2:] += 3 * x[:, :1]
    found = pc(x, max_cond_size=0)
    assert np.asarray(found.graph.adjacency).sum() > 38 * 37
    x = 0.01 * x + np.random.default_rng(1).normal(size=x.shape)
    with pytest.raises(TypeError, match="not callable"):
        pc(x, max_cond_size=0)
