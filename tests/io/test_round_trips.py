"""1,000 random graphs through every format, and back the same."""

import importlib.util
import json
import string

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from random_graphs import (
    WITHOUT_CONFLICT,
    assert_same,
    both,
    lagged,
    over_nodes,
    seeds,
    thousand,
)

from jaxcause import CausalGraph, InputError
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


MIRRORED = {
    **{"-->": "<--", "<--": "-->", "<->": "<->", "o->": "<-o", "<-o": "o->", "o-o": "o-o"},
    **{"x-x": "x-x", "---": "---", "o--": "--o", "--o": "o--", "": ""},
}


@given(
    hnp.arrays("<U3", st.tuples(st.just(3), st.just(3), st.integers(1, 3)),
               elements=st.sampled_from(list(MIRRORED)), fill=st.nothing())
)  # fmt: skip
def test_links_of_tigramite_are_kept_as_they_are(links):
    for i in range(3):
        links[i, i, 0] = ""
        for j in range(i):
            links[i, j, 0] = MIRRORED[str(links[j, i, 0])]
    read = from_tigramite(links)
    assert (to_tigramite(read.graph)["graph"] == links).all()


@given(
    st.sampled_from(["x->", "<-x", "x-o", "o-x", "x--", "+->", "<-+", "o-+", "+-+", "x-+", "-?>"])
)
def test_links_of_tigramite_that_no_graph_can_hold_are_refused(link):
    links = np.full((2, 2, 2), "", "<U3")
    links[0, 1, 1] = link
    with pytest.raises(InputError, match=r"graph\[0, 1, 1\] is '.*write") as raised:
        from_tigramite(links)
    assert "\n" not in str(raised.value)


@thousand
@given(seed=seeds)
def test_pcalg(seed):
    for graph, _ in over_nodes(seed, edges=WITHOUT_CONFLICT):
        read = from_pcalg(to_pcalg(graph), kind="amat.pag")
        np.testing.assert_array_equal(read.marks, graph.marks, strict=True)
    for graph, _ in over_nodes(seed, edges=CPDAG):
        read = from_pcalg(to_pcalg(graph, kind="amat.cpdag"), kind="amat.cpdag")
        np.testing.assert_array_equal(read.marks, graph.marks, strict=True)


@thousand
@given(seed=seeds)
def test_causallearn(seed):
    pytest.importorskip("causallearn")
    every = [*over_nodes(seed, edges=WITHOUT_CONFLICT)]
    for graph, names in [*every, *over_nodes(seed + 1, edges=WITHOUT_CONFLICT)]:
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


@pytest.mark.parametrize(
    ("write", "other"),
    [
        (to_pcalg, "pcalg's amat.pag"),
        (lambda graph: to_pcalg(graph, kind="amat.cpdag"), "pcalg's amat.cpdag"),
        (to_causallearn_codes, "causal-learn"),
        (to_lingam, "lingam"),
        (to_causalnex, "StructureModel"),
    ],
)
def test_formats_without_a_conflict_refuse_one(write, other):
    graph = CausalGraph(np.array([[0, 4], [4, 0]]))
    with pytest.raises(InputError, match=f"x-x.*{other}.*cannot hold; write JSON or GraphML"):
        write(graph)


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
