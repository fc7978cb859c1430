"""Pictures, checked by their geometry: what is drawn where, and that labels can be read."""

import itertools
import math

import matplotlib.colors
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Polygon

from jaxcause._checks import InputError
from jaxcause.graph import CausalGraph, LaggedGraph, Mark
from jaxcause.plot import (
    causal_graph,
    score_heatmap,
    summary_graph,
    time_series_graph,
    truth_overlay,
)

LONG = ["publish_rate_causality_1", "subscriber_latency_causality_2", "queue_length"]
DRAWINGS = [time_series_graph, summary_graph]


def graph_of(n_vars, max_lag, edges):
    """Graph from ``{(source, target, lag): (mark at source, mark at target)}``."""
    marks = np.zeros((n_vars, n_vars, max_lag + 1, 2), np.int8)
    for (i, j, lag), ends in edges.items():
        marks[i, j, lag] = ends
        if lag == 0:
            marks[j, i, 0] = ends[::-1]
    return LaggedGraph(marks)


def random_graph(n_vars, max_lag, n_edges, seed=0):
    chosen = np.random.default_rng(seed).permutation(n_vars * n_vars * max_lag)[:n_edges]
    mask = np.zeros((n_vars, n_vars, max_lag + 1), bool)
    mask[:, :, 1:].reshape(n_vars, n_vars, max_lag)[
        np.unravel_index(chosen, (n_vars, n_vars, max_lag))
    ] = True
    return LaggedGraph.from_mask(mask)


FORTH, BOTH = (Mark.TAIL, Mark.ARROW), (Mark.ARROW, Mark.ARROW)
MIXED = graph_of(
    4,
    3,
    {
        (0, 0, 1): FORTH,
        (0, 1, 1): FORTH,
        (0, 1, 3): FORTH,
        (1, 0, 2): FORTH,
        (2, 3, 1): FORTH,
        (2, 3, 2): FORTH,
        (2, 3, 3): FORTH,
        (1, 2, 1): BOTH,
        (3, 0, 2): (Mark.CIRCLE, Mark.ARROW),
        (0, 2, 0): BOTH,
        (3, 1, 0): FORTH,
        (1, 2, 0): (Mark.CIRCLE, Mark.CIRCLE),
        (2, 0, 3): (Mark.TAIL, Mark.TAIL),
    },
)


def parts(ax, prefix):
    """Artists by what follows a prefix in their gid."""
    artists = [*ax.patches, *ax.texts, *ax.images]
    return {
        artist.get_gid().removeprefix(prefix): artist
        for artist in artists
        if (artist.get_gid() or "").startswith(prefix)
    }


def ends(patch):
    points = patch.get_path().vertices
    return points[0], points[-1]


def nearest(ax, point):
    nodes = parts(ax, "node-")
    return min(nodes, key=lambda key: math.dist(nodes[key].center, point))


def text_boxes(ax):
    figure = ax.figure
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    texts = [*ax.texts, ax.title, ax.xaxis.label, ax.yaxis.label]
    return [
        (text.get_text(), text.get_window_extent(canvas.get_renderer()))
        for text in texts
        if text.get_text()
    ]


def expected_edges(graph):
    names = [str(i) for i in range(graph.n_vars)]
    return {(i, j, lag): symbol for i, lag, symbol, j in graph.edges(names)}


@pytest.mark.parametrize("graph", [MIXED, random_graph(10, 5, 30)], ids=["mixed", "ten"])
def test_time_series_edges_run_from_source_step_to_target_now(graph):
    ax = time_series_graph(graph)
    edges = parts(ax, "edge-")
    assert set(edges) == {f"{i}-{j}-{lag}" for i, j, lag in expected_edges(graph)}
    for key, patch in edges.items():
        source, target, lag = key.split("-")
        start, end = ends(patch)
        assert nearest(ax, start) == f"{source}-{lag}"
        assert nearest(ax, end) == f"{target}-0"


CONFLICT = np.zeros((3, 3, 2, 2), np.int8)
CONFLICT[0, 1, 0] = CONFLICT[1, 0, 0] = Mark.CONFLICT
CONFLICT[0, 2, 1] = Mark.TAIL, Mark.ARROW


@pytest.mark.parametrize("draw", DRAWINGS)
def test_an_edge_in_conflict_ends_in_crosses_and_is_explained(draw):
    ax = draw(LaggedGraph(CONFLICT))
    parts = {patch.get_gid(): patch for patch in ax.patches}
    codes = [parts[f"{end}-mark-0-1-0"].get_path().codes.tolist() for end in ("source", "target")]
    assert codes == [[1, 2, 1, 2]] * 2
    assert "x–x: orientation in conflict" in ax.get_xlabel()
    assert "conflict" not in draw(LaggedGraph(np.zeros_like(CONFLICT))).get_xlabel()


def test_graphs_without_lags_tell_conflicts_from_hidden_causes():
    marks = np.array([[0, 4, 2], [4, 0, 0], [2, 0, 0]])
    ax = causal_graph(CausalGraph(marks))
    assert "orange: hidden common cause" in ax.get_xlabel()
    assert "pink: orientation in conflict (x)" in ax.get_xlabel()
    colors = {patch.get_gid(): patch.get_edgecolor() for patch in ax.patches}
    assert colors["edge-0-1"] != colors["edge-0-2"]
    strong = causal_graph(CausalGraph(marks), strength=np.ones((3, 3)))
    assert strong.get_xlabel() == "x–x: orientation in conflict"
    ax = truth_overlay(CausalGraph(marks), CausalGraph(np.where(marks == 4, 2, marks)))
    assert "wrong marks (1)" in ax.get_xlabel()
    assert "x–x: orientation in conflict" in ax.get_xlabel()


def test_time_series_rows_go_down_and_columns_go_back_in_time():
    ax = time_series_graph(MIXED, names=["a", "b", "c", "d"])
    at = {key: node.center for key, node in parts(ax, "node-").items()}
    assert len(at) == 4 * 4
    assert at["0-0"][1] > at["1-0"][1] > at["3-0"][1]
    assert at["0-3"][0] < at["0-1"][0] < at["0-0"][0]
    names, steps = parts(ax, "name-"), parts(ax, "step-")
    assert [text.get_text() for text in steps.values()] == ["t", "t−1", "t−2", "t−3"]
    for i, name in enumerate("abcd"):
        assert names[str(i)].get_text() == name
        assert names[str(i)].get_position()[1] == at[f"{i}-0"][1]
    for lag in range(4):
        assert steps[str(lag)].get_position()[0] == at[f"0-{lag}"][0]


def test_contemporaneous_arcs_stay_right_of_the_newest_column():
    ax = time_series_graph(MIXED)
    arcs = [patch for key, patch in parts(ax, "edge-").items() if key.endswith("-0")]
    assert len(arcs) == 3
    for arc in arcs:
        assert arc.get_path().vertices[:, 0].min() > 0


def test_time_series_edges_keep_clear_of_other_nodes():
    graph = graph_of(3, 4, {(0, 0, lag): FORTH for lag in (1, 2, 3, 4)} | {(0, 2, 2): FORTH})
    ax = time_series_graph(graph)
    nodes = parts(ax, "node-")
    for patch in parts(ax, "edge-").values():
        for node in nodes.values():
            away = np.linalg.norm(patch.get_path().vertices - node.center, axis=1).min()
            assert away > node.radius


@pytest.mark.parametrize("draw", DRAWINGS)
def test_marks_at_both_ends(draw):
    shapes = {"o": Circle, "<": Polygon, ">": Polygon, "-": type(None)}
    graph = graph_of(
        3,
        1,
        {
            (0, 1, 1): FORTH,
            (1, 2, 1): BOTH,
            (2, 0, 1): (Mark.CIRCLE, Mark.ARROW),
            (0, 2, 0): (Mark.CIRCLE, Mark.CIRCLE),
            (1, 0, 1): (Mark.TAIL, Mark.TAIL),
        },
    )
    ax = draw(graph)
    heads, tails = parts(ax, "target-mark-"), parts(ax, "source-mark-")
    for (i, j, lag), symbol in expected_edges(graph).items():
        key = f"{i}-{j}-{lag}"
        assert type(tails.get(key)) is shapes[symbol[0]]
        assert type(heads.get(key)) is shapes[symbol[2]]


@pytest.mark.parametrize("draw", DRAWINGS)
def test_arrowheads_touch_their_node_and_point_at_it(draw):
    ax = draw(MIXED)
    nodes, heads = parts(ax, "node-"), parts(ax, "target-mark-")
    pointed = {key: head for key, head in heads.items() if isinstance(head, Polygon)}
    assert len(pointed) >= 6
    for key, head in pointed.items():
        target = key.split("-")[1]
        node = nodes[f"{target}-0" if draw is time_series_graph else target]
        tip, left, right = head.get_xy()[:3]
        away = math.dist(tip, node.center)
        assert node.radius <= away < 1.5 * node.radius
        base = (left + right) / 2
        cosine = (tip - base) @ (node.center - tip) / math.dist(tip, base) / away
        assert cosine > 0.7


def test_mirrored_contemporaneous_arrow_is_drawn_towards_its_head():
    graph = graph_of(2, 1, {(1, 0, 0): FORTH})
    for draw in DRAWINGS:
        assert set(parts(draw(graph), "edge-")) == {"1-0-0"}


@pytest.mark.parametrize(
    ("marks", "key"),
    [((Mark.CIRCLE, Mark.TAIL), "0-1-0"), (BOTH, "0-1-0"), ((Mark.TAIL, Mark.TAIL), "0-1-0")],
)
def test_contemporaneous_edge_without_one_head_is_drawn_once(marks, key):
    for draw in DRAWINGS:
        assert set(parts(draw(graph_of(2, 1, {(0, 1, 0): marks})), "edge-")) == {key}


def test_summary_has_one_arrow_per_ordered_pair_with_its_lags():
    ax = summary_graph(random := random_graph(10, 5, 30))
    wanted = {}
    for i, j, lag in np.argwhere(np.asarray(random.directed)).tolist():
        wanted.setdefault((i, j), []).append(lag)
    assert set(parts(ax, "edge-")) == {
        f"{i}-{j}-{'_'.join(map(str, lags))}" for (i, j), lags in wanted.items()
    }
    assert set(parts(ax, "lags-")) == set(parts(ax, "edge-"))


def test_lags_are_written_on_their_own_edge():
    ax = summary_graph(MIXED)
    labels, edges = parts(ax, "lags-"), parts(ax, "edge-")
    texts = {key: label.get_text() for key, label in labels.items()}
    assert texts["0-1-1_3"] == "1, 3"
    assert texts["2-3-1_2_3"] == "1–3"
    assert texts["0-0-1"] == "1"
    assert texts["0-2-0"] == "0"
    for key, label in labels.items():
        away = np.linalg.norm(edges[key].get_path().vertices - label.get_position(), axis=1)
        assert away.min() < 0.02


def test_summary_circle_starts_on_top_and_goes_clockwise():
    nodes = parts(summary_graph(random_graph(4, 1, 3)), "node-")
    at = [nodes[str(i)].center for i in range(4)]
    np.testing.assert_allclose(at, [(0, 1), (1, 0), (0, -1), (-1, 0)], atol=1e-12)


@pytest.mark.parametrize("n_vars", [2, 3, 4, 5, 10, 20])
def test_both_directions_of_a_pair_are_apart_and_clear_of_other_nodes(n_vars):
    mask = np.zeros((n_vars, n_vars, 2), bool)
    mask[:, :, 1] = ~np.eye(n_vars, dtype=bool)
    ax = summary_graph(LaggedGraph.from_mask(mask))
    edges, nodes = parts(ax, "edge-"), parts(ax, "node-")
    for i, j in itertools.combinations(range(n_vars), 2):
        there, back = (edges[key].get_path().vertices for key in (f"{i}-{j}-1", f"{j}-{i}-1"))
        assert math.dist(there[40], back[40]) > 0.01
        for other in set(range(n_vars)) - {i, j}:
            for curve in (there, back):
                node = nodes[str(other)]
                assert np.linalg.norm(curve - node.center, axis=1).min() > node.radius


def test_self_loops_lie_outside_the_circle():
    mask = np.zeros((5, 5, 3), bool)
    mask[range(5), range(5), 1:] = True
    ax = summary_graph(LaggedGraph.from_mask(mask))
    labels = parts(ax, "lags-")
    for key, loop in parts(ax, "edge-").items():
        points = loop.get_path().vertices
        assert np.linalg.norm(points, axis=1).min() > 1
        assert np.linalg.norm(labels[key].get_position()) > 1.15
        start, end = ends(loop)
        assert nearest(ax, start) == nearest(ax, end) == key.split("-")[0]


def test_lags_of_a_pair_with_different_marks_are_not_mixed():
    graph = graph_of(2, 2, {(0, 1, 1): FORTH, (0, 1, 2): BOTH})
    ax = summary_graph(graph)
    assert set(parts(ax, "edge-")) == {"0-1-1", "0-1-2"}
    first, second = (patch.get_path().vertices for patch in parts(ax, "edge-").values())
    assert math.dist(first[40], second[40]) > 0.1


def test_crowded_summary_says_that_lags_are_missing():
    ax = summary_graph(random_graph(50, 5, 150))
    arrows = len(parts(ax, "edge-"))
    assert f"lags not shown for {arrows} arrows (too crowded)" in ax.get_xlabel()
    assert not parts(ax, "lags-")


@pytest.mark.parametrize("draw", [*DRAWINGS, score_heatmap])
@pytest.mark.parametrize("n_vars", [1, 2, 3, 10, 30])
def test_labels_do_not_overlap_and_are_not_clipped(draw, n_vars):
    graph = random_graph(n_vars, 3, min(3 * n_vars, n_vars * n_vars * 3))
    names = LONG if n_vars == 3 else [f"sensor_name_causality_{i}" for i in range(n_vars)]
    if draw is score_heatmap:
        ax = draw(np.ones((n_vars, n_vars, 4)), names=names, graph=graph)
    else:
        ax = draw(graph, names=names)
    boxes = text_boxes(ax)
    assert len(boxes) > n_vars
    frame = ax.figure.bbox
    for text, box in boxes:
        assert box.x0 >= frame.x0, text
        assert box.y0 >= frame.y0, text
        assert box.x1 <= frame.x1, text
        assert box.y1 <= frame.y1, text
    if draw is summary_graph and n_vars > 20:
        return  # slanted names: their boxes overlap although the letters do not
    for (one, box), (other, second) in itertools.combinations(boxes, 2):
        assert not box.padded(-0.5).overlaps(second.padded(-0.5)), (one, other)


def test_lags_give_way_to_one_another_in_a_crowd():
    ax = summary_graph(random_graph(10, 5, 80))
    labels = parts(ax, "lags-")
    assert len(labels) > 30
    text_boxes(ax)
    boxes = [label.get_window_extent() for label in labels.values()]
    assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))
    missing = len(parts(ax, "edge-")) - len(labels)
    assert (f"lags not shown for {missing} arrow" in ax.get_xlabel()) == (missing > 0)


def test_names_stay_off_the_nodes():
    ax = summary_graph(random_graph(10, 5, 30), names=[f"sensor_causality_{i}" for i in range(10)])
    boxes = dict(text_boxes(ax))
    nodes = [node.get_window_extent() for node in parts(ax, "node-").values()]
    for name in parts(ax, "name-").values():
        assert not any(boxes[name.get_text()].overlaps(node) for node in nodes)


@pytest.mark.parametrize("draw", DRAWINGS)
def test_empty_graph_says_so_and_draws_its_nodes(draw):
    ax = draw(LaggedGraph.from_mask(np.zeros((3, 3, 3), bool)))
    assert "no edge" in ax.get_title()
    assert not parts(ax, "edge-")
    assert len(parts(ax, "node-")) == (9 if draw is time_series_graph else 3)
    assert "no edge" not in draw(MIXED).get_title()


@pytest.mark.parametrize("draw", DRAWINGS)
def test_wrong_names_raise(draw):
    with pytest.raises(InputError, match="names has 2 entries for 4 variables; give one name"):
        draw(MIXED, names=["a", "b"])


@pytest.mark.parametrize("draw", DRAWINGS)
def test_strength_must_fit_the_graph(draw):
    with pytest.raises(InputError, match="strength has shape"):
        draw(MIXED, strength=np.ones((4, 4, 2)))


@pytest.mark.parametrize("draw", DRAWINGS)
def test_strength_must_be_known_on_every_edge(draw):
    strength = np.full((2, 2, 2), np.nan)
    with pytest.raises(InputError, match="strength is not finite for an edge"):
        draw(graph_of(2, 1, {(0, 1, 1): FORTH}), strength=strength)
    strength[0, 1, 1] = 1.0
    assert set(parts(draw(graph_of(2, 1, {(0, 1, 1): FORTH}), strength=strength), "edge-")) == {
        "0-1-1"
    }


@pytest.mark.parametrize("draw", DRAWINGS)
def test_graph_without_lags_draws_its_contemporaneous_edges(draw):
    ax = draw(graph_of(3, 0, {(0, 1, 0): FORTH, (2, 1, 0): FORTH}))
    assert set(parts(ax, "edge-")) == {"0-1-0", "2-1-0"}


@pytest.mark.parametrize("draw", DRAWINGS)
def test_strength_sets_colour_and_width_and_brings_a_colour_bar(draw):
    graph = graph_of(3, 1, {(0, 1, 1): FORTH, (1, 2, 1): FORTH, (2, 0, 0): FORTH})
    strength = np.zeros((3, 3, 2))
    strength[0, 1, 1], strength[1, 2, 1], strength[0, 2, 0] = 0.2, -1.0, 0.6
    ax = draw(graph, strength=strength)
    weak, strong, now = (parts(ax, "edge-")[key] for key in ("0-1-1", "1-2-1", "2-0-0"))
    assert weak.get_linewidth() < now.get_linewidth() < strong.get_linewidth()
    light = [sum(matplotlib.colors.to_rgb(e.get_edgecolor())) for e in (weak, now, strong)]
    assert light[0] > light[1] > light[2]
    assert len(ax.figure.axes) == 2
    assert len(draw(graph).figure.axes) == 1


def test_edges_have_the_colour_of_their_source():
    ax = summary_graph(MIXED)
    nodes = parts(ax, "node-")
    for key, edge in parts(ax, "edge-").items():
        assert edge.get_edgecolor() == nodes[key.split("-")[0]].get_facecolor()


@pytest.mark.parametrize("draw", DRAWINGS)
@pytest.mark.parametrize("size", [(3, 3), (8, 3), (3, 7)])
def test_given_axes_are_drawn_into_returned_and_hold_everything(draw, size):
    figure = Figure(size)
    ax = figure.add_subplot()
    assert draw(MIXED, names=["alpha", "beta", "gamma", "delta_long"], ax=ax) is ax
    inside = ax.get_window_extent().padded(2)
    wanted = [*parts(ax, "name-").values()]
    boxes = dict(text_boxes(ax))
    for text in wanted:
        box = boxes[text.get_text()]
        assert inside.x0 <= box.x0
        assert box.x1 <= inside.x1
        assert inside.y0 <= box.y0
        assert box.y1 <= inside.y1


def test_heatmap_blocks_hold_the_scores_of_their_lag_on_one_scale():
    scores = np.random.default_rng(0).random((3, 3, 4))
    ax = score_heatmap(scores, names=LONG)
    blocks = parts(ax, "lag-")
    assert set(blocks) == {"1", "2", "3"}
    for lag, block in blocks.items():
        np.testing.assert_array_equal(block.get_array(), scores[:, :, int(lag)])
        assert block.norm.vmin == 0
        assert block.norm.vmax == scores[:, :, 1:].max()
        left, right, _, top = block.get_extent()
        title = parts(ax, "title-")[lag]
        assert title.get_text() == f"lag {lag}"
        assert left < title.get_position()[0] < right
        assert title.get_position()[1] > top
    assert len(ax.figure.axes) == 2


def test_heatmap_names_stand_at_their_row_and_column():
    ax = score_heatmap(np.ones((3, 3, 3)), names=LONG)
    sources, targets = parts(ax, "source-"), parts(ax, "target-")
    for lag, block in parts(ax, "lag-").items():
        left, _, bottom, top = block.get_extent()
        for i, name in enumerate(LONG):
            target = targets[f"{i}-{lag}"]
            assert target.get_text() == name
            assert target.get_position()[0] == pytest.approx(left + i + 0.5)
            assert target.get_position()[1] < bottom
            if lag == "1":
                assert sources[f"{i}-1"].get_text() == name
                assert sources[f"{i}-1"].get_position()[1] == pytest.approx(top - i - 0.5)
    assert "source" in ax.get_ylabel()
    assert "target at t" in ax.get_xlabel()


def test_heatmap_rings_every_edge_in_its_cell():
    graph = random_graph(4, 3, 9)
    ax = score_heatmap(np.ones((4, 4, 4)), graph=graph)
    rings, blocks = parts(ax, "ring-"), parts(ax, "lag-")
    assert set(rings) == {f"{i}-{j}-{lag}" for i, j, lag in expected_edges(graph)}
    for key, ring in rings.items():
        i, j, lag = key.split("-")
        left, _, _, top = blocks[lag].get_extent()
        np.testing.assert_allclose(ring.center, (left + int(j) + 0.5, top - int(i) - 0.5))
    assert not parts(score_heatmap(np.ones((4, 4, 4))), "ring-")


def test_heatmap_wraps_many_lags_without_overlap():
    ax = score_heatmap(np.ones((10, 10, 13)))
    extents = [block.get_extent() for block in parts(ax, "lag-").values()]
    assert len({extent[3] for extent in extents}) > 1
    for one, other in itertools.combinations(extents, 2):
        apart = one[1] < other[0] or other[1] < one[0] or one[3] < other[2] or other[3] < one[2]
        assert apart


def test_heatmap_uses_given_axes_and_label():
    ax = Figure((9, 3)).add_subplot()
    assert score_heatmap(np.ones((3, 3, 3)), ax=ax, label="gradient energy") is ax
    bar = next(other for other in ax.figure.axes if other is not ax)
    assert bar.get_ylabel() == "gradient energy"


@pytest.mark.parametrize("empty", [0.0, np.nan])
def test_heatmap_without_any_score_still_draws(empty):
    ax = score_heatmap(np.full((2, 2, 2), empty))
    assert parts(ax, "lag-")["1"].norm.vmax == 1


def test_heatmap_refuses_what_does_not_fit():
    with pytest.raises(InputError, match="names has 1 entries for 2 variables"):
        score_heatmap(np.ones((2, 2, 2)), names=["a"])
    with pytest.raises(InputError, match=r"must be \[vars, vars, max_lag\+1\]"):
        score_heatmap(np.ones((2, 2, 1)))
    with pytest.raises(InputError, match="graph"):
        score_heatmap(np.ones((2, 2, 2)), graph=MIXED)
