"""The page as Chromium shows it: what is drawn, what controls do, and that nothing leaves it."""

import itertools

import pytest

from jaxcause.io import read_graph
from jaxcause.report import explanation_page, index_page

NASTY = ["[CLS]", "</script><script>throw 1</script>", "<b>bold</b>", "\"'&amp;", "שלום", "👩‍🔬",
         "a\u202eb", "##ing", "{{css}}", "\u2028", " ", "not"]  # fmt: skip
EDGES = "[...document.querySelectorAll('.edge')].map(e => [+e.dataset.from, +e.dataset.to])"
MARKED = "[...document.querySelectorAll('#arcs .marked')].map(e => +e.dataset.token)"
WORDS = "[...document.querySelectorAll('.sentence .marked')].map(e => +e.dataset.token)"


def pairs(view):
    return sorted([edge["from"], edge["to"]] for edge in view["edges"])


def clean(page):
    """Nothing was logged, and nothing but the file itself was asked for."""
    assert page.log == []
    assert len(page.requests) == 1
    assert page.requests[0].startswith("file://")


def long_tokens(n):
    words = ["the", "film", "un", "##believ", "##ably", "quiet", "extraordinarily", "moving"]
    return ["[CLS]", *(words[i % len(words)] for i in range(n - 1))]


@pytest.mark.parametrize("width", [380, 1280])
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("n_tokens", [1, 3, 50])
def test_page_fits_its_window_and_asks_for_nothing(visit, explanation, width, dark, n_tokens):
    if n_tokens == 1:
        content = explanation(["alone", "x", "y"], n_edges=0, n_views=1)
        content |= {"tokens": ["alone"], "explanations": [], "views": [], "consensus": None}
    else:
        n_edges = {3: 3, 50: 150}[n_tokens]
        content = explanation(long_tokens(n_tokens), n_edges=n_edges, n_views=2)
        content["text"] = "w" * 300
    page = visit(explanation_page(content), width=width, dark=dark)
    clean(page)
    assert page.js("document.documentElement.scrollWidth") == width
    assert page.js("document.querySelectorAll('.token').length") == n_tokens
    assert page.js("document.querySelectorAll('.edge').length") == {1: 0, 3: 3, 50: 150}[n_tokens]


def test_head_selector_changes_arcs_table_and_maps(visit, explanation):
    content = explanation()
    page = visit(explanation_page(content))
    pixels = "document.querySelector('#map-partial canvas').toDataURL()"
    seen = []
    for k, view in enumerate(content["views"]):
        page.js(
            f"(() => {{ const s = document.getElementById('view'); s.value = '{k}';"
            "s.dispatchEvent(new Event('change')); })()"
        )
        assert sorted(page.js(EDGES)) == pairs(view)
        assert page.js("document.querySelectorAll('#rows tr').length") == len(view["edges"])
        seen.append(page.js(pixels))
    assert len(set(seen)) == len(content["views"])
    page.click("#previous")
    assert sorted(page.js(EDGES)) == pairs(content["views"][1])
    clean(page)


def test_marks_are_drawn_at_the_ends_they_belong_to(visit, explanation):
    content = explanation(n_edges=16)
    page = visit(explanation_page(content))
    kinds = {"arrow": "polygon", "circle": "circle", "tail": None}
    drawn = page.js(
        "Object.fromEntries([...document.querySelectorAll('.edge')].map(e =>"
        "[e.dataset.from + '-' + e.dataset.to, Object.fromEntries([...e.querySelectorAll("
        "'[data-end]')].map(m => [m.dataset.end, [m.tagName, (b => (b.left + b.right) / 2)("
        "m.getBoundingClientRect())]]))]))"
    )
    at = page.js(
        "[...document.querySelectorAll('.token .plate')].map(p => (b => [b.left, b.right])"
        "(p.getBoundingClientRect()))"
    )
    for edge in content["views"][0]["edges"]:
        marks = drawn[f"{edge['from']}-{edge['to']}"]
        for end in ("from", "to"):
            name, x = marks.get(end, (None, None))
            assert name == kinds[edge[f"mark_{end}"]]
            if name:
                left, right = at[edge[end]]
                assert left - 6 < x < right + 6


def test_an_edge_in_conflict_ends_in_crosses(visit, explanation):
    content = explanation(n_views=1)
    assert visit(explanation_page(content)).js("document.getElementById('crosses').hidden")
    edge = content["views"][0]["edges"][0]
    edge |= {"mark_from": "conflict", "mark_to": "conflict", "symbol": "x-x"}
    page = visit(explanation_page(content))
    clean(page)
    assert page.js("document.querySelectorAll('.edge .cross').length") == 2
    assert not page.js("document.getElementById('crosses').hidden")
    assert "x-x" in page.js("document.getElementById('rows').textContent")


def test_clicking_an_explanation_highlights_its_tokens(visit, explanation):
    content = explanation()
    first, second = (found["nodes"] for found in content["explanations"])
    page = visit(explanation_page(content))
    assert page.js(MARKED) == page.js(WORDS) == first
    page.click("[data-explanation='1']")
    assert page.js(MARKED) == page.js(WORDS) == second
    pressed = "[...document.querySelectorAll('[data-explanation]')].map(b => b.ariaPressed)"
    assert page.js(pressed) == ["false", "true"]
    page.click("[data-explanation='1']")
    assert page.js(MARKED) == page.js(WORDS) == []
    clean(page)


def test_threshold_hides_weak_edges(visit, explanation):
    content = explanation(n_edges=16)
    content["views"][0]["edges"][0]["partial_correlation"] = None
    page = visit(explanation_page(content))
    assert len(page.js(EDGES)) == 16
    sizes = sorted(abs(e["partial_correlation"] or 0) for e in content["views"][0]["edges"])
    limit = round(sizes[8], 2)
    page.js(
        f"(() => {{ const t = document.getElementById('threshold'); t.value = {limit};"
        "t.dispatchEvent(new Event('input')); })()"
    )
    strong = sum(size >= limit for size in sizes)
    assert 0 < strong < 16
    assert len(page.js(EDGES)) == strong
    assert page.js("document.getElementById('shown').textContent").startswith(f"{strong} of 16")


def test_pointing_at_a_token_or_an_arc_tells_about_it(visit, explanation):
    content = explanation()
    edge = content["views"][0]["edges"][0]
    page = visit(explanation_page(content))
    detail = "document.getElementById('detail').textContent"
    page.js(f"document.querySelector('.edge[data-from=\"{edge['from']}\"]').focus()")
    assert "Partial correlation" in page.js(detail)
    assert page.js("document.querySelectorAll('.edge.on').length") == 1
    page.click(f"#arcs [data-token='{edge['to']}']")
    touching = [e for e in content["views"][0]["edges"] if edge["to"] in (e["from"], e["to"])]
    assert page.js("document.querySelectorAll('.edge.on').length") == len(touching)
    assert page.js("document.querySelectorAll('#detail li').length") == len(touching)
    page.key("Escape", 27)
    assert page.js("document.querySelectorAll('.token.pinned').length") == 0


def test_table_sorts_by_its_headers(visit, explanation):
    page = visit(explanation_page(explanation(n_edges=12)))
    column = "[...document.querySelectorAll('#rows tr')].map(r => r.cells[4].textContent)"

    def sizes():
        return [abs(float(text.replace("\u2212", "-"))) for text in page.js(column)]

    assert sizes() == sorted(sizes(), reverse=True)
    page.click("th[data-sort='size'] button")
    assert sizes() == sorted(sizes())
    page.click("th[data-sort='from'] button")
    assert page.js("document.querySelector(\"th[data-sort='from']\").ariaSort") == "ascending"


def rows_of(page):
    return page.js(
        "[...document.querySelectorAll('#rows tr')].map(r => [...r.cells].map(c =>"
        "c.textContent.replace(/[\\u2066-\\u2069]/g, '')))"
    )


def type_into(page, where, text):
    page.js(
        f"(() => {{ const f = document.getElementById('{where}'); f.value = '{text}';"
        "f.dispatchEvent(new Event('input')); })()"
    )


def test_table_filters_by_tokens_and_marks(visit, explanation):
    content = explanation(n_edges=12)
    page = visit(explanation_page(content))
    everything, listed = rows_of(page), "document.getElementById('listed').textContent"
    type_into(page, "filter", "FILM")
    mine = [row for row in everything if "film" in (row[0], row[2])]
    assert 0 < len(mine) < 12
    assert rows_of(page) == mine
    assert page.js(listed) == f"{len(mine)} of 12 listed"
    assert len(page.js(EDGES)) == 12
    type_into(page, "filter", "film ->")
    assert rows_of(page) == [row for row in mine if "->" in row[1]]
    type_into(page, "filter", "nowhere")
    assert rows_of(page) == [["No edge matches the filter."]]
    assert page.js("document.getElementById('places').offsetParent === null")
    clean(page)


@pytest.mark.parametrize("width", [1280, 380])
def test_tokens_that_occur_twice_are_told_apart_by_their_places(visit, explanation, width):
    tokens = ["[CLS]", "the", "cat", "saw", "the", "dog"]
    page = visit(explanation_page(explanation(tokens, n_edges=15, n_views=1)), width=width)
    ends = {tuple(sorted((row[0], row[2]))) for row in rows_of(page)}
    assert ("the #2", "the #5") in ends
    assert ("cat", "dog") in ends
    meanings = " ".join(row[3] for row in rows_of(page))
    assert "“the” #2" in meanings
    assert "“cat”" in meanings
    type_into(page, "filter", "#5")
    assert {"the #5"} <= set(rows_of(page)[0])
    assert "second token" in page.js("document.getElementById('places').innerText")
    page.click("#arcs [data-token='4']")
    assert "the #5" in page.js(
        "document.getElementById('detail').innerText.replace(/\\u2068|\\u2069/g, '')"
    )
    assert page.js("document.documentElement.scrollWidth") == width
    clean(page)


def test_tab_reaches_every_control_and_arrows_move_among_tokens(visit, explanation):
    page = visit(explanation_page(explanation()))
    where = (
        "(e => e.id || (e.dataset.explanation !== undefined && 'explanation')"
        "|| (e.dataset.layout && 'layout') || (e.dataset.edge !== undefined && 'edge')"
        "|| (e.dataset.token !== undefined && 'token') || (e.closest('th') && 'header')"
        "|| e.closest('.map')?.id || e.className)(document.activeElement)"
    )
    reached = []
    for _ in range(60):
        page.key("Tab", 9)
        reached.append(page.js(where))
        if reached[-1] == "token" and "token" not in reached[:-1]:
            here = "document.activeElement.dataset.token"
            assert page.js(here) == "0"
            page.key("ArrowRight", 39)
            assert page.js(here) == "1"
            plate = "document.activeElement.querySelector('.plate')"
            assert page.js(f"getComputedStyle({plate}).strokeWidth") == "2.5px"
    wanted = {"explanation", "view", "next", "threshold", "layout", "edge", "token", "detail",
              "filter", "header", "map-correlation", "map-partial", "map-attention",
              "map-consensus"}  # fmt: skip
    assert wanted <= set(reached)
    assert reached.count("edge") == reached.count("token") <= reached.count("threshold")


def test_every_text_stays_text(visit, explanation):
    content = explanation(NASTY, n_edges=12)
    content["text"] = "</title><img src=x onerror=alert(1)>"
    content["model"]["name"] = "<img src=http://example.com/x.png>"
    content["views"][1]["name"] = "</option><b>head"
    content["notes"] = ["<script>throw 2</script>"]
    content["settings"]["layer"] = "{{js}}"
    content["explanations"][0]["after"]["output"] = "<i>neg"
    content["target"]["output"] = "</h1>"
    page = visit(explanation_page(content))
    clean(page)
    assert page.js("document.querySelectorAll('img, b b, .sentence script, h1 + h1').length") == 0
    texts = page.js("[...document.querySelectorAll('.sentence .t')].map(e => e.textContent)")
    assert texts[:6] == NASTY[:6]
    assert texts[6:] == ["a⟨U+202E⟩b", "##ing", "{{css}}", "⟨U+2028⟩", "␣", "not"]
    titles = page.js("[...document.querySelectorAll('.token title')].map(e => e.textContent)")
    assert titles == texts
    assert page.js("document.getElementById('view').options[1].text") == "</option><b>head"


@pytest.mark.parametrize(("width", "n_tokens"), [(380, 7), (380, 50), (900, 30), (1280, 50)])
def test_labels_of_the_arcs_do_not_overlap(visit, explanation, width, n_tokens):
    tokens = long_tokens(n_tokens)
    page = visit(explanation_page(explanation(tokens, n_edges=2 * n_tokens - 6)), width=width)
    mode = page.js("document.querySelector('#arcs svg').dataset.mode")
    if mode == "slanted":
        # Parallel labels: what lies between their lines must hold a line of text.
        xs = page.js("[...document.querySelectorAll('.token text')].map(t => +t.getAttribute('x'))")
        steps = [b - a for a, b in itertools.pairwise(xs)]
        assert min(steps) * 0.766 >= 14
        return
    boxes = page.js(
        "[...document.querySelectorAll('.token text')].map(t => (b => [b.left, b.top, b.right,"
        "b.bottom])(t.getBoundingClientRect()))"
    )
    for a, b in itertools.combinations(boxes, 2):
        apart = a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] + 4 or b[3] <= a[1] + 4
        assert apart, (a, b)


def test_arrangements_can_be_chosen(visit, explanation):
    page = visit(explanation_page(explanation(long_tokens(40), n_edges=60)), width=380)
    mode = "document.querySelector('#arcs svg').dataset.mode"
    assert page.js(mode) == "column"
    page.click("[data-layout='line']")
    assert page.js(mode) == "slanted"
    assert page.js("document.documentElement.scrollWidth") == 380
    assert page.js("(b => b.scrollWidth > b.clientWidth)(document.getElementById('arcs'))")
    clean(page)


def test_matrices_arrive_as_they_were(visit, explanation):
    content = explanation()
    view = content["views"][0]
    view["partial_correlation"][1][2] = None
    view["correlation"][0][1] = float("nan")
    page = visit(explanation_page(content))
    clean(page)
    for name, key in (("correlation", "correlation"), ("partial", "partial_correlation"),
                      ("attention", "attention")):  # fmt: skip
        canvas = f"#map-{name} canvas"
        page.js(f"document.querySelector('{canvas}').focus()")
        read = f"document.querySelector('#map-{name} output').textContent.split(': ').pop()"
        for i, j in ((0, 0), (0, 1), (0, 2)):
            value = view[key][i][j]
            said = page.js(read)
            if value is None or value != value:
                assert said == "not defined"
            else:
                assert float(said.replace("\u2212", "-")) == pytest.approx(value, abs=6e-4)
            page.key("ArrowRight", 39)


def test_index_sorts_and_fits(visit):
    rows = [
        {"href": f"{k}/explanation.html", "text": text, "output": "positive", "tokens": tokens,
         "n_queries": queries, "status": "explained"}
        for k, (text, tokens, queries) in enumerate(
            [("b <i>film</i>", ["b"], 30), ("a " * 60, ["a", "x"], 4), ("c", None, None)]
        )
    ]  # fmt: skip
    page = visit(index_page(rows), width=380)
    clean(page)
    assert page.js("document.documentElement.scrollWidth") == 380
    hrefs = "[...document.querySelectorAll('tbody a')].map(a => a.getAttribute('href')[0])"
    for column, up, down in [(1, "102", "201"), (5, "102", "012"), (4, "012", "102")]:
        for order in (up, down):
            page.click(f"th:nth-child({column}) button")
            assert "".join(page.js(hrefs)) == order
    assert page.js("document.querySelectorAll('tbody i').length") == 0


SHADED = "[...document.querySelectorAll('.sentence .t')].map(e => [e.style.background, e.title])"


def choose(page, where, value):
    page.js(
        f"(() => {{ const s = document.getElementById('{where}'); s.value = '{value}';"
        "s.dispatchEvent(new Event('change')); })()"
    )


@pytest.mark.parametrize("width", [1280, 380])
def test_tokens_are_coloured_by_attention_and_partial_correlation(visit, explanation, width):
    content = explanation()
    view, n = content["views"][0], len(content["tokens"])
    page = visit(explanation_page(content), width=width, dark=width == 380)
    assert all(not ground for ground, _ in page.js(SHADED))
    choose(page, "shade", "r")
    for j, (ground, said) in enumerate(page.js(SHADED)):
        value = view["partial_correlation"][0][j]
        assert (ground == "") == (j == 0)
        if j:
            assert ("--neg" in ground) == (value < 0)
            told = float(said.split(": ")[1].replace("\u2212", "-"))
            assert told == pytest.approx(value, abs=6e-4)
    page.click("#arcs [data-token='3']")
    choose(page, "shade", "a")
    shades = page.js(SHADED)
    assert [j for j, (ground, _) in enumerate(shades) if not ground] == [3]
    told = [float(said.split(": ")[1]) for j, (_, said) in enumerate(shades) if j != 3]
    wanted = [view["attention"][3][j] for j in range(n) if j != 3]
    assert told == pytest.approx(wanted, abs=6e-4)
    assert "is" in page.js("document.getElementById('shade-note').textContent")
    choose(page, "shade", "m")
    assert all(ground for ground, _ in page.js(SHADED))
    choose(page, "shade", "")
    assert all(not ground for ground, _ in page.js(SHADED))
    assert page.js(WORDS) == content["explanations"][0]["nodes"]
    clean(page)


@pytest.mark.parametrize("width", [1280, 380])
@pytest.mark.parametrize("n_tokens", [3, 12, 40])
def test_attention_is_drawn_from_left_to_right(visit, explanation, width, n_tokens):
    content = explanation(long_tokens(n_tokens), n_edges=3, n_views=2)
    page = visit(explanation_page(content), width=width)
    page.click("[data-layout='attention']")
    for k, view in enumerate(content["views"]):
        choose(page, "view", k)
        drawn = page.js("[...document.querySelectorAll('.beam')].map(b => +b.dataset.from)")
        for i, row in enumerate(view["attention"]):
            sure = sum(value > 0.0201 for value in row), sum(value > 0.0199 for value in row)
            assert sure[0] <= drawn.count(i) <= sure[1]
    page.js("document.querySelector('#arcs .token').focus()")
    said = page.js("document.getElementById('detail').textContent")
    assert "attends to" in said
    assert page.js("document.querySelectorAll('.beam.on').length") > 0
    assert page.js("document.documentElement.scrollWidth") == width
    clean(page)


def test_downloads_of_an_explanation_open(visit, explanation, tmp_path):
    content = explanation(["[CLS]", "the", "cat", "saw", "the", "dog"], n_edges=6, n_views=1)
    page = visit(explanation_page(content))
    files = {kind: page.download(f"[data-download={kind}]", tmp_path / kind) for kind in
             ("svg", "png", "csv", "json")}  # fmt: skip
    assert files["png"].read_bytes().startswith(b"\x89PNG")
    assert "saw" in files["svg"].read_text("utf-8")
    assert len(files["csv"].read_text("utf-8").splitlines()) == 7
    graph, names = read_graph(files["json"])
    assert names[4] == "4:the"
    assert len(graph.edges()) == 6
    assert page.log == []
    assert {url.split(":")[0] for url in page.requests} <= {"file", "data", "blob"}


def test_a_large_explanation_says_that_tokens_may_be_idle(visit, explanation):
    content = explanation(long_tokens(12))
    assert "may be idle" not in explanation_page(content)
    first = content["explanations"][0]
    first |= {"nodes": list(range(1, 10)), "tokens": content["tokens"][1:10]}
    page = visit(explanation_page(content), width=380)
    said = page.js("document.querySelector('main').innerText")
    assert "This explanation is large: 9 tokens" in said
    assert "some may be idle" in said
    assert page.js("document.querySelector('main section').innerText").startswith("Notes")
