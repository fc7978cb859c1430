"""Pages as text: complete, safe, bounded, and refused where the content does not fit."""

import html.parser
import json
import re

import numpy as np
import pytest

from jaxcause._checks import InputError
from jaxcause.report import explanation_page, index_page

VOID = {"meta", "link", "br", "input", "img"}


class Parser(html.parser.HTMLParser):
    """Checks that elements nest, and keeps what matters."""

    def __init__(self):
        super().__init__()
        self.open, self.ids, self.labels, self.text, self.urls = [], [], [], "", []

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.ids += [values["id"]] if "id" in values else []
        self.labels += [values[k] for k in ("aria-labelledby", "for") if k in values]
        self.urls += [values[k] for k in ("src", "href", "action", "srcset") if k in values]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, text):
        if "script" not in self.open and "style" not in self.open:
            self.text += text


def parsed(page):
    parser = Parser()
    parser.feed(page)
    parser.close()
    assert parser.open == []
    return parser


def data_of(page):
    return json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])


def test_page_nests_names_each_id_once_and_refers_to_nothing_outside(explanation):
    found = parsed(explanation_page(explanation()))
    assert len(found.ids) == len(set(found.ids))
    assert set(found.labels) <= set(found.ids)
    assert found.urls == ["data:,"]


def test_explanations_are_told_in_sentences(explanation):
    text = " ".join(parsed(explanation_page(explanation())).text.split())
    assert (
        "Remove {very, good} → the output changes from negative (0.97) to positive (0.81)" in text
    )
    assert "The model says “negative” (0.97)" in text
    assert "The search ended after 120 model queries. Tried to size 2." in text
    assert "the probability of negative falls from 0.97 to 0.19 (rank 2)" in text


@pytest.mark.parametrize(
    ("status", "words"),
    [("not found", "no set of tokens that it tried"), ("budget", "limit on model queries"),
     ("time", "time limit")],
)  # fmt: skip
def test_ways_in_which_a_search_ends(explanation, status, words):
    content = explanation() | {"explanations": []}
    content["search"] = {"n_queries": 7, "status": status}
    text = parsed(explanation_page(content)).text
    assert words in text
    assert "No explanation was found." in text


@pytest.mark.parametrize(
    ("target", "words"),
    [({"kind": "masked token", "node": 1, "output": "film"}, "fills the mask with “film”"),
     ({"kind": "next token", "node": 1, "output": "x", "probability": 0.999}, "x” (>0.99)"),
     ({"kind": "token", "node": 2}, "Causal graph around “film”"),
     (None, "Causal graph over the tokens")],
)  # fmt: skip
def test_headlines(explanation, target, words):
    assert words in parsed(explanation_page(explanation() | {"target": target})).text


def test_undefined_numbers_become_null(explanation):
    content = explanation()
    nan = float("nan")
    content["views"][0]["edges"][0] |= {"partial_correlation": nan, "p_value": None}
    content["views"][0] |= {"confidence": float("inf"), "attention": None}
    content["target"]["probability"] = nan
    content["explanations"][0]["after"] |= {"probability": None, "probability_of_before": nan}
    content["settings"]["alpha"] = nan
    page = explanation_page(content)
    view = data_of(page)["views"][0]
    assert view["confidence"] is None
    assert view["a"] is None
    assert view["e"][-2:] == [None, None]  # the weakest come last
    assert "The model says “negative”" in parsed(page).text


def test_size_is_bounded_with_72_views_of_50_tokens(explanation):
    tokens = [f"token{i}" for i in range(50)]
    content = explanation(tokens, n_views=72, n_edges=200)
    page = explanation_page(content)
    assert len(page.encode()) < 3 * 2**20
    views = data_of(page)["views"]
    assert all(view[key] for view in views for key in "acr")
    assert [len(view["e"]) // 6 for view in views] == [200 - k for k in range(72)]


def test_what_does_not_fit_is_left_out_from_the_weak_end(explanation):
    tokens = [f"token{i}" for i in range(120)]
    content = explanation(tokens, n_views=40, n_edges=5000)
    page = explanation_page(content)
    assert len(page.encode()) < 3 * 2**20
    views = data_of(page)["views"]
    assert views[0]["c"]
    assert views[-1]["c"] is None
    edges = np.array(views[0]["e"], float).reshape(-1, 6)
    sizes = sorted(abs(e["partial_correlation"]) for e in content["views"][0]["edges"])
    assert views[0]["n"] == 5000
    assert len(edges) == 1500
    assert abs(edges[:, 4]).min() / 1e4 == pytest.approx(sizes[-1500], abs=1e-4)


def test_numpy_values_do_as_well_as_lists(explanation):
    content = explanation()
    given = explanation_page(content)
    for view in content["views"]:
        for name in ("attention", "correlation", "partial_correlation"):
            view[name] = np.array(view[name])
    content["consensus"] = np.array(content["consensus"])
    content["explanations"][0]["nodes"] = np.array(content["explanations"][0]["nodes"])
    content["target"]["node"] = np.int64(0)
    assert explanation_page(content) == given


def test_lone_surrogates_and_slots_in_texts_do_no_harm(explanation):
    content = explanation(["[CLS]", "a\ud800", "{{data}}", "b"], n_edges=2, n_views=1)
    content["model"]["name"] = "x\udfff"
    page = explanation_page(content)
    assert page.encode()
    assert "{{data}}" in parsed(page).text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": "x/2"}, "explanation has schema 'x/2', but this page shows"),
        ({"tokens": []}, "explanation has no tokens"),
        ({"target": {"node": 7}}, "names node 7, but its tokens are 0 to 6"),
        ({"explanations": [{"nodes": [-1]}]}, "names node -1"),
        ({"consensus": [[1]]}, "consensus must have 7 rows of 7 values"),
    ],
)
def test_content_that_does_not_fit_raises(explanation, change, message):
    with pytest.raises(InputError, match=message):
        explanation_page(explanation() | change)


def test_bad_views_raise(explanation):
    content = explanation()
    content["views"][0]["correlation"] = [[1.0]]
    with pytest.raises(InputError, match="correlation of view 'mean over heads' must have 7 rows"):
        explanation_page(content)
    content = explanation()
    content["views"][0]["edges"][0]["mark_to"] = "star"
    with pytest.raises(InputError, match="mark_to='star' is not a mark"):
        explanation_page(content)


def test_index_links_each_text_and_counts():
    rows = [{"href": "a b/é&.html", "text": "<b>", "tokens": ["x"]}, {"href": "1.html", "text": ""}]
    found = parsed(index_page(rows, title="Five & more"))
    assert found.urls == ["data:,", "a%20b/%C3%A9%26.html", "1.html"]
    assert "2 texts; an explanation was found for 1." in found.text
    assert "Five & more" in found.text
    assert parsed(index_page([])).text.count("There are no texts.") == 1


@pytest.mark.parametrize("href", ["javascript:alert(1)", "//host/x", "http://x", "/etc", "\\\\x"])
def test_index_refuses_what_is_no_relative_path(href):
    with pytest.raises(InputError, match="must be a relative path"):
        index_page([{"href": href, "text": "x"}])


def test_a_model_without_a_head_is_not_said_to_lack_an_explanation():
    page = explanation_page({"schema": "jaxcause.explanation/1", "tokens": ["a", "b"]})
    assert "No explanation was found" not in page
    assert "change the output" not in page.split("<script")[0]
