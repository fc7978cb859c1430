"""Other libraries take what we write; what they define is written out by hand."""

import bz2
import json
import shutil
import subprocess

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from random_graphs import both, lagged, over_nodes, seeds

from jaxcause import CausalGraph, InputError, LaggedGraph, Mark
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
    over_lags,
    read_causeme,
    read_graph,
    to_bertviz,
    to_causallearn,
    to_causallearn_codes,
    to_causalnex,
    to_dot,
    to_frame,
    to_lingam,
    to_networkx,
    to_pcalg,
    to_summary_networkx,
    to_tigramite,
    write_causeme,
)

CIRCLE, ARROW, TAIL = Mark.CIRCLE, Mark.ARROW, Mark.TAIL


def nodes(*edges, n=3):
    """A graph over nodes from ``(i, mark at i, mark at j, j)``."""
    marks = np.zeros((n, n), np.int8)
    for i, at_i, at_j, j in edges:
        marks[j, i], marks[i, j] = at_i, at_j
    return CausalGraph(marks)


PAG = nodes((0, CIRCLE, ARROW, 1), (1, ARROW, ARROW, 2), (0, TAIL, ARROW, 2))
CPDAG = nodes((0, TAIL, ARROW, 1), (1, TAIL, TAIL, 2))


def series(*edges, n=2, max_lag=2):
    """A lagged graph from ``(i, lag, mark at i, mark at j, j)``."""
    marks = np.zeros((n, n, max_lag + 1, 2), np.int8)
    for i, lag, at_i, at_j, j in edges:
        marks[i, j, lag] = at_i, at_j
        if lag == 0:
            marks[j, i, 0] = at_j, at_i
    return LaggedGraph(marks)


SERIES = series((0, 2, TAIL, ARROW, 1), (1, 0, CIRCLE, ARROW, 0))


def test_pcalg_by_its_manual():
    assert to_pcalg(PAG).tolist() == [[0, 2, 2], [1, 0, 2], [3, 2, 0]]
    # amat[a, b] = 0 and amat[b, a] = 1: a --> b; both 1: a --- b.
    assert to_pcalg(CPDAG, kind="amat.cpdag").tolist() == [[0, 0, 0], [1, 0, 1], [0, 1, 0]]
    with pytest.raises(InputError, match=r"amat.cpdag cannot hold; use amat.pag"):
        to_pcalg(PAG, kind="amat.cpdag")
    with pytest.raises(InputError, match="kind='dag' is not known"):
        to_pcalg(PAG, kind="dag")
    with pytest.raises(InputError, match="holds 2; the codes are 0, 1"):
        from_pcalg([[0, 2], [3, 0]], kind="amat.cpdag")


def test_refused_by_those_without_lags(untyped):
    for write in (to_pcalg, to_causallearn_codes, to_causallearn):
        with pytest.raises(InputError, match="lagged"):
            write(SERIES)


def test_causallearn_by_its_documentation():
    # graph[j, i] = 1 and graph[i, j] = -1: i --> j; 2 is a circle.
    codes = [[0, 2, -1], [1, 0, 1], [1, 1, 0]]
    assert to_causallearn_codes(PAG).tolist() == codes
    with pytest.raises(InputError, match="codes holds 4; the codes are -1, 0, 1, 2"):
        from_causallearn_codes([[0, 4], [4, 0]])
    with pytest.raises(InputError, match="is a dict; pass a causal-learn GeneralGraph"):
        from_causallearn({})


def test_causallearn_takes_our_object():
    pytest.importorskip("causallearn")
    from causallearn.graph.SHD import SHD
    from causallearn.utils.GraphUtils import GraphUtils

    built = to_causallearn(PAG, names=["a", "b", "c"])
    edges = sorted(str(edge) for edge in built.get_graph_edges())
    assert edges == ["a --> c", "a o-> b", "b <-> c"]
    drawn = GraphUtils.to_pydot(built).to_string()
    assert "odot" in drawn
    dag = nodes((0, TAIL, ARROW, 1), (1, TAIL, ARROW, 2))
    chain = to_causallearn(dag)
    a, b, c = chain.get_nodes()
    assert chain.is_ancestor_of(a, c)
    assert not chain.is_ancestor_of(c, a)
    assert GraphUtils().graph_string(chain).count("-->") == 2
    assert chain.is_dseparated_from(a, c, [b])
    assert SHD(chain, to_causallearn(CPDAG)).get_shd() == 1


def test_causallearn_results_are_read():
    pytest.importorskip("causallearn")
    from causallearn.search.ConstraintBased.PC import pc

    rng = np.random.default_rng(0)
    x = rng.normal(size=(2000, 3))
    x[:, 2] += x[:, 0] + x[:, 1]
    found = pc(x, show_progress=False)
    graph, names = from_causallearn(found)
    assert graph.edges(names) == [("X1", "-->", "X3"), ("X2", "-->", "X3")]


def test_lingam_is_lag_to_from():
    graph = series((0, 2, TAIL, ARROW, 1), (1, 0, TAIL, ARROW, 0))
    weights = np.arange(1.0, 13.0).reshape(2, 2, 3)
    matrices = to_lingam(graph, coefficients=weights)
    assert matrices.shape == (3, 2, 2)
    assert matrices[2, 1, 0] == weights[0, 1, 2]
    assert matrices[0, 0, 1] == weights[1, 0, 0]
    assert np.count_nonzero(matrices) == 2
    assert from_lingam(matrices, threshold=6.5).graph.edges() == [("X1", 0, "-->", "X0")]
    with pytest.raises(InputError, match="edges other than -->"):
        to_lingam(SERIES)
    with pytest.raises(InputError, match="coefficients is 0"):
        to_lingam(graph, coefficients=np.zeros((2, 2, 3)))
    with pytest.raises(InputError, match="NaN"):
        from_lingam([[0, np.nan], [np.nan, 0]])
    with pytest.raises(InputError, match="'X0' and 'X1' both ways"):
        from_lingam([[0, 1.0], [1.0, 0]])
    with pytest.raises(InputError, match="shape"):
        from_lingam(np.zeros((0, 2, 2)))


def test_lingam_results_are_read():
    lingam = pytest.importorskip("lingam")
    rng = np.random.default_rng(0)
    x = rng.uniform(size=(2000, 2))
    x[1:, 1] += 0.8 * x[:-1, 0]
    model = lingam.VARLiNGAM(lags=1, prune=True).fit(x)
    graph, names = from_lingam(model.adjacency_matrices_, names=["a", "b"], threshold=0.2)
    assert graph.edges(names) == [("a", 1, "-->", "b")]


def test_causalnex_names_lags():
    graph = series((0, 2, TAIL, ARROW, 1), (1, 0, TAIL, ARROW, 0))
    model = to_causalnex(graph, names=["rain", "river_lag1"], weights=np.full((2, 2, 3), 0.5))
    assert sorted(model.edges(data="weight")) == [
        ("rain_lag2", "river_lag1_lag0", 0.5),
        ("river_lag1_lag0", "rain_lag0", 0.5),
    ]
    for edge, message in [
        (("a_lag0", "b_lag1"), "must end at lag 0"),
        (("a_lag0", "a_lag0"), "to itself"),
        (("a_lag900000000", "b_lag0"), "marks; at most"),
    ]:
        with pytest.raises(InputError, match=message):
            from_causalnex(nx.DiGraph([edge]))
    with pytest.raises(InputError, match="reads as a lag"):
        to_causalnex(nodes(n=2), names=["a_lag0", "a_lag1"])


def test_tigramite_by_its_documentation():
    arrays = to_tigramite(SERIES, val_matrix=np.ones((2, 2, 3)))
    assert arrays["graph"][0, 1].tolist() == ["<-o", "", "-->"]
    assert arrays["graph"][1, 0].tolist() == ["o->", "", ""]
    assert set(arrays) == {"graph", "var_names", "val_matrix"}
    for array, message in [
        (np.full((2, 3, 1), ""), "shape"),
        (np.zeros((2, 2, 1)), "must hold text"),
        (np.array([[[""], ["-->"]], [[""], [""]]]), "lag 0 disagree"),
        (np.array([[["?"]]]), "is no edge"),
        ({"p_matrix": 1}, "results has no 'graph'"),
    ]:
        with pytest.raises(InputError, match=message):
            from_tigramite(array)


@pytest.mark.filterwarnings("ignore")
def test_tigramite_draws_our_arrays():
    plotting = pytest.importorskip("tigramite.plotting")
    plt = pytest.importorskip("matplotlib.pyplot")
    graphs = [graph for graph, _ in [*lagged(1), *lagged(2)] if graph.n_vars > 1][:8]
    graphs += [graph for graph, _ in over_nodes(1) if graph.n_nodes > 1][:2]
    for graph in graphs:
        for draw in (plotting.plot_graph, plotting.plot_time_series_graph):
            arrays = to_tigramite(graph)
            drawn = draw(**arrays, val_matrix=np.where(arrays["graph"] != "", 0.5, 0))
            assert drawn is not None
            plt.close("all")


@pytest.mark.filterwarnings("ignore")
def test_tigramite_results_are_read():
    data_processing = pytest.importorskip("tigramite.data_processing")
    from tigramite.independence_tests.parcorr import ParCorr
    from tigramite.pcmci import PCMCI

    rng = np.random.default_rng(0)
    x = rng.normal(size=(1000, 2))
    x[2:, 1] += 0.8 * x[:-2, 0]
    frame = data_processing.DataFrame(x, var_names=["a", "b"])
    results = PCMCI(frame, ParCorr()).run_pcmci(tau_max=2, pc_alpha=0.01, alpha_level=1e-6)
    graph, names = from_tigramite(results, names=["a", "b"])
    assert graph.edges(names) == [("a", 2, "-->", "b")]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", range(6))
def test_orientations_of_tigramite_in_conflict_are_kept(seed):
    data_processing = pytest.importorskip("tigramite.data_processing")
    from tigramite.independence_tests.parcorr import ParCorr
    from tigramite.pcmci import PCMCI

    rng = np.random.default_rng(seed)
    hidden, x = rng.normal(size=301), rng.normal(size=(301, 5))
    for t in range(1, 301):
        x[t] += 0.5 * x[t - 1] + np.linspace(0.2, 0.8, 5) * hidden[t]
        x[t, 1:] += 0.5 * x[t, :-1]
    results = PCMCI(data_processing.DataFrame(x), ParCorr()).run_pcmciplus(tau_max=2, pc_alpha=0.05)
    graph = from_tigramite(results).graph
    assert (to_tigramite(graph)["graph"] == results["graph"]).all()
    assert sum(symbol == "x-x" for _, _, symbol, _ in graph.edges()) == (
        (results["graph"] == "x-x").sum() // 2
    )


def test_networkx_of_others():
    undirected = from_networkx(nx.path_graph(3))
    assert undirected.names == ["0", "1", "2"]
    assert undirected.graph.edges() == [("0", "---", "1"), ("1", "---", "2")]
    loop = nx.MultiDiGraph()
    loop.add_edge("a", "a", lag=1)
    loop.add_edge("a", "a", lag=3)
    assert from_networkx(loop).graph.edges(["a"]) == [("a", 1, "-->", "a"), ("a", 3, "-->", "a")]
    for edges, message in [
        ([("a", "b", {"lag": 1}), ("b", "a", {})], "with and without the attribute lag"),
        ([("a", "b", {}), ("b", "a", {})], "again, in the other direction; pass mutual='undir"),
        ([("a", "b", {}), ("b", "a", {"edge": "o->"})], "again; leave one out"),
        ([("a", "b", {"lag": "x"})], "'x'; it must be a whole number"),
        ([("a", "b", {"edge": "x->"})], "in conflict at one end only"),
        ([(1, "b", {}), ("1", "c", {})], "twice"),
    ]:
        with pytest.raises(InputError, match=message):
            from_networkx(nx.DiGraph(edges))


@given(seed=seeds)
def test_two_arrows_of_one_pair_are_an_undirected_edge_on_request(tmp_path_factory, seed):
    folder = tmp_path_factory.mktemp("mutual")
    rng = np.random.default_rng(seed)
    links = rng.random((5, 5)) < 0.4
    np.fill_diagonal(links, False)
    names = list("abcde")
    wanted = np.where(links, np.where(links.T, 3, 2), np.where(links.T, 3, 0))
    other = nx.from_numpy_array(links, create_using=nx.DiGraph)
    other = nx.relabel_nodes(other, dict(enumerate(names)))
    nx.write_graphml(other, folder / "x.graphml")
    lines = [f"{u} -> {v};" for u, v in other.edges]
    (folder / "x.dot").write_text(f"digraph {{ {'; '.join(names)}; {' '.join(lines)} }}")
    rows = [f"{u},{v}" for u, v in other.edges]
    (folder / "x.csv").write_text("\n".join(["source,target", *rows]))
    readers = [
        lambda **given: from_networkx(other, **given),
        lambda **given: read_graph(folder / "x.graphml", **given),
        lambda **given: read_graph(folder / "x.dot", **given),
        lambda **given: read_graph(folder / "x.csv", names=names, **given),
    ]
    for read in readers:
        found = read(mutual="undirected")
        assert found.names == names
        np.testing.assert_array_equal(found.graph.marks, wanted)
        if (links & links.T).any():
            with pytest.raises(InputError, match="pass mutual='undirected'"):
                read()
        else:
            np.testing.assert_array_equal(read().graph.marks, wanted)
    with pytest.raises(InputError, match="mutual='both' is not known; choose one of refuse"):
        from_networkx(other, mutual="both")


def test_names_of_lingam_are_checked():
    graph = CausalGraph.from_dag(np.array([[0, 1], [0, 0]], bool))
    assert to_lingam(graph, names=["a", "b"]).tolist() == to_lingam(graph).tolist()
    with pytest.raises(InputError, match="must hold 2 different names"):
        to_lingam(graph, names=["a", "a"])


def test_values_travel_on_edges():
    scores = np.arange(12.0).reshape(2, 2, 3)
    sent = to_networkx(SERIES, values={"score": scores})
    assert sorted(sent.edges(data="score")) == [("X0", "X1", 2 + 3.0), ("X1", "X0", 6.0)]
    with pytest.raises(InputError, match=r"score has shape \(2, 2\), but must be \(2, 2, 3\)"):
        to_networkx(SERIES, values={"score": scores[..., 0]})
    with pytest.raises(InputError, match="column of its own"):
        to_networkx(SERIES, values={"lag": scores})
    summary = to_summary_networkx(SERIES, names=["a", "b"])
    assert list(summary.edges(data=True)) == [("a", "b", {"lags": "2"})]


def test_frames_of_others():
    pd = pytest.importorskip("pandas")
    pytest.importorskip("narwhals")
    frame = to_frame(SERIES, names=["a", "b"], values={"score": np.ones((2, 2, 3))})
    assert list(frame.columns) == ["source", "lag", "edge", "target", "score"]
    assert frame.values.tolist() == [["a", 2, "-->", "b", 1.0], ["b", 0, "o->", "a", 1.0]]
    empty = to_frame(nodes(n=2), names=["a", "b"])
    assert list(empty.columns) == ["source", "edge", "target"]
    assert from_frame(empty, names=["a", "b"]).graph.edges() == []
    plain = from_frame(pd.DataFrame({"source": ["a"], "target": ["b"]}))
    assert plain.graph.edges(plain.names) == [("a", "-->", "b")]
    for frame, message in [
        (pd.DataFrame({"source": ["a"]}), "no column 'target'; there are source"),
        (3, "pass a data frame"),
        (pd.DataFrame({"source": ["a"], "target": ["b"], "lag": [0.5]}), "0.5; it must be a whole"),
    ]:
        with pytest.raises(InputError, match=message):
            from_frame(frame)
    with pytest.raises(InputError, match="backend='excel'"):
        to_frame(SERIES, backend="excel")


def test_graphviz_renders_our_dot():
    dot = shutil.which("dot")
    if dot is None:
        pytest.skip("Graphviz is not installed")
    texts = [to_dot(graph, names=names) for graph, names in both(3)]
    done = subprocess.run([dot, "-Tjson"], input="".join(texts), text=True, capture_output=True)
    assert (done.returncode, done.stderr) == (0, "")
    drawn, at = [], 0
    while at < len(done.stdout.rstrip()):
        document, at = json.JSONDecoder().raw_decode(done.stdout, at)
        drawn.append(document)
        at += len(done.stdout[at:]) - len(done.stdout[at:].lstrip())
    for document, (graph, names) in zip(drawn, both(3), strict=True):
        assert len(document["objects"]) == len(names)
        assert len(document.get("edges", ())) == len(graph.edges())
    svg = subprocess.run([dot, "-Tsvg"], input=to_dot(PAG), text=True, capture_output=True)
    assert svg.stdout.count('class="edge"') == 3


@pytest.mark.filterwarnings("ignore")  # of its parser
def test_pydot_reads_our_dot_alike():
    pydot = pytest.importorskip("pydot")
    (read,) = pydot.graph_from_dot_data(to_dot(SERIES, names=["rain", "river"]))
    assert [node.get_label() for node in read.get_nodes()] == ['"rain"', '"river"']
    ends = [(e.get_arrowtail(), e.get_arrowhead(), e.get_label()) for e in read.get_edges()]
    assert ends == [("none", "normal", '"2"'), ("odot", "normal", '"0"')]
    again = from_dot(read.to_string())
    np.testing.assert_array_equal(again.graph.marks, SERIES.marks)


def test_dot_of_others():
    text = """
    strict digraph "a graph" { // comment
      graph [rankdir=LR]; node [shape=box]; edge [color=red]
      a -> b -> "c d" [dir=both arrowtail=odot]  /* two
      edges */
      # preprocessor
      a -> "c d" [dir=back];
    }"""
    graph, names = from_dot(text)
    assert names == ["a", "b", "c d"]
    assert graph.edges(names) == [("a", "o->", "b"), ("c d", "-->", "a"), ("b", "o->", "c d")]
    graph, names = from_dot("graph { 1 -- 2 }")
    assert graph.edges(names) == [("1", "---", "2")]


def test_bertviz_takes_our_arguments():
    attention = np.random.default_rng(0).random((2, 3, 4, 4))
    view = to_bertviz(attention, list("abcd"), sentence_b_start=2)
    for layer, expected in zip(view["attention"], attention, strict=True):
        np.testing.assert_allclose(np.asarray(layer)[0], expected, rtol=1e-6)
    assert view["tokens"] == list("abcd")
    assert to_bertviz(attention[:, None], list("abcd"))["attention"][0].shape == (1, 3, 4, 4)
    with pytest.raises(InputError, match="tokens has 3 entries for 4"):
        to_bertviz(attention, list("abc"))
    with pytest.raises(InputError, match="sentence_b_start=4 is no token"):
        to_bertviz(attention, list("abcd"), sentence_b_start=4)


@pytest.mark.filterwarnings("ignore")
def test_bertviz_renders_our_arguments():
    bertviz = pytest.importorskip("bertviz")
    view = to_bertviz(np.full((2, 3, 4, 4), 0.25), list("abcd"))
    for draw in (bertviz.head_view, bertviz.model_view):
        assert "abcd"[0] in draw(**view, html_action="return").data


def test_causeme_files_are_as_documented(tmp_path):
    rng = np.random.default_rng(0)
    scores, p = rng.random((2, 5, 3, 3, 4))
    path = tmp_path / "x.json.bz2"
    head = {
        "method_sha": "e0",
        "parameter_values": "maxlags=3",
        "model": "linear-VAR",
        "experiment": "linear-VAR_N-3_T-150",
    }
    write_causeme(path, scores, p_values=p, runtimes=[1.0] * 5, **head)
    document = json.loads(bz2.decompress(path.read_bytes()))
    assert set(document) == {*head, "scores", "pvalues", "lags", "runtimes"}
    assert document.items() >= head.items()
    for k in range(5):
        for i in range(3):
            for j in range(3):
                cell = 3 * i + j
                assert document["scores"][k][cell] == max(scores[k, i, j, 1:])
                assert document["pvalues"][k][cell] == min(1, 3 * min(p[k, i, j, 1:]))
                lag = document["lags"][k][cell]
                assert scores[k, i, j, lag] == max(scores[k, i, j, 1:])
    read = read_causeme(path)
    assert read.head == head
    np.testing.assert_array_equal(read.scores[4], over_lags(scores[4])[0])
    again = tmp_path / "again.json.bz2"
    write_causeme(
        again,
        read.scores,
        p_values=read.p_values,
        lags=read.lags,
        runtimes=read.runtimes.tolist(),
        **head,
    )
    assert again.read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    ("scores", "details", "message"),
    [
        ([], {}, "scores is empty"),
        ([np.ones((2, 3))], {}, r"shape \(2, 3\)"),
        ([-np.ones((2, 2))], {}, "take absolute values"),
        ([np.ones((2, 2)), np.ones((3, 3))], {}, "2 arrays of shape"),
        ([np.ones((2, 2))], {"p_values": []}, "pvalues must hold 1 arrays"),
        ([np.ones((2, 2))], {"runtimes": [1.0, 2.0]}, "runtimes has 2 entries for 1"),
        ([np.ones((2, 2, 1))], {}, "lag 0 alone"),
    ],
)
def test_causeme_refuses(tmp_path, scores, details, message):
    with pytest.raises(InputError, match=message):
        write_causeme(tmp_path / "x", scores, method_sha="0", model="m", experiment="e", **details)
