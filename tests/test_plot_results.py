"""Pictures of causal graphs, scores, stability, training and truth: geometry and legibility."""

import itertools
import math

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Polygon
from test_plot import BOTH, FORTH, MIXED, ends, graph_of, nearest, parts, random_graph, text_boxes

import jaxcause as jc
from jaxcause import plot
from jaxcause._checks import InputError
from jaxcause.graph import CausalGraph, LaggedGraph, Mark
from jaxcause.plot import (
    causal_graph,
    edge_stability,
    score_curves,
    score_heatmap,
    training_curve,
    truth_overlay,
)
from jaxcause.plot._charts import shortened_apart, spread

KINDS = [(3, 2), (1, 2), (2, 2), (1, 1), (2, 3), (2, 1), (3, 3), (3, 1), (1, 3)]
SHAPES = {Mark.CIRCLE: Circle, Mark.ARROW: Polygon, Mark.TAIL: type(None)}


def pag(n_nodes, n_edges, seed=0):
    """Random marks; the first edges go through all kinds."""
    marks = np.zeros((n_nodes, n_nodes), np.int8)
    pairs = list(itertools.combinations(range(n_nodes), 2))
    chosen = np.random.default_rng(seed).permutation(len(pairs))[:n_edges]
    for k, at in enumerate(chosen):
        i, j = pairs[at]
        marks[j, i], marks[i, j] = KINDS[k % len(KINDS)]
    return CausalGraph(marks)


def readable(ax, texts=None):
    """No text is clipped, and none covers another."""
    boxes = text_boxes(ax) if texts is None else texts
    frame = ax.figure.bbox.padded(0.5)
    for text, box in boxes:
        assert frame.x0 <= box.x0, text
        assert box.x1 <= frame.x1, text
        assert frame.y0 <= box.y0, text
        assert box.y1 <= frame.y1, text
    for (one, box), (other, second) in itertools.combinations(boxes, 2):
        assert not box.padded(-0.5).overlaps(second.padded(-0.5)), (one, other)


@pytest.mark.parametrize("n_nodes", [3, 10, 50])
def test_every_edge_joins_its_nodes_with_its_marks(n_nodes):
    graph = pag(n_nodes, min(3 * n_nodes, n_nodes * (n_nodes - 1) // 2))
    ax, marks = causal_graph(graph), np.asarray(graph.marks)
    edges = parts(ax, "edge-")
    assert len(edges) == (marks > 0).sum() // 2
    heads, tails, nodes = parts(ax, "target-mark-"), parts(ax, "source-mark-"), parts(ax, "node-")
    for key, patch in edges.items():
        i, j = map(int, key.split("-"))
        start, end = ends(patch)
        assert (nearest(ax, start), nearest(ax, end)) == (str(i), str(j))
        for drawn, mark, at in ((tails.get(key), marks[j, i], i), (heads.get(key), marks[i, j], j)):
            assert type(drawn) is SHAPES[Mark(int(mark))]
            if mark == Mark.ARROW:
                tip, left, right = drawn.get_xy()[:3]
                center, base = nodes[str(at)].center, (left + right) / 2
                assert math.dist(tip, center) < math.dist(base, center) < 5 * nodes["0"].radius
        assert not (marks[j, i] == Mark.ARROW and marks[i, j] != Mark.ARROW)


def test_colours_say_what_the_marks_say():
    graph = pag(9, 9)
    edges = parts(causal_graph(graph), "edge-")
    marks = np.asarray(graph.marks)
    by_kind = {}
    for key, patch in edges.items():
        i, j = map(int, key.split("-"))
        pair = marks[j, i], marks[i, j]
        kind = "o" if Mark.CIRCLE in pair else pair.count(Mark.ARROW)
        by_kind.setdefault(kind, set()).add(patch.get_edgecolor())
    assert set(by_kind) == {"o", 0, 1, 2}
    assert all(len(colors) == 1 for colors in by_kind.values())
    assert len({color for colors in by_kind.values() for color in colors}) == 4


@pytest.mark.parametrize("n_nodes", [1, 3, 10, 20])
def test_names_of_a_causal_graph_can_be_read(n_nodes):
    graph = pag(n_nodes, n_nodes * (n_nodes - 1) // 4)
    readable(causal_graph(graph, names=[f"sensor_name_causality_{i}" for i in range(n_nodes)]))


def test_a_causal_graph_refuses_what_does_not_fit():
    with pytest.raises(InputError, match="names has 1 entries for 3 variables"):
        causal_graph(pag(3, 2), names=["a"])
    with pytest.raises(InputError, match=r"graph is a batch of shape \(2,\)"):
        causal_graph(CausalGraph(np.zeros((2, 3, 3), np.int8)))
    with pytest.raises(InputError, match="strength is not finite for an edge"):
        causal_graph(pag(3, 2), strength=np.full((3, 3), np.nan))
    strength = np.array([[0, 0.2, 0.9], [0.2, 0, 0], [0.9, 0, 0]])
    marks = np.array([[0, 2, 2], [3, 0, 0], [3, 0, 0]], np.int8)
    edges = parts(causal_graph(CausalGraph(marks), strength=strength), "edge-")
    assert edges["0-1"].get_linewidth() < edges["0-2"].get_linewidth()
    assert "no edge" in causal_graph(pag(3, 0)).get_title()


def looks(ax):
    return {
        key: (patch.get_edgecolor(), str(patch.get_linestyle()))
        for key, patch in parts(ax, "edge-").items()
    }


def test_correct_missed_and_false_edges_look_different():
    truth = graph_of(3, 2, {(0, 1, 1): FORTH, (1, 2, 2): FORTH, (0, 2, 0): BOTH, (2, 2, 1): FORTH})
    found = graph_of(3, 2, {(0, 1, 1): FORTH, (1, 2, 1): FORTH, (0, 2, 0): FORTH, (2, 2, 1): FORTH})
    ax = truth_overlay(found, truth, names=["a", "b", "c"])
    drawn = looks(ax)
    assert set(drawn) == {"0-1-1", "1-2-2", "1-2-1", "0-2-0", "2-2-1"}
    assert drawn["0-1-1"] == drawn["2-2-1"]
    assert len(set(drawn.values())) == 4
    said = ax.get_xlabel()
    for words in ("correct (2)", "missed (1)", "false (1)", "wrong marks (1)"):
        assert words in said
    # What was found is drawn where the two differ: an arrow from 0 to 2.
    assert "0-2-0" not in parts(ax, "source-mark-")
    assert "0-2-0" in parts(ax, "target-mark-")


@pytest.mark.parametrize("lagged", [True, False])
def test_a_reversed_edge_without_a_lag_is_one_edge_with_other_marks(lagged):
    if lagged:
        found, truth = graph_of(2, 1, {(0, 1, 0): FORTH}), graph_of(2, 1, {(1, 0, 0): FORTH})
    else:
        found, truth = (CausalGraph.from_dag(np.eye(2, k=k) > 0) for k in (1, -1))
    ax = truth_overlay(found, truth)
    assert list(parts(ax, "edge-")) == ["0-1-0" if lagged else "0-1"]
    assert ax.get_xlabel() == "pink, dash-dotted: wrong marks (1)"


@pytest.mark.parametrize("n_vars", [3, 10, 50])
def test_a_graph_compared_with_itself_is_all_correct(n_vars):
    for graph in (random_graph(n_vars, 3, 2 * n_vars), pag(n_vars, 2 * n_vars)):
        ax = truth_overlay(graph, graph)
        assert len(set(looks(ax).values())) == 1
        assert f"correct ({len(parts(ax, 'edge-'))})" in ax.get_xlabel()
        assert "missed" not in ax.get_xlabel()
        if n_vars < 50:
            readable(ax)


def test_graphs_of_different_kinds_or_sizes_are_not_compared():
    with pytest.raises(InputError, match="compare graphs of one kind and size"):
        truth_overlay(MIXED, pag(4, 2))
    with pytest.raises(InputError, match="compare graphs of one kind and size"):
        truth_overlay(pag(3, 2), pag(4, 2))


def scored(n_vars, max_lag=5, seed=0):
    graph = random_graph(n_vars, max_lag, 2 * n_vars, seed)
    rng = np.random.default_rng(seed)
    scores = 0.1 * rng.random((n_vars, n_vars, max_lag + 1))
    scores += np.asarray(graph.adjacency) * rng.random(scores.shape)
    scores[:, :, 0] = 0
    return scores, graph


def lines(ax, prefix):
    found = {line.get_gid() or "": line for line in ax.lines}
    return {gid.removeprefix(prefix): line for gid, line in found.items() if gid.startswith(prefix)}


@pytest.mark.parametrize("n_vars", [3, 10, 50])
def test_curves_hold_the_scores_and_their_names_can_be_read(n_vars):
    scores, graph = scored(n_vars)
    ax = score_curves(
        scores, graph=graph, threshold=0.4, names=[f"sensor_{i}" for i in range(n_vars)]
    )
    curves, rest = lines(ax, "curve-"), ax.collections[0]
    assert len(curves) == 8
    assert len(rest.get_segments()) == n_vars**2 - 8
    assert list(lines(ax, "threshold")[""].get_ydata()) == [0.4, 0.4]
    adjacency = np.asarray(graph.adjacency)
    for key, curve in curves.items():
        i, j = map(int, key.split("-"))
        np.testing.assert_array_equal(curve.get_xdata(), range(1, 6))
        np.testing.assert_array_equal(curve.get_ydata(), scores[i, j, 1:])
        filled = lines(ax, "filled-")[key].get_xdata()
        np.testing.assert_array_equal(filled, np.flatnonzero(adjacency[i, j]))
        end = parts(ax, "end-")[key]
        assert end.get_text() == f" sensor_{i} → sensor_{j}"
    # Pairs with an edge first, and among them those of two variables.
    largest = np.where(adjacency.any(-1), 10, 0) + scores.max(axis=-1) - 5 * np.eye(n_vars)
    weakest = min(largest[tuple(map(int, key.split("-")))] for key in curves)
    assert (largest > weakest).sum() == 7
    readable(ax)
    inside = ax.get_window_extent()
    assert all(text.get_window_extent().x1 <= inside.x1 + 1 for text in parts(ax, "end-").values())


LONG = "Pegelstand Messstelle flussabwärts der Brücke {}"


@pytest.mark.parametrize(("n_vars", "name"), [(3, LONG), (50, LONG), (50, "x" * 99 + "{}")])
@pytest.mark.parametrize("size", [None, (6, 3)])
def test_long_names_of_curves_stay_inside_and_off_the_threshold(n_vars, name, size):
    scores, graph = scored(n_vars)
    # At a curve's end, where its name stands.
    threshold = float(np.sort(scores[:, :, -1], axis=None)[-2])
    given = None if size is None else Figure(size).add_subplot()
    names = [name.format(i) for i in range(n_vars)]
    ax = score_curves(scores, graph=graph, threshold=threshold, names=names, ax=given)
    labels = parts(ax, "end-")
    readable(ax, [(text.get_text(), text.get_window_extent()) for text in labels.values()])
    for key, text in labels.items():
        ends = text.get_text().split(" → ")
        for i, shown in zip(key.split("-"), ends, strict=True):
            assert shown.endswith(i)
            assert shown.strip()[0] == name[0]
    dashed = lines(ax, "threshold")[""].get_window_extent()
    assert all(dashed.x1 < text.get_window_extent().x0 for text in labels.values())
    last = ax.transData.transform((scores.shape[2] - 1, 0))[0]
    assert dashed.x1 >= last


def test_the_threshold_lies_between_edges_and_others_where_scores_cut_them():
    scores, graph = scored(5)
    adjacency = np.array(graph.adjacency)
    scores = np.where(adjacency, 0.5 + scores, scores)
    scores[:, :, 0] = 0
    adjacency[:, :, 0] = False
    graph = LaggedGraph.from_mask(adjacency)
    middle = (scores[adjacency].min() + scores[~adjacency].max()) / 2
    drawn = lines(score_curves(scores, graph=graph), "threshold")
    np.testing.assert_allclose(drawn[""].get_ydata(), middle)
    assert "dashed" in score_curves(scores, graph=graph).get_xlabel()

    def none(scores=scores, **more):
        return not lines(score_curves(scores, **{"graph": graph} | more), "threshold")

    assert none(threshold=None)
    assert none(graph=None)
    assert none(np.where(adjacency, scores, 0.0))  # the others were not scored
    undefined = scores.copy()
    undefined[tuple(np.argwhere(adjacency)[0])] = np.nan
    assert none(undefined)
    mixed = scores.copy()
    mixed[tuple(np.argwhere(adjacency)[0])] = 0.01
    assert none(mixed)


def test_titles_say_what_is_drawn():
    scores, graph = scored(3)
    for draw, rest in ((score_curves, "by lag"), (score_heatmap, "by lag")):
        assert draw(scores).get_title() == f"Scores {rest}"
        said = draw(scores, graph=graph, label="absolute t-statistic").get_title()
        assert said == f"Absolute t-statistic {rest}"


def test_curves_begin_at_lag_0_where_it_holds_a_score():
    scores = np.zeros((2, 2, 3))
    scores[0, 1, 0] = scores[1, 0, 0] = 0.5
    curve = lines(score_curves(scores, most=1), "curve-")["0-1"]
    np.testing.assert_array_equal(curve.get_xdata(), [0, 1, 2])
    ax = Figure((6, 3)).add_subplot()
    assert score_curves(scores[:, :, :2], ax=ax, label="t-statistic") is ax
    assert ax.get_ylabel() == "t-statistic"
    with pytest.raises(InputError, match=r"must be \[vars, vars, max_lag\+1\]"):
        score_curves(scores[:, :, :1])
    with pytest.raises(InputError, match="graph.marks has shape"):
        score_curves(scores, graph=MIXED)


def test_scores_that_are_not_finite_leave_gaps():
    scores = np.zeros((2, 2, 4))
    scores[0, 1] = 0, 0.3, 0.5, np.nan
    scores[1, 0] = 0, np.inf, 0.4, 0.2
    scores[1, 1] = np.nan
    ax = score_curves(scores)
    assert set(parts(ax, "end-")) == {"0-0", "0-1", "1-0"}
    # A leader starts at the largest score, the curve's peak.
    assert lines(ax, "leader-")["0-1"].get_xdata()[0] == 2
    assert lines(ax, "leader-")["1-0"].get_xdata()[0] == 2
    readable(ax)


@pytest.mark.parametrize("n_vars", [3, 10, 50])
def test_the_most_stable_edges_stand_on_top(n_vars):
    shares, graph = scored(n_vars)
    shares = np.clip(shares, 0, 1)
    ax = edge_stability(shares, threshold=0.5, names=[f"sensor_{i}" for i in range(n_vars)])
    dots = next(c for c in ax.collections if c.get_gid() == "dots")
    values, rows = dots.get_offsets().T
    assert len(values) == min(30, (shares > 0).sum())
    np.testing.assert_array_equal(values, np.sort(shares, axis=None)[::-1][: len(values)])
    assert (np.diff(ax.transData.transform(np.column_stack([values, rows]))[:, 1]) < 0).all()
    whites = (dots.get_facecolors()[:, :3] == 1).all(axis=1)
    np.testing.assert_array_equal(whites, values < 0.5)
    labels = [tick.get_text() for tick in ax.get_yticklabels()]
    i, j, lag = np.unravel_index(shares.argmax(), shares.shape)
    assert labels[0] == f"sensor_{i} t−{lag} → sensor_{j}"
    left = (shares > 0).sum() - len(values)
    assert (f"{left:,} less stable edges are not shown" in ax.get_xlabel()) == (left > 0)
    boxes = text_boxes(ax)
    readable(ax, [*boxes, *((t.get_text(), t.get_window_extent()) for t in ax.get_yticklabels())])


def test_stability_of_edges_without_a_direction_or_without_any():
    shares = np.array([[0, 0.4, 0], [0.4, 0, 1.0], [0, 1.0, 0]])
    labels = [tick.get_text() for tick in edge_stability(shares).get_yticklabels()]
    assert labels == ["X1 – X2", "X0 – X1"]
    assert (
        "no edge was selected in any resample" in edge_stability(np.zeros((2, 2, 2))).get_xlabel()
    )
    with pytest.raises(InputError, match=r"outside \[0, 1\]; divide counts"):
        edge_stability(3 * shares)


def history(low=0.1):
    steps = np.arange(0, 1000, 100)
    return [(int(t), np.exp(-t / 150) + low, np.exp(-t / 150) + 1.2 * low) for t in steps]


def test_training_is_drawn_with_its_names_apart():
    ax = training_curve(history(), best_step=700, baseline=0.13)
    curves = lines(ax, "")
    np.testing.assert_array_equal(curves["loss"].get_ydata(), [row[1] for row in history()])
    np.testing.assert_array_equal(curves["held-out"].get_ydata(), [row[2] for row in history()])
    assert curves["best"].get_xdata() == 700
    assert (curves["baseline"].get_ydata() == 0.13).all()
    readable(ax)
    assert all(0 <= tick <= 900 for tick in ax.get_xticks())
    kept = training_curve(history()[1:], best_step=0, baseline=0.2, baseline_name="linear model")
    assert "best" not in lines(kept, "")
    assert "before training" in kept.get_xlabel()
    readable(kept)
    assert training_curve(history(5.0)).get_yscale() == "linear"
    assert training_curve(history(0.01)).get_yscale() == "log"
    for rows in ([(0, 1.0, 1.0)], [(0, 1.0, float("nan")), (1, float("nan"), float("nan"))]):
        assert training_curve(rows).has_data()
    with pytest.raises(InputError, match="at least one row"):
        training_curve([])


def test_names_are_moved_least():
    wished = np.array([0.0, 0.5, 10.0, 10.2, 0.2])
    moved = spread(wished, 1.0, 0.0, 20.0)
    assert np.diff(np.sort(moved)).min() >= 1 - 1e-12
    assert (np.argsort(moved) == np.argsort(wished, kind="stable")).all()
    assert moved.min() >= 0
    np.testing.assert_allclose(moved[[2, 3]], [9.6, 10.6])
    squeezed = spread(np.zeros(11), 5.0, 0.0, 10.0)
    np.testing.assert_allclose(np.sort(squeezed), np.arange(11))


def test_a_notebook_shows_every_picture_that_is_not_drawn_into_given_axes():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 3))
    x[1:, 1] += x[:-1, 0]
    found = jc.discover(x, 2, method="var")
    answer = found.respond({"X0": 1.0}, steps=3)
    pictures = [found.plot(kind) for kind in ("time", "summary", "scores", "curves", "responses")]
    panels = plot.plot_attention_panels(np.eye(2), np.eye(2), np.eye(2), ["a", "b"])
    for ax in (*pictures, answer.plot(), plot.causal_graph(jc.pc(x).graph), panels):
        assert ax._repr_png_().startswith(b"\x89PNG")


@pytest.mark.parametrize("n_vars", [3, 12, 13, 40])
def test_self_edges_are_drawn_where_there_is_room_and_counted_elsewhere(n_vars):
    mask = np.zeros((n_vars, n_vars, 3), bool)
    mask[range(n_vars), range(n_vars), 1] = True
    mask[range(n_vars), np.roll(range(n_vars), 1), 2] = True
    graph = LaggedGraph.from_mask(mask)
    for draw in (plot.time_series_graph, plot.summary_graph):
        for asked in (None, True, False):
            ax = draw(graph, self_edges=asked)
            shown = n_vars <= 12 if asked is None else asked
            assert len(parts(ax, "edge-")) == (2 if shown else 1) * n_vars
            assert (f"{n_vars} self-edges not shown" in ax.get_xlabel()) != shown
    own = LaggedGraph.from_mask(mask & np.eye(n_vars, dtype=bool)[:, :, None])
    assert len(parts(plot.summary_graph(own), "edge-")) == n_vars


def test_strong_is_dark_in_every_picture():
    scores = np.zeros((3, 3, 3))
    scores[0, 1, 1] = 1.0
    (image, _) = score_heatmap(scores).images
    lightness = image.cmap(np.linspace(0, 1, 32))[:, :3].mean(axis=1)
    assert (np.diff(lightness) < 0).all()
    graph = LaggedGraph.from_mask(scores > 0)
    bar = plot.time_series_graph(graph, strength=scores).figure.axes[-1]
    shades = bar._colorbar.cmap(np.linspace(0, 1, 32))[:, :3].mean(axis=1)
    assert shades[-1] < shades[0] - 0.2


@pytest.mark.parametrize("kind", ["heat", "time", "summary"])
def test_titles_are_centred_over_picture_and_colour_bar(kind):
    scores = np.zeros((4, 4, 3))
    scores[0, 1, 1] = scores[1, 2, 2] = 1.0
    graph = LaggedGraph.from_mask(scores > 0)
    ax = {
        "heat": lambda: score_heatmap(scores),
        "time": lambda: plot.time_series_graph(graph, strength=scores),
        "summary": lambda: plot.summary_graph(graph, strength=scores),
    }[kind]()
    ax.figure.canvas.draw()
    title = ax.title.get_window_extent()
    boxes = [part.get_window_extent() for part in ax.figure.axes]
    middle = (min(b.x0 for b in boxes) + max(b.x1 for b in boxes)) / 2
    assert abs((title.x0 + title.x1) / 2 - middle) < 0.04 * ax.figure.bbox.width


@pytest.mark.parametrize("seed", range(30))
def test_shortened_names_stay_apart(seed):
    rng = np.random.default_rng(seed)
    base = "".join(rng.choice(list("ab #12_"), rng.integers(20, 60)))
    names = []
    for _ in range(rng.integers(2, 12)):
        letters = list(base)
        for at in rng.integers(0, len(base), rng.integers(1, 4)):
            letters[at] = rng.choice(list("xyz0123456789"))
        names.append("".join(letters))
    cut = shortened_apart(names, 9.0)
    assert len(set(cut)) == len(set(names))


@pytest.mark.parametrize("n_vars", [2, 3, 4, 5])
@pytest.mark.parametrize("lags", [(1, 2, 5), (1, 3, 5), (1, 2, 3, 5, 7)])
def test_the_lags_of_loops_are_written_where_there_is_room(n_vars, lags):
    mask = np.zeros((n_vars, n_vars, 8), bool)
    for lag in lags:
        mask[range(n_vars), range(n_vars), lag] = True
    ax = plot.summary_graph(LaggedGraph.from_mask(mask), names=["lenggries"] * n_vars)
    assert "not shown" not in ax.get_xlabel()
    assert len(parts(ax, "lags-")) == n_vars
