"""Numbers that belong to edges survive every format that has room for them."""

import json
import pickle

import networkx as nx
import numpy as np
import pytest

from jaxcause import CausalGraph, InputError, LaggedGraph
from jaxcause.io import from_networkx, graph_from_json, graph_to_json, read_graph, write_graph

MASK = np.zeros((2, 2, 3), bool)
MASK[0, 1, 2] = MASK[1, 1, 1] = True
GRAPH = LaggedGraph.from_mask(MASK)
SCORES = np.arange(12.0).reshape(2, 2, 3) / 7


@pytest.mark.parametrize("suffix", [".json", ".npz", ".graphml", ".csv"])
def test_numbers_are_read_as_they_were_written(tmp_path, suffix):
    path, again = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    write_graph(path, GRAPH, scores=SCORES, values={"p": SCORES / 3})
    table = {"names": ["X0", "X1"], "max_lag": 2} if suffix == ".csv" else {}
    read = read_graph(path, **table)
    assert set(read.values) == {"score", "p"}
    np.testing.assert_array_equal(read.values["score"][MASK], SCORES[MASK])
    if suffix != ".npz":
        assert np.isnan(read.values["score"][~MASK]).all()
    write_graph(again, *read[:1], names=read.names, values=read.values)
    twice = read_graph(again, **table).values
    np.testing.assert_array_equal(twice["p"], read.values["p"])
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(read)).values["p"], twice["p"])


def test_numbers_of_a_graph_over_nodes_and_within_a_step():
    graph = CausalGraph(np.array([[0, 2], [3, 0]], np.int8))
    document = graph_to_json(graph, scores=np.full((2, 2), 0.5))
    assert graph_from_json(document).values["score"].tolist()[0][1] == 0.5
    document["edges"][0] |= {"remark": "so", "sure": True, "huge": 10**400}
    assert set(graph_from_json(document).values) == {"score"}


def test_json_has_null_for_what_is_no_number(tmp_path):
    path = tmp_path / "a.json"
    scores = np.where(MASK, np.nan, 1.0)
    write_graph(path, GRAPH, scores=scores, strength=np.full_like(scores, np.inf))

    def refuse(constant):
        raise AssertionError(constant)

    document = json.loads(path.read_text(), parse_constant=refuse)
    assert [(e["score"], e["strength"]) for e in document["edges"]] == [(None, None)] * 2
    assert np.isnan(read_graph(path).values["score"]).all()


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("source,lag,edge,target\r\na,1,-->,b\r\nb,1,-->,", "line 3 of .* has no target"),
        ("source,lag,edge,target\n,1,-->,b\n", "line 2 of .* has no source"),
        ("source,lag,edge,target\na,1,-->,b\nb,1,-->", "broken row in line 3"),
        ("source,lag,edge,target\na,1,,b\n", "no edge: '' is no mark"),
    ],
)
def test_a_table_of_edges_that_is_cut_off(tmp_path, text, part):
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=part):
        read_graph(path)


def test_a_variable_may_have_an_empty_name_if_it_is_told(tmp_path):
    path = tmp_path / "a.csv"
    write_graph(path, GRAPH, names=["", "b"], values={"p": SCORES})
    read = read_graph(path, names=["", "b"], max_lag=2)
    np.testing.assert_array_equal(read.graph.marks, GRAPH.marks)


def test_what_is_no_graph_is_told(tmp_path, untyped):
    with pytest.raises(InputError, match="graph is a str; pass a networkx graph"):
        from_networkx("x")  # pyright: ignore[reportArgumentType]
    assert from_networkx(nx.DiGraph([("a", "b")])).values == {}
    with pytest.raises(InputError, match="cannot read nope: No such file"):
        read_graph("nope")
    with pytest.raises(InputError, match=r"is an explanation; .*from_json reads it"):
        graph_from_json({"schema": "jaxcause.explanation/1"})
