"""Pictures of graphs over tokens, checked by their geometry."""

import itertools

import matplotlib.colors
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Polygon

from jaxcause._checks import InputError
from jaxcause.graph import Mark
from jaxcause.plot import plot_attention_panels, plot_token_arcs

WORDS = ["the", "film", "un", "##believ", "##ably", "quiet", "extraordinarily", "moving", ","]
SHAPES = {Mark.ARROW: Polygon, Mark.CIRCLE: Circle, Mark.TAIL: type(None)}


def sentence(n):
    return ["[CLS]", *(WORDS[i % len(WORDS)] for i in range(n - 1))][:n]


def random_marks(n, n_edges, seed=0):
    rng = np.random.default_rng(seed)
    pairs = [(i, j) for i in range(n) for j in range(i)]
    marks = np.zeros((n, n), int)
    for at in rng.permutation(len(pairs))[:n_edges]:
        i, j = pairs[at]
        marks[i, j], marks[j, i] = rng.integers(1, 4, 2)
    return marks


def random_weights(n, seed=0):
    weights = np.random.default_rng(seed).uniform(-1, 1, (n, n))
    return np.triu(weights) + np.triu(weights, 1).T


def parts(ax, prefix):
    return {
        artist.get_gid().removeprefix(prefix): artist
        for artist in [*ax.patches, *ax.texts]
        if (artist.get_gid() or "").startswith(prefix)
    }


def drawn(figure):
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return canvas.get_renderer()


def corners(text, renderer):
    """The four corners of a text, turned as it is."""
    turn, center = text.get_rotation(), text.get_transform().transform(text.get_position())
    text.set_rotation(0)
    box = text.get_window_extent(renderer)
    text.set_rotation(turn)
    flat = np.array([(box.x0, box.y0), (box.x1, box.y0), (box.x1, box.y1), (box.x0, box.y1)])
    angle = np.radians(turn)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return (flat - center) @ rotation.T + center


def overlap(one, other):
    """Whether two convex shapes meet: no edge of either has them on its two sides."""
    for shape in (one, other):
        for a, b in zip(shape, np.roll(shape, -1, axis=0), strict=True):
            normal = np.array([b[1] - a[1], a[0] - b[0]])
            if (one @ normal).max() <= (other @ normal).min() + 1e-6:
                return False
            if (other @ normal).max() <= (one @ normal).min() + 1e-6:
                return False
    return True


CASES = [(1, 0), (2, 1), (3, 3), (14, 30), (25, 60), (50, 184)]


@pytest.mark.parametrize(("n", "n_edges"), CASES)
def test_labels_do_not_overlap_and_stay_in_the_picture(n, n_edges):
    ax = plot_token_arcs(
        sentence(n), random_marks(n, n_edges), random_weights(n), highlight=[n - 1], target=0
    )
    renderer, frame = drawn(ax.figure), ax.figure.bbox
    labels = parts(ax, "token-")
    assert len(labels) == n
    shapes = [corners(text, renderer) for text in labels.values()]
    for one, other in itertools.combinations(shapes, 2):
        assert not overlap(one, other)
    others = [text.get_window_extent(renderer) for text in (ax.title, ax.xaxis.label)]
    for text in labels.values():
        box = text.get_window_extent(renderer)
        assert not any(box.overlaps(other) for other in others)
    for box in [*others, *(text.get_window_extent(renderer) for text in labels.values())]:
        assert box.x0 >= frame.x0
        assert box.x1 <= frame.x1
        assert box.y0 >= frame.y0
        assert box.y1 <= frame.y1


@pytest.mark.parametrize(("n", "n_edges"), CASES)
def test_each_end_has_its_mark_at_its_token(n, n_edges):
    tokens, marks = sentence(n), random_marks(n, n_edges)
    ax = plot_token_arcs(tokens, marks)
    edges, heads, tails = (parts(ax, f"{name}-") for name in ("edge", "target-mark", "source-mark"))
    upper = np.argwhere(np.triu(marks)).tolist()
    assert set(edges) == {f"{i}-{j}-0" for i, j in upper}
    at = np.array([text.get_position()[0] for text in parts(ax, "token-").values()])
    ends = [[] for _ in tokens]
    for i, j in upper:
        key = f"{i}-{j}-0"
        assert type(heads.get(key)) is SHAPES[marks[i, j]]
        assert type(tails.get(key)) is SHAPES[marks[j, i]]
        points = edges[key].get_path().vertices
        ends[i].append(points[0, 0])
        ends[j].append(points[-1, 0])
        assert points[:, 1].min() >= 0
    met = [node for node in range(n) if ends[node]]
    assert all(abs(np.mean(ends[node]) - at[node]) < 0.5 for node in met)
    for node, following in itertools.pairwise(met):
        assert max(ends[node]) < min(ends[following])


def test_arrowheads_point_down_at_the_line():
    ax = plot_token_arcs(sentence(14), random_marks(14, 30))
    pointed = [
        patch
        for name in ("target-mark-", "source-mark-")
        for patch in parts(ax, name).values()
        if isinstance(patch, Polygon)
    ]
    assert len(pointed) > 10
    for head in pointed:
        tip, left, right = head.get_xy()[:3]
        base = (left + right) / 2
        assert tip[1] == pytest.approx(0, abs=1e-9)
        assert base[1] > abs(base[0] - tip[0]) * 3


def test_nested_arcs_do_not_cross():
    marks = np.zeros((6, 6), int)
    for i, j in [(0, 5), (1, 4), (2, 3), (0, 3), (0, 1), (2, 5)]:
        marks[i, j] = marks[j, i] = 1
    edges = parts(plot_token_arcs(sentence(6), marks), "edge-")
    for outer, inner in [("0-5", "1-4"), ("1-4", "2-3"), ("0-5", "0-3"), ("0-3", "0-1"),
                         ("0-5", "2-5"), ("2-5", "2-3")]:  # fmt: skip
        far, near = (edges[f"{key}-0"].get_path().vertices for key in (outer, inner))
        assert far[0, 0] < near[0, 0]
        assert near[-1, 0] < far[-1, 0]
        above = np.interp(near[:, 0], far[:, 0], far[:, 1])
        assert (above[5:-5] > near[5:-5, 1]).all()


def test_colour_is_the_sign_and_width_the_size():
    marks = np.zeros((4, 4), int)
    weights = np.zeros((4, 4))
    for (i, j), w in {(0, 1): 0.9, (1, 2): -0.9, (2, 3): 0.1, (0, 3): np.nan}.items():
        marks[i, j] = marks[j, i] = 2
        weights[i, j] = weights[j, i] = w
    edges = parts(plot_token_arcs(sentence(4), marks, weights), "edge-")
    blue, orange, weak, grey = (
        matplotlib.colors.to_rgb(edges[f"{key}-0"].get_edgecolor())
        for key in ("0-1", "1-2", "2-3", "0-3")
    )
    assert blue == weak
    assert blue[2] > blue[0]
    assert orange[0] > orange[2]
    assert max(grey) - min(grey) < 0.1
    widths = {key: patch.get_linewidth() for key, patch in edges.items()}
    assert widths["0-1-0"] == widths["1-2-0"] > 2 * widths["2-3-0"]


def test_marked_tokens_are_boxed_and_special_ones_muted():
    ax = plot_token_arcs(sentence(5), np.zeros((5, 5), int), highlight=[2, 3], target=0)
    labels = parts(ax, "token-")
    boxed = {key for key, text in labels.items() if text.get_bbox_patch() is not None}
    assert boxed == {"0", "2", "3"}
    face = {key: labels[key].get_bbox_patch().get_facecolor() for key in boxed}
    assert face["2"] == face["3"] != face["0"]
    assert labels["0"].get_color() != labels["1"].get_color()
    assert "no edge" in ax.get_title()


def test_own_axes_are_drawn_into_and_dense_ones_name_the_marked_tokens():
    figure = Figure((3, 2.5))
    ax = figure.add_subplot()
    got = plot_token_arcs(sentence(50), random_marks(50, 80), highlight=[23], target=0, ax=ax)
    assert got is ax
    labels = parts(ax, "token-")
    assert {"0", "23"} <= set(labels)
    assert 5 < len(labels) < 50
    renderer = drawn(figure)
    shapes = [corners(text, renderer) for text in labels.values()]
    assert not any(overlap(a, b) for a, b in itertools.combinations(shapes, 2))


def test_letters_that_the_font_lacks_are_boxes_and_mathematics_stays_text():
    tokens = ["👩", "$x^$", " ", "\n", "שלום", "w" * 40]
    ax = plot_token_arcs(tokens, random_marks(6, 5))
    drawn(ax.figure)  # a warning of a missing letter would fail here
    texts = [text.get_text() for text in ax.texts]
    assert texts[:4] == ["□", "$x^$", "␣", "□"]
    assert texts[5] == "w" * 23 + "…"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"marks": np.zeros((2, 2), int)}, "marks has shape"),
        ({"weights": np.zeros((2, 2))}, "weights has shape"),
        ({"marks": np.array([[0, 1, 0], [0, 0, 0], [0, 0, 0]])}, "a mark at one end only"),
        ({"highlight": [3]}, "node 3 is not a token; the tokens are 0 to 2"),
        ({"target": -1}, "node -1 is not a token"),
        ({"tokens": [], "marks": np.zeros((0, 0), int)}, "tokens is empty"),
    ],
)
def test_what_does_not_fit_raises(untyped, change, message):
    given = {"tokens": ["a", "b", "c"], "marks": np.zeros((3, 3), int)} | change
    with pytest.raises(InputError, match=message):
        plot_token_arcs(**given)


def matrices(n):
    rng = np.random.default_rng(0)
    corr = random_weights(n)
    return rng.dirichlet(np.ones(n), n), corr, -corr


@pytest.mark.parametrize("n", [1, 3, 14, 50])
def test_panels_show_the_matrices_with_labels_that_can_be_read(n):
    given = matrices(n)
    axes = plot_attention_panels(*given, sentence(n))
    figure = axes[0].figure
    renderer = drawn(figure)
    for ax, matrix in zip(axes, given, strict=True):
        np.testing.assert_array_equal(ax.images[0].get_array(), matrix)
        for labels in (ax.get_xticklabels(), ax.get_yticklabels()):
            boxes = [label.get_window_extent(renderer) for label in labels]
            assert boxes
            for a, b in itertools.combinations(boxes, 2):
                assert not a.padded(-0.2).overlaps(b.padded(-0.2))
    boxes = [ax.get_tightbbox(renderer) for ax in axes]
    for box in boxes:
        assert figure.bbox.x0 <= box.x0
        assert figure.bbox.y0 <= box.y0
        assert box.x1 <= figure.bbox.x1
        assert box.y1 <= figure.bbox.y1
    assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))


def test_scales_of_the_panels_and_undefined_cells():
    attention, corr, partial = matrices(4)
    partial[0, 1] = np.nan
    axes = plot_attention_panels(attention, corr, partial, sentence(4))
    limits = [ax.images[0].get_clim() for ax in axes]
    assert limits == [(0, attention.max()), (-1, 1), (-1, 1)]
    image = axes[2].images[0]
    colors = image.to_rgba(image.get_array())
    assert colors[0, 1, :3] == pytest.approx(matplotlib.colors.to_rgb("#B9BDC4"))
    signed = axes[1].images[0]
    assert signed.to_rgba(1.0)[2] > signed.to_rgba(1.0)[0]
    assert signed.to_rgba(-1.0)[0] > signed.to_rgba(-1.0)[2]


def test_panels_in_own_axes_and_bad_input(untyped):
    given = matrices(3)
    own = list(Figure((9, 4)).subplots(1, 3))
    assert plot_attention_panels(*given, sentence(3), own) == own
    with pytest.raises(InputError, match="axes has 2 entries; give three"):
        plot_attention_panels(*given, sentence(3), own[:2])
    with pytest.raises(InputError, match="attention has shape"):
        plot_attention_panels(*given, sentence(2))
