"""1,000 random graphs through every format, and back the same."""

import importlib.util
import json
import string

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from random_graphs import assert_same, both, lagged, over_nodes, seeds, thousand

from jaxcause import CausalGraph
from jaxcause.io import (
    from_causallearn,
    from_causallearn_codes,
    from_causalnex,
    from_dot,
    from_frame,
    from_lingam,
    from_networkx,
    from_pcalg,
    from_tigramite,
    graph_from_json,
    graph_to_json,
    read_graph,
    to_causallearn,
    to_causallearn_codes,
    to_causalnex,
    to_dot,
    to_frame,
    to_lingam,
    to_networkx,
    to_pcalg,
    to_tigramite,
    write_graph,
)

DIRECTED = [(3, 2), (2, 3)]
CPDAG = [*DIRECTED, (3, 3)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("graphs")


@thousand
@given(seed=seeds)
def test_json(seed):
    for graph, names in both(seed):
        document = json.loads(json.dumps(graph_to_json(graph, names=names)))
        assert_same(graph_from_json(document), graph, names)


@thousand
@given(seed=seeds)
def test_networkx(seed):
    for graph, names in both(seed):
        assert_same(from_networkx(to_networkx(graph, names=names)), graph, names)


@thousand
@given(seed=seeds)
def test_dot(seed):
    for graph, names in both(seed):
        assert_same(from_dot(to_dot(graph, names=names)), graph, names)


@pytest.mark.parametrize("suffix", [".npz", ".graphml"])
@thousand
@given(seed=seeds)
def test_files(folder, suffix, seed):
    path = folder / f"graph{suffix}"
    for graph, names in both(seed):
        write_graph(path, graph, names=names)
        assert_same(read_graph(path), graph, names)


@thousand
@given(seed=seeds)
def test_tables_of_edges_with_their_names(folder, seed):
    path = folder / "graph.csv"
    for graph, names in both(seed):
        write_graph(path, graph, names=names)
        read = read_graph(path, names=names, max_lag=getattr(graph, "max_lag", None))
        assert_same(read, graph, names)


@thousand
@given(seed=seeds)
def test_frames_with_their_names(seed):
    pytest.importorskip("narwhals")
    backend = "polars" if importlib.util.find_spec("polars") and seed % 2 else "pandas"
    for graph, names in both(seed):
        frame = to_frame(graph, names=names, backend=backend)
        read = from_frame(frame, names=names, max_lag=getattr(graph, "max_lag", None))
        assert_same(read, graph, names)


@thousand
@given(seed=seeds)
def test_tigramite(seed):
    for graph, names in both(seed):
        arrays = to_tigramite(graph, names=names)
        assert arrays["graph"].dtype == "<U3"
        assert_same(from_tigramite(arrays, over_nodes=isinstance(graph, CausalGraph)), graph, names)


@thousand
@given(seed=seeds)
def test_pcalg(seed):
    for graph, _ in over_nodes(seed):
        read = from_pcalg(to_pcalg(graph), kind="amat.pag")
        np.testing.assert_array_equal(read.marks, graph.marks, strict=True)
    for graph, _ in over_nodes(seed, edges=CPDAG):
        read = from_pcalg(to_pcalg(graph, kind="amat.cpdag"), kind="amat.cpdag")
        np.testing.assert_array_equal(read.marks, graph.marks, strict=True)


@thousand
@given(seed=seeds)
def test_causallearn(seed):
    pytest.importorskip("causallearn")
    for graph, names in [*over_nodes(seed), *over_nodes(seed + 1)]:
        read = from_causallearn_codes(to_causallearn_codes(graph))
        np.testing.assert_array_equal(read.marks, graph.marks, strict=True)
        assert_same(from_causallearn(to_causallearn(graph, names=names)), graph, names)


@thousand
@given(seed=seeds)
def test_lingam(seed):
    for graph, names in lagged(seed, directed=True):
        assert_same(from_lingam(to_lingam(graph), names=names), graph, names)
    for graph, names in over_nodes(seed, edges=DIRECTED):
        assert_same(from_lingam(to_lingam(graph), names=names), graph, names)


@thousand
@given(seed=seeds)
def test_causalnex(seed):
    for graph, names in lagged(seed, directed=True):
        assert_same(from_causalnex(to_causalnex(graph, names=names)), graph, names)
    for graph, _ in over_nodes(seed, edges=DIRECTED):
        names = list(string.ascii_letters[: graph.n_nodes])
        assert_same(from_causalnex(to_causalnex(graph, names=names)), graph, names)


def test_networkx_itself_reads_our_graphml(folder):
    path = folder / "own.graphml"
    for graph, names in both(0):
        write_graph(path, graph, names=names)
        read, sent = nx.read_graphml(path), to_networkx(graph, names=names)
        assert list(read.nodes) == names
        assert dict(read.graph).items() >= sent.graph.items()
        attributes = [("lag", 0), ("edge", "")]
        edges = [
            sorted((u, v, *(d.get(k, e) for k, e in attributes)) for u, v, d in g.edges(data=True))
            for g in (read, sent)
        ]
        assert edges[0] == edges[1]
