"""The page of one explanation."""

from typing import Any

from jaxcause.report._explanation_data import check_explanation, page_data
from jaxcause.report._markup import (
    MAP,
    asset,
    bullets,
    card,
    escape,
    facts,
    fill,
    head,
    isolate,
    script,
    script_json,
)
from jaxcause.report._values import finite, visible

_INTERVENTIONS = {
    "mask": "Tokens are removed by putting the mask token in their place.",
    "pad": "Tokens are removed by hiding them from attention, as padding is.",
    "delete": "Tokens are removed by deleting them, which also moves those that follow.",
}


def explanation_page(explanation: dict[str, Any]) -> str:
    """Write one self-contained HTML page about an explanation: graph, evidence, sentences.

    Style, script and data lie in the page; it opens from a folder without a server or a network.
    Numbers have at most four digits. With very many heads and tokens, the weakest edges and the
    matrices of the last views are left out so that the page stays below 3 MiB.

    Args:
        explanation: The content of an ``explanation.json``, schema ``jaxcause.explanation/1``.
            Numbers may be None or NaN where they are not defined. Text may hold anything.

    Returns:
        The page; write it as UTF-8.

    Raises:
        InputError: The schema is another one, a matrix has the wrong size, an edge has an
            unknown mark, or a node is not a token.

    >>> page = explanation_page({"schema": "jaxcause.explanation/1", "tokens": ["<b>", "good"]})
    >>> "&lt;b&gt;" in page, "<b>good" in page
    (True, False)
    """
    check_explanation(explanation)
    model = explanation.get("model") or {}
    settings = explanation.get("settings") or {}
    headline = _headline(explanation.get("target") or {}, explanation["tokens"])
    hidden, target = model.get("hidden_size"), (explanation.get("target") or {}).get("node")
    key = '<span><span class="chip target"></span> target</span>'
    maps = {
        f"map:{label}": MAP.format(label=label)
        for label in (
            "Correlation of token pairs",
            "Partial correlation of token pairs",
            "Attention from row token to column token",
            "Number of heads that hold an edge",
        )
    }
    values = {
        "head": head(f"{visible(explanation.get('text') or 'Explanation')[:70]} · jaxcause"),
        "js": script("shared.js", "heat.js", "explanation.js"),
        "model": _model_line(model),
        "headline": headline,
        "search": escape(_search_line(explanation)),
        "explanations": _explanations(explanation),
        "sentence": _sentence(explanation),
        "target_key": "" if target is None else key,
        "hidden": f" ({escape(hidden)})" if hidden else "",
        "intervention": escape(
            _INTERVENTIONS.get(
                str(settings.get("intervention")), "Removing a token is an intervention."
            )
        ),
        "notes": card("h-notes", "Notes", bullets(explanation.get("notes") or ())),
        "facts": facts("Settings", settings)
        + facts("Model", model)
        + facts("Provenance", explanation.get("provenance") or {}),
        "footer": "Written by jaxcause " + escape(explanation.get("version") or ""),
        "data": script_json(page_data(explanation)),
    }
    return fill(asset("explanation.html"), values | maps)


def _headline(target: dict[str, Any], tokens: list[str]) -> str:
    """What the model said, as a heading."""
    output, kind = target.get("output"), target.get("kind")
    if output is None:
        node = target.get("node")
        return "Graph over the tokens" if node is None else f"What bears on {_quoted(tokens[node])}"
    said = f"{_quoted(output)}{_odds(target.get('probability'))}"
    return {
        "class": f"The model says {said}",
        "masked token": f"The model fills the mask with {said}",
        "next token": f"The model continues with {said}",
        "next item": f"The model recommends {said}",
    }.get(str(kind), f"The model's output: {said}")


def _model_line(model: dict[str, Any]) -> str:
    """Name, architecture and size of the model."""
    parts = [isolate(model["name"])] if model.get("name") else ["Explanation"]
    parts += [escape(str(model[key]).replace("_", " ")) for key in ("architecture", "head")
              if model.get(key)]  # fmt: skip
    if model.get("n_layers") and model.get("n_heads"):
        parts.append(f"{escape(model['n_layers'])} layers of {escape(model['n_heads'])} heads")
    return " · ".join(parts)


def _search_line(explanation: dict[str, Any]) -> str:
    """How the search for explanations ended."""
    search = explanation.get("search") or {}
    queries = search.get("n_queries")
    asked = (
        ""
        if queries is None
        else f" after {queries} model {'query' if queries == 1 else 'queries'}"
    )
    line = {
        "explained": f"Search ended{asked}.",
        "not found": f"No set of tokens that was tried changes the output{asked}.",
        "budget": f"The search stopped at its query budget{asked}.",
        "time": f"The search stopped at its time limit{asked}.",
    }.get(str(search.get("status")), "")
    return f"{line} {search.get('note') or ''}".strip()


def _explanations(explanation: dict[str, Any]) -> str:
    """A button per explanation, with what removing its tokens changes."""
    found = explanation.get("explanations") or ()
    if not found:
        return '<p class="soft">No explanation was found.</p>'
    tokens = explanation["tokens"]
    items = "".join(
        f'<li><button data-explanation="{k}" aria-pressed="{"false" if k else "true"}">'
        f"{_change(one, tokens)}{_meta(one)}</button></li>"
        for k, one in enumerate(found)
    )
    return f'<ul class="explanations">{items}</ul>'


def _change(found: dict[str, Any], tokens: list[str]) -> str:
    """The sentence of an explanation: what is removed and what the output becomes."""
    names = found.get("tokens") or [tokens[node] for node in found["nodes"]]
    members = ", ".join(isolate(visible(name)) for name in names)
    said = f'Remove <span class="what">{{{members}}}</span>'
    before, after = found.get("before"), found.get("after")
    if not before or not after:
        return said
    return f"{said} → the output changes from {_outcome(before)} to {_outcome(after)}"


def _outcome(state: dict[str, Any]) -> str:
    """An output and its probability."""
    return f"<b>{isolate(visible(state.get('output')))}</b>{_odds(state.get('probability'))}"


def _meta(found: dict[str, Any]) -> str:
    """Smaller print under an explanation."""
    n_nodes = len(found["nodes"])
    parts = ["1 token" if n_nodes == 1 else f"{n_nodes} tokens"]
    distances = found.get("distances")
    if distances:
        steps = ", ".join(str(d) if d else "out of reach" for d in distances)
        parts.append(f"distance to the target {steps}")
    if found.get("n_queries") is not None:
        parts.append(f"found at query {found['n_queries']}")
    after = found.get("after") or {}
    kept = finite(after.get("probability_of_before"))
    if kept is not None:
        rank = after.get("rank_of_before")
        place = "" if rank is None else f", now rank {rank}"
        parts.append(f"the first output falls to {_share(kept)}{place}")
    return f'<span class="meta num">{escape(" · ".join(parts))}</span>'


def _sentence(explanation: dict[str, Any]) -> str:
    """The tokens in order, wrapped as text is."""
    kinds = list(explanation.get("node_kinds") or ())
    target = (explanation.get("target") or {}).get("node")
    first = list([*(explanation.get("explanations") or ()), {"nodes": ()}][0]["nodes"])
    words = []
    for i, token in enumerate(map(visible, explanation["tokens"])):
        piece = token.startswith("##") and len(token) > 2
        names = ["t"] + ["piece"] * piece + ["target"] * bool(i == target)
        names += ["marked"] * (i in first)
        names += ["special"] * (i < len(kinds) and kinds[i] == "special")
        label = f"<i>##</i>{escape(token[2:])}" if piece else escape(token)
        words.append(f'<span class="{" ".join(names)}" data-token="{i}"><bdi>{label}</bdi></span>')
    return " ".join(words)


def _quoted(text: Any) -> str:
    return f"“{isolate(visible(text))}”"


def _odds(value: Any) -> str:
    """A probability in brackets, if it is known."""
    known = finite(value)
    return "" if known is None else f" ({escape(_share(known))})"


def _share(value: float) -> str:
    """A probability of two digits that is 0 or 1 only where it is."""
    if 0 < value < 0.005:
        return "<0.01"
    return ">0.99" if 0.995 <= value < 1 else f"{value:.2f}"
