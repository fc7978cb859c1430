"""The page of one explanation."""

from collections.abc import Sequence
from typing import Any

from jaxcause.report._explanation_data import check_explanation, page_data
from jaxcause.report._markup import (
    DOWNLOADS,
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
    "mask": "A token is removed by putting the mask token in its place.",
    "pad": "A token is removed by hiding it from attention, like padding.",
    "delete": "A token is removed by deleting it, which also moves the tokens that follow.",
}


def explanation_page(explanation: dict[str, Any]) -> str:
    """Write one self-contained HTML page about an explanation: graph, matrices, sentences.

    The page contains its style, script and data, so it opens without a server or a network.
    Numbers have at most four digits. The page stays below 3 MiB: with very many heads and tokens
    it leaves out the weakest edges and the matrices of the last views.

    Args:
        explanation: The content of an ``explanation.json``, schema ``jaxcause.explanation/1``.
            Undefined numbers may be None or NaN. Text may contain any characters.

    Returns:
        The page; write it as UTF-8.

    Raises:
        InputError: The schema is not supported, a matrix has the wrong size, an edge has an
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
    chosen_key = '<span><span class="chip"></span> chosen explanation</span>'
    maps = {
        f"map:{label}": MAP.format(label=label)
        for label in (
            "Correlation of token pairs",
            "Partial correlation of token pairs",
            "Attention from row token to column token",
            "Number of heads whose graph has an edge",
        )
    }
    asks_nothing = _asks_nothing(explanation)
    values = {
        "head": head(f"{visible(explanation.get('text') or 'Explanation')[:70]} · jaxcause"),
        "js": script("shared.js", "heat.js", "attention.js", "downloads.js", "explanation.js"),
        "downloads": DOWNLOADS,
        "model": _model_line(model),
        "headline": headline,
        "question": "The tokens" if asks_nothing else "Which tokens change the output",
        "search": "" if asks_nothing else escape(_search_line(explanation)),
        "large": _large(explanation),
        "explanations": "" if asks_nothing else _explanations(explanation),
        "sentence": _sentence(explanation),
        "chosen_key": "" if asks_nothing else chosen_key,
        "target_key": "" if target is None else key,
        "hidden": f" ({escape(hidden)})" if hidden else "",
        "intervention": escape(
            _INTERVENTIONS.get(
                str(settings.get("intervention")), "Removing a token changes the input."
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


def _asks_nothing(explanation: dict[str, Any]) -> bool:
    """Whether there was no output to explain, since the model has no head."""
    output = (explanation.get("target") or {}).get("output")
    found, search = explanation.get("explanations"), explanation.get("search") or {}
    return output is None and not found and not search.get("n_queries")


def _headline(target: dict[str, Any], tokens: list[str]) -> str:
    """The output of the model, as a heading."""
    output, kind = target.get("output"), target.get("kind")
    if output is None:
        node = target.get("node")
        return (
            "Causal graph over the tokens"
            if node is None
            else f"Causal graph around {_quoted(tokens[node])}"
        )
    said = f"{_quoted(output)}{_odds(target.get('probability'))}"
    return {
        "class": f"The model says {said}",
        "label": f"The most probable label is {said}; each label has a probability of its own",
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
    n = search.get("n_queries")
    used = "" if n is None else f" after {n} model {'query' if n == 1 else 'queries'}"
    line = {
        "explained": f"The search ended{used}.",
        "not found": f"The search ended{used}: no set of tokens that it tried changes the output.",
        "budget": f"The search reached its limit on model queries{used}.",
        "time": f"The search reached its time limit{used}.",
    }.get(str(search.get("status")), "")
    return f"{line} {search.get('note') or ''}".strip()


def _explanations(explanation: dict[str, Any]) -> str:
    """A button per explanation that says how the output changes without its tokens."""
    found = explanation.get("explanations") or ()
    if not found:
        return '<p class="soft">No explanation was found.</p>'
    tokens = explanation["tokens"]
    items = "".join(
        f'<li><button data-explanation="{k}" aria-pressed="{"false" if k else "true"}">'
        f"{_change(one, tokens)}{_meta(one, explanation)}</button></li>"
        for k, one in enumerate(found)
    )
    return f'<ul class="explanations">{items}</ul>'


def _most(explanation: dict[str, Any]) -> float | None:
    """The largest set that the graph may propose."""
    return finite((explanation.get("settings") or {}).get("max_size"))


def _large(explanation: dict[str, Any]) -> str:
    """A warning that the first explanation was grown beyond the limit, and may hold idle tokens."""
    found, most = explanation.get("explanations") or (), _most(explanation)
    n_nodes = len(found[0]["nodes"]) if found else 0
    if most is None or n_nodes <= most:
        return ""
    return (
        f'<p class="warn">This explanation is large: {n_nodes} tokens, and no set of up to '
        f"{most:g} from the graph changes the output. It was grown from the tokens that the output "
        "attends to most, so some of its tokens may be idle.</p>"
    )


def _change(found: dict[str, Any], tokens: list[str]) -> str:
    """The sentence of an explanation: which tokens are removed and what the output becomes."""
    names = found.get("tokens") or [tokens[node] for node in found["nodes"]]
    members = ", ".join(isolate(visible(name)) for name in names)
    removed = f'Remove <span class="what">{{{members}}}</span>'
    before, after = found.get("before"), found.get("after")
    if not before or not after:
        return removed
    return f"{removed} → the output changes from {_outcome(before)} to {_outcome(after)}"


def _outcome(state: dict[str, Any]) -> str:
    """An output and its probability."""
    return f"<b>{isolate(visible(state.get('output')))}</b>{_odds(state.get('probability'))}"


def _meta(found: dict[str, Any], explanation: dict[str, Any]) -> str:
    """Smaller print under an explanation: size, distances, cost, and the first output's fate."""
    n_nodes, search = len(found["nodes"]), explanation.get("search") or {}
    parts = ["1 token" if n_nodes == 1 else f"{n_nodes} tokens"]
    most = _most(explanation)
    if most is not None and n_nodes > most:
        parts[0] += f", more than max_size={most:g}: some may be idle"
    parts += [_nearness(found.get("distances") or (), explanation)]
    if found.get("n_queries") is not None:
        total = search.get("n_queries")
        of = "" if total is None else f" of {total}"
        parts.append(escape(f"found with model query {found['n_queries']}{of}"))
    parts += [_fall(found.get("before") or {}, found.get("after") or {})]
    return f'<span class="meta num">{" · ".join(filter(None, parts))}</span>'


def _nearness(distances: Sequence[int | None], explanation: dict[str, Any]) -> str:
    """How far the tokens are from the target in the graph; 0 and None are out of its reach."""
    node, n = (explanation.get("target") or {}).get("node"), len(distances)
    target = "the target" if node is None else isolate(visible(explanation["tokens"][node]))
    if not n:
        return ""
    if all(steps == 1 for steps in distances):
        several = "both" if n == 2 else f"all {n}"
        return f"a neighbour of {target}" if n == 1 else f"{several} are neighbours of {target}"
    if not any(distances):
        return f"not connected to {target}"
    steps = ", ".join(str(steps) if steps else "not connected" for steps in distances)
    return f"edges to {target}: {steps}"


def _fall(before: dict[str, Any], after: dict[str, Any]) -> str:
    """The probability of the first output before and after the removal, and its rank then."""
    first, then = finite(before.get("probability")), finite(after.get("probability_of_before"))
    if then is None:
        return ""
    output = before.get("output")
    whose = "the first output" if output is None else isolate(visible(output))
    rank = after.get("rank_of_before")
    end = escape(_share(then) + ("" if rank is None else f" (rank {rank})"))
    if first is None:
        return f"the probability of {whose} is then {end}"
    verb = "rises" if then > first else "falls"
    return f"the probability of {whose} {verb} from {escape(_share(first))} to {end}"


def _sentence(explanation: dict[str, Any]) -> str:
    """The tokens in order, as running text."""
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
    """A probability in parentheses, if it is known."""
    known = finite(value)
    return "" if known is None else f" ({escape(_share(known))})"


def _share(value: float) -> str:
    """A probability with two digits; 0.00 and 1.00 stand for exactly 0 and 1 only."""
    if 0 < value < 0.005:
        return "<0.01"
    return ">0.99" if 0.995 <= value < 1 else f"{value:.2f}"
