"""The page of a discovery: as text, and as Chromium shows it."""

import csv
import io
import json
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from test_report import data_of, parsed

from jaxcause._checks import InputError
from jaxcause.io import read_graph
from jaxcause.report import discovery_page, notebook_frame

NASTY = ("</script><script>throw 1</script>", "<b>bold</b>", "{{css}}", "שלום a\u202eb", "wind")
# Source, target, lag, marks; every way of marking.
EDGES = [
    (0, 1, 2, "-->"), (0, 1, 1, "-->"), (1, 1, 1, "-->"), (2, 1, 1, "o->"), (3, 0, 2, "<->"),
    (2, 3, 0, "o-o"), (0, 2, 0, "-->"), (4, 3, 1, "---"),
]  # fmt: skip


def document(names=NASTY, edges=EDGES, max_lag=2, seed=0, **more):
    rng = np.random.default_rng(seed)
    strength = rng.random((len(names), len(names), max_lag + 1))
    listed = [
        {"source": names[i], "target": names[j], "lag": lag, "edge": marks,
         "strength": float(strength[i, j, lag]), "score": float(strength[i, j, lag] ** 2)}
        for i, j, lag, marks in edges
    ]  # fmt: skip
    info = {"method": "gradient", "title": "input gradients of a Transformer", "q": 0.1,
            "strength": "root energy: per deviation",
            "n_windows": 512, "held_out_error": 0.5, "model": {"width": 24},
            "transform_errors": {"log": 0.4}, "notes": ["Almost </script> nothing."]}  # fmt: skip
    return {
        "schema": "jaxcause.discovery/1", "variables": list(names), "max_lag": max_lag,
        "edges": listed, "strength": strength.tolist(), "info": info,
        "provenance": {"jaxcause": "0.1.0", "key": "jax.random.key(7)", "fingerprint": "ab12"},
    } | more  # fmt: skip


def crowd(n_vars, n_edges):
    rng = np.random.default_rng(1)
    cells = rng.permutation(n_vars * n_vars * 3)[:n_edges]
    edges = [(c // (3 * n_vars), c // 3 % n_vars, 1 + c % 3, "-->") for c in cells.tolist()]
    return document([f"sensor_{i}" for i in range(n_vars)], edges, 3)


def test_page_nests_and_tells_origin_limits_and_notes():
    page = discovery_page(document())
    found = parsed(page)
    assert len(found.ids) == len(set(found.ids))
    assert set(found.labels) <= set(found.ids)
    assert found.urls == ["data:,"]
    for words in ("8 edges among 5 variables", "input gradients of a Transformer", "512 windows",
                  "jax.random.key(7)", "ab12", "transform errors: log", "Almost </script> nothing.",
                  "About 10 % of the edges may be false", "any mark other than -->",
                  "Contemporaneous effects"):  # fmt: skip
        assert words in found.text, words


@pytest.mark.parametrize(
    ("info", "words", "absent"),
    [
        ({"method": "var", "q": 0.05}, "autoregression that differ", "Do not believe"),
        ({"method": "pc", "alpha": 0.01}, "Each test errs in about 1 %", "false-discovery"),
        ({"method": "pc"}, "handles such series better", "Effects are linear"),
        ({"method": "lasso"}, "No test stands behind an edge", "partial correlation"),
        ({"method": "lasso", "held_out_error": 0.4}, "a penalty", "Each test"),
        ({"method": "pcmci", "q": 0.1, "alpha": 0.2}, "given those of both ends", "Each test"),
        ({"method": "pcmci+"}, "given the past of both ends", "trained Transformer"),
        ({"method": "gradient"}, "forecasts of a trained Transformer depend", "Only linear"),
        ({"method": "gradient", "selection": "t-tests"}, "strengths come from", "depend on that"),
        ({"method": "gradient", "refined": {"alpha": 0.1}}, "searched again with", "Each test"),
        ({"method": "else"}, "This page does not know how", "Only linear"),
        ({"method": "gradient", "held_out_error": 0.99}, "Do not believe this graph", "t-test"),
        ({"method": "gradient", "held_out_error": 0.5, "held_out_error_linear": 0.4},
         "a linear model forecasts better than the Transformer (0.4 against 0.5)", "Do not"),
        ({"method": "gradient", "selection": "t-tests"}, "its t-tests chose the edges", "bulk"),
        ({}, "Every common cause of two variables is among the columns", "allowed for"),
    ],
)  # fmt: skip
def test_what_is_assumed_depends_on_method_marks_and_errors(info, words, absent):
    text = parsed(discovery_page(document(edges=EDGES[:3], info=info))).text
    assert words in text
    assert absent not in text
    assert "No effect takes longer than lag 2" in text


LAGGED, AT_LAG_0 = "Causes act from one time step to later ones.", "Contemporaneous effects (lag 0"
COMPLETE, HIDDEN = "Every common cause of two variables is", "Hidden common causes are allowed for"


@pytest.mark.parametrize(
    ("info", "edges", "words"),
    [
        # What was asked for holds, whatever was found.
        ({"contemporaneous": True, "latents": False}, EDGES[:3], (AT_LAG_0, COMPLETE)),
        ({"contemporaneous": False, "latents": True}, EDGES[:3], (LAGGED, HIDDEN)),
        ({"contemporaneous": True, "latents": True}, EDGES[:3], (AT_LAG_0, HIDDEN)),
        ({"contemporaneous": False, "latents": False}, EDGES[:3], (LAGGED, COMPLETE)),
        ({"contemporaneous": False, "latents": True}, [(0, 1, 0, "<->")],
         ("can only be <->", HIDDEN)),
        # Older files: settings of the refinement, or else the marks.
        ({"refined": {"contemporaneous": True, "latents": True}}, EDGES[:3], (AT_LAG_0, HIDDEN)),
        ({}, EDGES, (AT_LAG_0, HIDDEN)),
        ({}, EDGES[:3], (LAGGED, COMPLETE)),
        ({"method": "pc"}, [(0, 1, 0, "---")], (AT_LAG_0, COMPLETE)),
    ],
)  # fmt: skip
def test_what_may_be_hidden_or_fast_is_what_was_allowed_for(info, edges, words):
    text = parsed(discovery_page(document(edges=edges, info=info))).text
    others = {LAGGED, AT_LAG_0, COMPLETE, HIDDEN} - set(words)
    if "can only be <->" in words:
        others = {AT_LAG_0, COMPLETE}
    assert all(word in text for word in words)
    assert not any(word in text for word in others)


def test_the_page_says_what_strengths_are_at_lag_0():
    said = {"strength": "root energy", "strength_at_lag_0": "absolute <partial> correlation"}
    assert "Strength and score at lag 0: absolute <partial> correlation." in parsed(
        discovery_page(document(info=said))
    ).text  # fmt: skip
    assert "Strength and score at lag 0" not in discovery_page(document())


def test_the_page_says_which_edges_act_on_the_variance(visit):
    content = document(edges=EDGES[:3])
    assert "On variance:" not in parsed(discovery_page(content)).text
    for edge, share in zip(content["edges"], (0.97, None, 0.4), strict=True):
        edge["on_variance"] = share
    assert "On variance: the share of the score" in parsed(discovery_page(content)).text
    page = visit(discovery_page(content), width=1280)
    heads = "[...document.querySelectorAll('th')].filter(t => !t.hidden).map(t => t.innerText)"
    assert any("On variance" in head for head in page.js(heads))
    cells = page.js("[...document.querySelectorAll('#rows tr')].map(r => r.innerText)")
    assert sum("97 %" in cell for cell in cells) == sum("40 %" in cell for cell in cells) == 1
    assert not page.js("document.querySelector('.legend .spread').hidden")
    # One arrow of two lags, of which one acts on the mean, is not dotted; its two lags are apart.
    assert page.js("document.querySelectorAll('.edge.spread').length") == 0
    page.click("[data-layout=time]")
    assert page.js("document.querySelectorAll('.edge.spread').length") == 1


def test_long_settings_are_counted_instead_of_shown():
    info = {"member_scores": np.zeros((3, 5, 5, 2)).tolist(), "n_tests": [9, 4], "ragged":
            [[1] * 60, [2] * 70], "outcome": {"path": list(range(99))}}  # fmt: skip
    text = parsed(discovery_page(document(info=info))).text
    for words in ("3 × 5 × 5 × 2 values", "[9, 4]", "2 values", "99 values"):
        assert words in text


def test_size_is_bounded_and_the_weakest_edges_are_left_out():
    content = crowd(60, 6000)
    page = discovery_page(content)
    assert len(page.encode()) < 3 * 2**20
    data = data_of(page)
    assert data["n"] == 6000
    sizes = sorted(edge["strength"] for edge in content["edges"])
    assert len(data["e"]) == 14 * 4000
    assert min(data["e"][5::14]) == pytest.approx(sizes[2000], rel=1e-3)
    large = crowd(600, 10)
    assert data_of(discovery_page(large))["maps"] is None


def test_undefined_numbers_become_null():
    content = document()
    content["edges"][0]["strength"] = float("nan")
    del content["edges"][1]["score"]
    content["strength"][0][1][2] = None
    data = data_of(discovery_page(content))
    json.dumps(data, allow_nan=False)
    assert data["e"][5::14].count(None) == 1
    assert data["e"][6::14].count(None) == 1
    bare = {key: content[key] for key in ("schema", "variables", "max_lag")} | {"edges": []}
    assert "No edge among 5 variables" in parsed(discovery_page(bare)).text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": "x/2"}, "discovery has schema 'x/2', but this page shows"),
        ({"variables": []}, "must name its variables"),
        ({"variables": ["a", "a"]}, "must name its variables"),
        ({"max_lag": 1}, "edge at lag 2, beyond its max_lag"),
        ({"strength": [[1.0]]}, r"strength of the discovery has shape \(1, 1\)"),
        ({"edges": [{"source": "x", "target": "wind", "lag": 1, "edge": "-->"}]}, "edge of 'x'"),
        (
            {"edges": [{"source": "wind", "target": "wind", "lag": 1, "edge": "?"}]},
            r"edge '\?'; write",
        ),
    ],
)
def test_content_that_does_not_fit_raises(change, message):
    with pytest.raises(InputError, match=message):
        discovery_page(document() | change)


EDGE = "[...document.querySelectorAll('#arcs .edge')]"
ROWS = "[...document.querySelectorAll('#rows tr')].map(r => [...r.cells].map(c => c.textContent))"
ENDS = (
    (
        f"Object.fromEntries({EDGE}.map(e => [e.dataset.edges, ['from', 'to'].map(end => {{"
        "const m = e.querySelector(`[data-end=${end}]`); return m ? m.tagName : null; }})]))"
    )
    .replace("{{", "{")
    .replace("}}", "}")
)


def slide(page, selector, value):
    page.js(
        f"(() => {{ const t = document.querySelector('{selector}'); t.value = {json.dumps(value)};"
        "t.dispatchEvent(new Event('input')); })()"
    )


def calm(page):
    assert page.log == []
    assert len(page.requests) == 1
    width = page.js("innerWidth")
    assert page.js("document.documentElement.scrollWidth") == width


@pytest.mark.parametrize("width", [1280, 380])
def test_graph_slider_table_and_map(visit, width):
    content = document()
    page = visit(discovery_page(content), width=width, dark=width == 380)
    calm(page)
    by_size = sorted(content["edges"], key=lambda e: -e["strength"])
    cross_first = sorted(by_size, key=lambda e: e["source"] == e["target"])
    lags = {(e["source"], e["target"]): [] for e in by_size}
    for edge in by_size:
        lags[edge["source"], edge["target"]].append(edge["lag"])

    # One arrow per pair on the ring, with its lags; one per edge in time.
    assert page.js(f"{EDGE}.length") == len(lags) == 7
    tags = page.js("[...document.querySelectorAll('.tag text')].map(t => t.textContent)")
    assert "1, 2" in tags
    page.click("[data-layout=time]")
    kinds = {"<": "polygon", ">": "polygon", "o": "circle", "-": None}
    drawn = page.js(ENDS)
    assert drawn == {
        str(k): [kinds[e["edge"][0]], kinds[e["edge"][2]]] for k, e in enumerate(by_size)
    }
    for k, edge in enumerate(by_size):
        marks = page.js(
            f"[...document.querySelector('#arcs .edge[data-edges=\"{k}\"]')"
            ".querySelectorAll('[data-end]')].map(m => (b => [m.dataset.end, b.x + b.width / 2,"
            "b.y + b.height / 2])(m.getBoundingClientRect()))"
        )
        for end, x, y in marks:
            name = edge["source"] if end == "from" else edge["target"]
            back = edge["lag"] if end == "from" else 0
            at = page.js(
                "(b => [b.x + b.width / 2, b.y + b.height / 2])([...document.querySelectorAll("
                f"'[data-token=\"{NASTY.index(name)}\"] .dot')][{back}].getBoundingClientRect())"
            )
            assert np.hypot(x - at[0], y - at[1]) < 20

    # The slider hides weak edges, from graph and table.
    largest = by_size[0]["strength"]
    slide(page, "#threshold", "120")
    strong = [e for e in by_size if e["strength"] >= 0.6 * largest * (1 - 1e-3)]
    assert 0 < len(strong) < 8
    assert page.js(f"{EDGE}.length") == len(strong) == len(page.js(ROWS))
    assert page.js("document.getElementById('shown').textContent").startswith(f"{len(strong)} of 8")
    slide(page, "#threshold", "0")

    # The table sorts, filters by words and lags, and its rows light up their edge.
    assert [row[0] for row in page.js(ROWS)] == [
        e["source"].replace("\u202e", "⟨U+202E⟩") for e in cross_first
    ]
    page.click("th[data-sort=lag] button")
    lags = [row[1] for row in page.js(ROWS) if row[0] != row[3]]
    assert lags == sorted(str(e["lag"]) for e in by_size if e["source"] != e["target"])
    page.click("th[data-sort=lag] button")
    assert page.js("document.querySelector('th[data-sort=lag]').ariaSort") == "descending"
    slide(page, "#filter", "BOLD t-1")
    assert len(page.js(ROWS)) == sum(
        e["lag"] == 1 and "<b>bold</b>" in (e["source"], e["target"]) for e in by_size
    )
    slide(page, "#filter", "nothing like it")
    assert page.js(ROWS) == [["No edge matches the filter."]]
    slide(page, "#filter", "")
    page.js("document.querySelector('#rows tr').dispatchEvent(new Event('pointerenter'))")
    assert page.js("document.querySelectorAll('#arcs .edge.on').length") == 1

    # The map reads out the strengths.
    page.js("document.querySelector('#map canvas').focus()")
    said = page.js("document.querySelector('#map output').textContent")
    value = float(said.split(": ")[-1])
    assert value == pytest.approx(content["strength"][0][0][1], abs=1e-2)
    calm(page)
    assert page.js("document.querySelectorAll('#arcs b, #rows b, h1 b').length") == 0


def test_an_edge_in_conflict_is_told_from_a_hidden_cause(visit):
    edges = [(0, 1, 0, "x-x"), (0, 2, 0, "<->"), (1, 2, 1, "-->")]
    page = visit(discovery_page(document(edges=edges)))
    assert page.log == []
    assert page.js("document.querySelectorAll('.edge.conflict').length") == 1
    assert page.js("document.querySelectorAll('.edge.conflict .cross').length") == 2
    assert page.js("document.querySelectorAll('.edge.latent .arrow').length") == 2
    shown = "[...document.querySelectorAll('.legend span:not([hidden])')].map(s => s.textContent)"
    assert "orientation in conflict" in page.js(shown)
    rows = page.js("[...document.querySelectorAll('#rows tr')].map(row => row.textContent)")
    [row] = [row for row in rows if "x-x" in row]
    assert "its direction is in conflict" in row
    assert "hidden" not in row


def test_everything_can_be_reached_by_keys(visit):
    page = visit(discovery_page(document()))
    seen = []
    for _ in range(30):
        page.key("Tab", 9)
        seen.append(
            page.js("(e => e.id || e.dataset.layout || (e.closest('th') || {}).textContent ||"
                    "(e.dataset.token ? 'token' : e.dataset.edge ? 'edge' : e.tagName))"
                    "(document.activeElement)")
        )  # fmt: skip
    for stop in (
        "threshold",
        "ring",
        "time",
        "token",
        "edge",
        "detail",
        "filter",
        "Strength",
        "lag",
    ):
        assert stop in seen, stop
    detail = "document.getElementById('detail').textContent"
    page.js("document.querySelector('#arcs .edge[tabindex=\"0\"]').focus()")
    first = page.js(detail)
    assert "Strength" in first
    page.key("ArrowRight", 39)
    assert page.js(detail) != first
    page.js("document.querySelector('#arcs .token[tabindex=\"0\"]').focus()")
    page.key("Enter", 13, "\r")
    assert page.js("document.querySelectorAll('.token.pinned').length") == 1
    assert page.js("document.activeElement.ariaPressed") == "true"
    page.key("Escape", 27)
    assert page.js("document.querySelectorAll('.token.pinned').length") == 0
    calm(page)


@pytest.mark.parametrize("latents", [True, False])
def test_two_tails_mean_selection_only_where_hidden_causes_are_possible(visit, latents):
    info = {"method": "pcmci+", "latents": latents}
    page = visit(discovery_page(document("abcde", [(0, 1, 0, "<->"), (1, 2, 0, "---")], info=info)))
    rows = {row[2]: row[-1] for row in page.js(ROWS)}
    assert "A hidden cause drives" in rows["<->"]
    assert ("selection" in rows["---"]) == latents
    assert page.js("document.querySelector('.legend .latent').textContent") == "hidden common cause"
    calm(page)


@pytest.mark.parametrize("width", [1280, 380])
def test_fifty_variables_are_named_apart(visit, width):
    page = visit(discovery_page(crowd(50, 150)), width=width)
    calm(page)
    page.click("[data-layout=time]")
    spans = page.js(
        "[...document.querySelectorAll('.token .name')].map(t => (b => [b.top, b.bottom])"
        "(t.getBoundingClientRect()))"
    )
    assert len(spans) == 50
    assert all(a[1] <= b[0] + 4 for a, b in zip(spans, spans[1:], strict=False))
    page.click("[data-layout=ring]")
    assert page.js("document.querySelectorAll('#arcs .token').length") == 50
    inside = page.js(
        "(() => { const box = document.getElementById('arcs').getBoundingClientRect();"
        "return [...document.querySelectorAll('.token .name')].every(t => (b =>"
        "b.left >= box.left - 1 && b.right <= box.right + 1)(t.getBoundingClientRect())); })()"
    )
    assert inside
    calm(page)


NAMED = "[...document.querySelectorAll('.token .name')].map(t => t.textContent)"
NAME_BOXES = (
    "(() => { const box = document.getElementById('arcs').getBoundingClientRect();"
    "return [...document.querySelectorAll('.token .name')].map(t => (b =>"
    "[b.left - box.left, b.top, b.right - box.right, b.bottom])(t.getBoundingClientRect())); })()"
)


@pytest.mark.parametrize(
    ("names", "width"),
    [
        ([f"Pegelstand Messstelle {k}" for k in range(1, 11)], 1280),
        (["Größe, m³/s", "Regen, mm", "T, °C"], 380),
        (["T, °C", "Größe, m³/s", "Regen, mm"], 380),
        (["Größe, m³/s", "Niederschlag, mm"], 380),
    ],
)
def test_names_are_whole_where_there_is_room(visit, names, width):
    n = len(names)
    edges = [(i, j, 1, "-->") for i in range(n) for j in (i, (i + 1) % n)]
    page = visit(discovery_page(document(names, edges)), width=width)
    page.click("[data-layout=ring]")
    assert page.js(NAMED) == names
    boxes = page.js(NAME_BOXES)
    assert all(left >= 0 and right <= 0 for left, _, right, _ in boxes)


@pytest.mark.parametrize(("n", "width"), [(6, 380), (10, 380), (14, 1280), (18, 900), (20, 1280)])
def test_names_that_must_be_cut_stay_apart(visit, n, width):
    names = [f"Pegelstand Messstelle flussabwärts der Brücke Nord {k}" for k in range(1, n + 1)]
    edges = [(i, (i + 1) % n, 1, "-->") for i in range(n)]
    page = visit(discovery_page(document(names, edges)), width=width)
    for layout in ("ring", "time"):
        page.click(f"[data-layout={layout}]")
        shown = page.js(NAMED)
        assert [text.split("…")[-1].split()[-1] for text in shown] == [str(k + 1) for k in range(n)]
        assert all(text[0] == "P" for text in shown)
    page.click("[data-layout=ring]")
    boxes = page.js(NAME_BOXES)
    assert all(left >= -1 and right <= 1 for left, _, right, _ in boxes)
    lefts, rights = [b[0] for b in boxes], [b[2] + width for b in boxes]
    shift = page.js("document.getElementById('arcs').getBoundingClientRect().width") - width
    for i in range(n):
        for j in range(i):
            across = lefts[i] < rights[j] + shift and lefts[j] < rights[i] + shift
            assert not (across and boxes[i][1] + 3 < boxes[j][3] and boxes[j][1] + 3 < boxes[i][3])


def test_a_notebook_shows_the_page_in_a_frame(visit):
    frame = notebook_frame(discovery_page(document()), "8 edges <here>")
    page = visit(f"<!doctype html><html><head><link rel=icon href=data:,></head>{frame}</html>")
    assert page.log == []
    assert page.js("document.querySelector('p').textContent") == "8 edges <here>"
    assert len(re.findall("<script", frame)) == 0


def linked(n, seed=0, names=None):
    """A ring of variables with self-edges, effects of either sign, and intervals."""
    rng = np.random.default_rng(seed)
    names = names or [f"Valve #{k} conductivity µS/cm" for k in range(n)]
    edges = [(i, i, 1, "-->") for i in range(n)] + [(i, (i + 1) % n, 2, "-->") for i in range(n)]
    content = document(names, edges, 2)
    for k, edge in enumerate(content["edges"]):
        effect = float(rng.choice([-1, 1]) * rng.uniform(0.5, 90)) if k else 0.1
        low = effect - (0.2 if k else 5.0)
        edge |= {"effect": effect, "low": low, "high": effect + 0.2, "share": 0.1,
                 "p_value": 1e-5, "q_value": 2e-4}  # fmt: skip
    return content


@pytest.mark.parametrize("width", [1280, 380])
@pytest.mark.parametrize("n", [3, 12, 40])
def test_arrows_have_the_colour_of_their_sign_in_every_arrangement(visit, n, width):
    content = linked(n)
    page = visit(discovery_page(content), width=width, dark=width == 380)
    order = sorted(content["edges"], key=lambda e: -e["strength"])
    crowded = n > 12
    cross = [e for e in order if e["source"] != e["target"]]
    assert len(page.js(ROWS)) == (len(cross) if crowded else len(order))
    assert ("not shown" in page.js("document.getElementById('hidden').textContent")) == crowded
    if crowded:
        page.click("#loops")
    assert len(page.js(ROWS)) == len(order)
    for layout in ("ring", "time", "matrix"):
        page.click(f"[data-layout={layout}]")
        drawn = page.js(f"{EDGE}.map(e => [+e.dataset.edge, [...e.classList].pop()])")
        assert len(drawn) == len(order)
        for index, sign in drawn:
            edge = order[index]
            wanted = "pos" if edge["low"] > 0 else "neg" if edge["high"] < 0 else "unclear"
            assert sign == wanted, edge
        calm(page)
    shown = page.js("[...document.querySelectorAll('.legend span')].filter(s =>"
                    "getComputedStyle(s).display != 'none').map(s => s.textContent)")  # fmt: skip
    assert {"cause raises effect", "cause lowers effect"} <= set(shown)
    page.click("#loops")
    assert len(page.js(ROWS)) == page.js(f"{EDGE}.length") == len(cross)


@pytest.mark.parametrize(("n", "width"), [(3, 1280), (12, 1280), (40, 1280), (12, 380), (40, 380)])
@pytest.mark.parametrize("layout", ["ring", "time", "matrix"])
def test_the_detail_is_in_view_beside_what_it_is_about(visit, n, width, layout):
    page = visit(discovery_page(linked(n)), width=width, height=800)
    page.click(f"[data-layout={layout}]")
    for token in sorted({0, n // 2, n - 1}):
        mark = f"#arcs .token[data-token='{token}'] text"
        page.js(f"document.querySelector(`{mark}`).scrollIntoView({{block: 'center'}})")
        n_told, said, (top, bottom, left, right) = page.js(
            f"(() => {{ document.querySelector(`#arcs .token[data-token='{token}']`)"
            ".dispatchEvent(new Event('pointerenter'));"
            "const d = document.getElementById('detail'); const b = d.getBoundingClientRect();"
            "return [d.querySelectorAll('li').length,"
            "d.textContent, [b.top, b.bottom, b.left, b.right]] })()"
        )
        assert n_told >= 1
        assert f"Valve #{token} " in said
        assert top >= -1
        assert bottom <= 801
        assert 0 <= left < right <= width


ALIKE = [
    [f"Valve #{k} conductivity µS/cm" for k in range(1, 41)],
    [f"Pegelstand der Messstelle {k} flussabwärts der Brücke Nord" for k in range(1, 31)],
    ["a" * 60 + end for end in "bcdefghij"] + ["short"],
    [f"sensor in the {where} wing of the old building, temperature"
     for where in ("north", "south", "east", "west", "north-east")],
]  # fmt: skip


@pytest.mark.parametrize("width", [1280, 380])
@pytest.mark.parametrize("names", ALIKE)
def test_names_that_are_cut_still_differ_and_are_whole_on_hover(visit, names, width):
    n = len(names)
    edges = [(i, (i + 1) % n, 1, "-->") for i in range(n)]
    page = visit(discovery_page(document(names, edges)), width=width)
    for layout in ("ring", "time", "matrix"):
        page.click(f"[data-layout={layout}]")
        shown = page.js(NAMED)
        assert len(set(shown)) == len(set(names)) or layout == "ring"
        titles = page.js("[...document.querySelectorAll('.token > title')].map(t => t.textContent)")
        assert sorted(titles) == sorted(names)
    calm(page)


def test_long_names_of_any_kind_are_told_apart(visit):
    page = visit(discovery_page(document()), width=380)
    rng = np.random.default_rng(5)
    for _ in range(60):
        n, length = rng.integers(2, 12), rng.integers(20, 60)
        base = "".join(rng.choice(list("ab #12_"), length))
        names = []
        for _ in range(n):
            letters = list(base)
            for at in rng.integers(0, length, rng.integers(1, 4)):
                letters[at] = rng.choice(list("xyz0123456789"))
            names.append("".join(letters))
        cut = page.js_own("shortenAll", names)
        assert len(set(cut)) == len(set(names)), (names, cut)


def test_columns_of_numbers_are_even_and_scrolling_is_told_of(visit):
    page = visit(discovery_page(linked(12)))
    for column in (4, 9):
        cells = [row[column] for row in page.js(ROWS)]
        assert len({len(cell.split(".")[1]) for cell in cells if "." in cell}) == 1
        assert all(float(cell.replace("\u2212", "-")) >= 0 for cell in cells)
    assert page.js("document.getElementById('more').offsetParent !== null")
    few = visit(discovery_page(linked(2, names=["a", "b"])))
    assert few.js("document.getElementById('more').offsetParent === null")


@pytest.mark.parametrize("layout", ["ring", "matrix"])
def test_downloads_open(visit, tmp_path, layout):
    names = ["rain, mm", 'a "quoted" name', "<b>river</b>"]
    page = visit(discovery_page(linked(3, names=names)))
    page.click(f"[data-layout={layout}]")
    files = {kind: page.download(f"[data-download={kind}]", tmp_path / kind) for kind in
             ("svg", "png", "csv", "json")}  # fmt: skip
    assert files["png"].read_bytes().startswith(b"\x89PNG")
    svg = ElementTree.parse(files["svg"])
    texts = {text for part in svg.iter("{http://www.w3.org/2000/svg}text") if (text := part.text)}
    assert set(names) <= texts
    rows = list(csv.DictReader(io.StringIO(files["csv"].read_text("utf-8"))))
    assert len(rows) == 6
    assert {row["source"] for row in rows} == set(names)
    graph, read = read_graph(files["json"])
    assert read == names
    assert {tuple(edge) for edge in graph.edges(read)} == {
        (row["source"], int(row["lag"]), row["edge"], row["target"]) for row in rows
    }
    assert page.log == []
