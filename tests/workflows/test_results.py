"""What results of both paths can do: the same names, lossless JSON, pages, pictures, frames."""

import dataclasses
import inspect
import json

import jax
import jax.numpy as jnp
import networkx as nx
import numpy as np
import pytest
from matplotlib.figure import Figure
from text_models import saved_model

import jaxcause as jc
from jaxcause._errors import InputError
from jaxcause.io import graph_from_json
from jaxcause.models._functional import init_params
from jaxcause.series import as_series_table
from jaxcause.workflows import (
    Discovery,
    DiscoveryInfo,
    TextExplanation,
    TextModel,
    explain,
    write_discovery,
    write_explanation,
)
from jaxcause.workflows._discover.provenance import fingerprint, provenance

NAMES = ("rain", "<b>river</b>", "level", "wind")
EDGES = {
    (0, 1, 2): (3, 2), (1, 1, 1): (3, 2), (2, 1, 1): (1, 2), (3, 0, 2): (2, 2),
    (2, 3, 0): (1, 1), (0, 2, 0): (3, 2),
}  # fmt: skip
COMMON = ("summary", "plot", "to_networkx", "to_dataframe", "to_dict", "to_json", "from_json",
          "save_html", "to_html", "_repr_html_", "headline")  # fmt: skip


def discovery(dtype=np.float32):
    rng = np.random.default_rng(0)
    marks = np.zeros((4, 4, 3, 2), np.int8)
    for (i, j, lag), ends in EDGES.items():
        marks[i, j, lag] = ends
        if lag == 0:
            marks[j, i, 0] = ends[::-1]
    scores = rng.random((4, 4, 3)).astype(dtype) / 3
    strength = np.sqrt(scores)
    scores[1, 2, 1], scores[0, 3, 1], strength[1, 2, 2] = np.nan, np.inf, np.nan
    losses = [(0, 1.0, 1.1), (100, 0.5, 0.7), (200, np.float64(0.4), float("nan"))]
    info = DiscoveryInfo(
        score="gradient energy", strength="root gradient energy: deviations", method="gradient",
        q=0.1, notes=("A note with </script> in it.",), losses=losses, best_step=100,
        held_out_error=float(np.float32(0.7)), held_out_error_linear=0.8, n_windows=64,
        member_scores=np.arange(3.0), seconds={"total": 1.5},
    )  # fmt: skip
    return Discovery(jc.LaggedGraph(marks), scores, strength, NAMES, None, info)


@pytest.fixture(scope="module")
def explanation(tmp_path_factory):
    stored = TextModel.load(saved_model("bert_masked_lm", tmp_path_factory.mktemp("model")))
    # Large weights, so that what it says depends on what it reads.
    fresh = init_params(jax.random.key(1), stored.model.config)
    fresh = jax.tree.map(lambda p: p * jnp.asarray(20.0, p.dtype) if p.ndim > 1 else p, fresh)
    loud = dataclasses.replace(stored, model=dataclasses.replace(stored.model, params=fresh))
    options = {"every": True, "max_size": 2, "n_samples": 400, "intervention": "delete"}
    found = explain(loud, "the old bridge was closed because the", "bridge", **options)
    assert found.explanations.found
    return found


def test_both_paths_have_the_same_names():
    for name in COMMON:
        for kind in (Discovery, TextExplanation):
            assert inspect.getdoc(getattr(kind, name)), (kind, name)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_discovery_comes_back_from_json_to_the_last_bit(tmp_path, dtype):
    found = discovery(dtype)
    text = found.to_json(tmp_path / "found.json")
    json.loads(text, parse_constant=pytest.fail)
    for source in (text, tmp_path / "found.json", str(tmp_path / "found.json"), found.to_dict()):
        again = Discovery.from_json(source)
        np.testing.assert_array_equal(again.graph.marks, found.graph.marks)
        for name in ("scores", "strength"):
            np.testing.assert_array_equal(getattr(again, name), getattr(found, name))
            assert getattr(again, name).dtype == dtype
        assert again.names == NAMES
        assert again.forecaster is None
        assert again.to_json() == text
    assert again.info.losses[2] == [200, 0.4, None]
    assert again.info.member_scores == [0, 1, 2]
    assert again.info.provenance["jaxcause"] == jc.__version__


def test_every_reader_of_graphs_reads_a_discovery():
    found = discovery()
    graph, names = graph_from_json(found.to_dict())
    np.testing.assert_array_equal(graph.marks, found.graph.marks)
    assert tuple(names) == NAMES


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": "jaxcause.discovery/2"}, "schema 'jaxcause.discovery/2', not"),
        ({"scores": [[[0.0]]]}, "scores do not fit the graph"),
        ({"scores": [[["x"]]]}, "does not follow jaxcause.discovery/1: ValueError"),
        ({"dtype": {"scores": "U9", "strength": "float32"}}, "does not follow|do not fit"),
        ({"dtype": {}}, "does not follow jaxcause.discovery/1: KeyError"),
        ({"info": 3}, "does not follow jaxcause.discovery/1: TypeError"),
    ],
)
def test_documents_that_do_not_follow_the_schema(change, message):
    with pytest.raises(InputError, match=message):
        Discovery.from_json(discovery().to_dict() | change)


def test_sources_that_cannot_be_read(tmp_path):
    with pytest.raises(InputError, match="cannot read"):
        Discovery.from_json(tmp_path / "none.json")
    with pytest.raises(InputError, match="the JSON text is not valid JSON"):
        Discovery.from_json('{"schema": ')
    (tmp_path / "list.json").write_text("[]")
    with pytest.raises(InputError, match="schema None"):
        Discovery.from_json(tmp_path / "list.json")
    with pytest.raises(InputError, match="cannot write"):
        discovery().to_json(tmp_path / "no" / "folder.json")
    with pytest.raises(InputError, match="cannot write"):
        discovery().save_html(tmp_path)


def test_a_discovery_tells_its_edges_and_notes():
    found = discovery()
    text = found.summary()
    assert text.startswith("6 edges among 4 variables, lags up to 2 (gradient)\n")
    lines = text.splitlines()
    marks = set(found.table["edge"].tolist())
    told = [line.split()[0] for line in lines if marks & set(line.split())]
    assert told == found.table["source"].tolist()
    assert lines[-1] == "- A note with </script> in it."
    assert repr(found) == f"<Discovery: {found.headline()}>"
    empty = dataclasses.replace(found, graph=jc.LaggedGraph(np.zeros((4, 4, 3, 2), np.int8)))
    assert empty.summary().startswith("No edges among 4 variables")


def test_frames_and_networks_of_a_discovery():
    found = discovery()
    frame = found.to_dataframe()
    assert list(frame.columns) == ["source", "target", "lag", "edge", "score", "strength",
                                   "effect", "low", "high", "share",
                                   "p_value", "q_value"]  # fmt: skip
    assert len(frame) == 6
    network = found.to_networkx()
    assert isinstance(network, nx.MultiDiGraph)
    drawn = {(u, v, data["lag"], data["edge"]) for u, v, data in network.edges(data=True)}
    assert drawn == {tuple(row) for row in frame[["source", "target", "lag", "edge"]].to_numpy()}


def test_every_picture_of_a_discovery_is_drawn_into_given_axes():
    found = discovery()
    for kind in ("time", "summary", "scores", "curves", "training"):
        ax = Figure((7, 5)).add_subplot()
        assert found.plot(kind, ax=ax) is ax
        assert ax.has_data()
    with pytest.raises(InputError, match="needs a training"):
        dataclasses.replace(found, info=DiscoveryInfo(score="", strength="")).plot("training")


@pytest.mark.usefixtures("untyped")
def test_unknown_pictures_are_named():
    with pytest.raises(InputError, match="kind='pie' is not known; choose one of time"):
        discovery().plot("pie")


def test_the_folder_of_a_discovery_holds_its_page(tmp_path):
    found = discovery()
    names = write_discovery(found, tmp_path)
    assert names == ["candidates.csv", "edges.csv", "graph.json", "graph.png", "report.html",
                     "scores.npz", "scores.png", "summary.png"]  # fmt: skip
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page == found.to_html()
    assert "6 edges among 4 variables" in page
    json.loads((tmp_path / "graph.json").read_text(), parse_constant=pytest.fail)


def test_notebooks_get_the_page_in_a_frame(explanation):
    for found in (discovery(), explanation):
        shown = found._repr_html_()
        assert shown.count("<iframe") == 1
        assert 'sandbox="allow-scripts allow-downloads"' in shown
        assert "<script" not in shown
        assert "&lt;script" in shown


def test_an_explanation_comes_back_from_json_to_the_last_bit(explanation, tmp_path):
    found = explanation
    write_explanation(found, tmp_path)
    again = TextExplanation.from_json(tmp_path / "explanation.json")
    for name in ("attention", "whole_attention", "kept", "special"):
        np.testing.assert_array_equal(getattr(again, name), getattr(found, name))
    for one, other in zip(
        [*again.search.info, again.search.p_values, again.search.sepsets.nodes, again.graph.marks],
        [*found.search.info, found.search.p_values, found.search.sepsets.nodes, found.graph.marks],
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)
        assert np.asarray(one).dtype == np.asarray(other).dtype
    np.testing.assert_array_equal(again.search.levels.marks, found.search.levels.marks)
    np.testing.assert_array_equal(again.partial_correlation, found.partial_correlation)
    assert again.explanations == found.explanations
    assert again.sentences() == found.sentences()
    assert again.to_json() == found.to_json()
    assert again.to_html() == found.to_html()


def test_a_page_alone_is_no_whole_explanation(explanation):
    with pytest.raises(InputError, match="a page without its state"):
        TextExplanation.from_json(explanation.to_dict())
    document = json.loads(explanation.to_json())
    document["state"]["kept"]["shape"] = [10**9]
    with pytest.raises(InputError, match="does not follow jaxcause.explanation/1"):
        TextExplanation.from_json(document)


def test_an_explanation_without_an_output_comes_back(explanation):
    bare = dataclasses.replace(explanation, target=None, after=None)
    bare = dataclasses.replace(bare, explanations=explanation.explanations._replace(found=()))
    again = TextExplanation.from_json(bare.to_json())
    assert again.target is None
    assert again.output is None
    assert again.summary() == bare.summary()


def test_frames_networks_and_pictures_of_an_explanation(explanation):
    found = explanation
    for head in (None, 1):
        frame = found.to_dataframe(head=head)
        network = found.to_networkx(head=head)
        marks = np.asarray(found.search.graph.marks)[0 if head is None else head + 1]
        assert len(frame) == network.number_of_edges() == (marks > 0).sum() // 2
        assert [network.nodes[i]["token"] for i in range(len(found.tokens))] == list(found.tokens)
        sizes = frame["partial_correlation"].abs().to_numpy()
        assert (np.diff(sizes[np.isfinite(sizes)]) <= 0).all()
        for row in frame.itertuples():
            assert network.edges[row.source_node, row.target_node]["edge"] == row.edge
            assert found.tokens[row.source_node] == row.source
        for kind in ("arcs", "graph"):
            assert found.plot(kind, head=head).has_data()
    with pytest.raises(InputError, match="head=99 does not exist"):
        found.plot(head=99)
    assert found.headline() in found.summary()
    assert found.sentences()[0] in found.summary()


def test_provenance_knows_data_and_key():
    values = np.random.default_rng(0).normal(size=(30, 2))
    values[3, 1] = np.nan
    table = as_series_table(values, names=["a", "b"])
    said = provenance(table, key=jax.random.key(7), settings={"max_lag": 3})
    assert said["data"] == "30 rows of 2 variables"
    assert said["key"].endswith("[0, 7]")
    assert said["given: max_lag"] == 3
    assert fingerprint(as_series_table(values.copy(), names=["a", "b"])) == said["fingerprint"]
    changed = values.copy()
    changed[5, 0] = np.nextafter(changed[5, 0], 9)
    others = [
        as_series_table(changed, names=["a", "b"]),
        as_series_table(values, names=["a", "c"]),
        as_series_table([values[:20], values[20:]], names=["a", "b"]),
    ]
    assert said["fingerprint"] not in map(fingerprint, others)
    found = discovery()
    found = dataclasses.replace(found, info=dataclasses.replace(found.info, provenance=said))
    assert f"<bdi>{said['fingerprint']}</bdi>" in found.to_html()
    assert Discovery.from_json(found.to_json()).info.provenance == said


def test_discover_keeps_the_provenance_of_its_series():
    x = np.random.default_rng(0).normal(size=(200, 2))
    found = jc.discover(x, 2, method="var", names=["a", "b"])
    said = found.info.provenance
    assert said["fingerprint"] == fingerprint(as_series_table(x, names=["a", "b"]))
    assert "key" not in said
    assert Discovery.from_json(found.to_json()).info.provenance == said


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tokens": ["one"]}, "differ in length"),
        ({"settings": {}}, "settings lack alpha, max_size"),
    ],
)
def test_an_explanation_whose_parts_do_not_fit_is_refused(explanation, change, message):
    document = json.loads(explanation.to_json())
    with pytest.raises(InputError, match=message):
        TextExplanation.from_json(document | change)
