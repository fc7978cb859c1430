"""The page of one discovery."""

from typing import Any

import numpy as np

from jaxcause.graph import Mark, edge_marks
from jaxcause.report._assumptions import allowed, assumptions
from jaxcause.report._discovery_data import check_discovery, discovery_data
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

_LONGEST = 120
_OWN_LIST = ("title", "settings", "notes", "losses", "seconds", "training", "model", "provenance")


def discovery_page(discovery: dict[str, Any]) -> str:
    """Write one self-contained HTML page about a lagged graph: picture, table, origin, limits.

    The page contains its style, script and data, so it opens without a server or a network.
    Numbers have at most four digits. The page stays below 3 MiB: it leaves out the weakest of very
    many edges, and the strengths of very many pairs.

    Args:
        discovery: The content of a ``discovery.json``, schema ``jaxcause.discovery/1``:
            ``variables``, ``max_lag``, ``edges`` (``source``, ``lag``, ``edge``, ``target``,
            ``strength``, ``score``), and where known ``strength [source, target, lag]``, ``info``
            and ``provenance``. Numbers may be None or NaN. Text may contain any characters.

    Returns:
        The page; write it as UTF-8.

    Raises:
        InputError: The schema is not supported, or an edge, a name or the strengths are invalid.

    >>> page = discovery_page({"schema": "jaxcause.discovery/1", "variables": ["<b>", "b"],
    ...     "max_lag": 1, "edges": [{"source": "<b>", "lag": 1, "edge": "-->", "target": "b"}]})
    >>> "1 edge among 2 variables" in page, "<b>" in page
    (True, False)
    """
    check_discovery(discovery)
    info = discovery.get("info") or {}
    names, max_lag = discovery["variables"], int(discovery["max_lag"])
    marks = [edge_marks(edge["edge"]) for edge in discovery["edges"]]
    lagged = [pair for pair, edge in zip(marks, discovery["edges"], strict=True) if edge["lag"]]
    contemporaneous = any(edge["lag"] == 0 for edge in discovery["edges"])
    marked = any(tuple(pair) != (Mark.TAIL, Mark.ARROW) for pair in lagged)
    hidden = allowed(info, "latents", marked)
    counted = _counted(len(discovery["edges"]), "edge")
    headline = f"{counted} among {_counted(len(names), 'variable')}"
    strength = str(info.get("strength") or "strength")
    trust = assumptions(info, max_lag=max_lag, hidden=hidden, contemporaneous=contemporaneous)
    values = {
        "head": head(f"{headline} · jaxcause"),
        "js": script(
            "shared.js", "heat.js", "graph.js", "matrix.js", "downloads.js", "discovery.js"
        ),
        "downloads": DOWNLOADS,
        "eyebrow": escape(_eyebrow(info, max_lag)),
        "headline": escape(headline),
        "candidates": card("h-candidates", "Candidates, no edges", _candidates(discovery)),
        "lag_unit": _lag_unit(info),
        "notes": card("h-notes", "Notes", bullets(info.get("notes") or ())),
        "strength_note": isolate(visible(strength)),
        "score": isolate(visible(info.get("score") or "the value by which edges were chosen")),
        "lag_0": _lag_0(info),
        "effect_note": _effect_note(discovery),
        "variance_note": _variance_note(discovery),
        "map": MAP.format(label="Strength from source row to target column"),
        "trust": bullets(trust),
        "facts": _facts(discovery, info),
        "footer": "Written by jaxcause " + escape(_version(discovery)),
        "data": script_json(discovery_data(discovery, hidden=hidden)),
    }
    return fill(asset("discovery.html"), values)


def _candidates(discovery: dict[str, Any]) -> str:
    """A table of the strongest links that are no edges, with a sentence on them."""
    found = discovery.get("candidates") or {}
    if not found:
        return ""
    note, links = f"<p>{isolate(visible(found.get('note') or ''))}</p>", found.get("links") or ()
    if not links:
        return note
    columns = {"source": "Source", "lag": "Lag", "target": "Target", "p_value": "p-value",
               "q_value": "q-value", "strength": "Strength", "score": "Score"}  # fmt: skip
    text = ("source", "target")
    head = "".join(
        f'<th class="plain{"" if name in text else " num"}">{title}</th>'
        for name, title in columns.items()
    )
    rows = "".join(
        "<tr>" + "".join(_cell(link.get(name)) for name in columns) + "</tr>" for link in links
    )
    return (
        f'{note}<div class="scroll tablebox" tabindex="0" role="region" aria-label="Table of '
        f'candidates"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return f"<td>{isolate(visible(value))}</td>"
    known = finite(value)
    return f'<td class="num">{"–" if known is None else escape(f"{known:.3g}")}</td>'


def _lag_unit(info: dict[str, Any]) -> str:
    """How long a lag is."""
    said = info.get("one_lag")
    if said:
        return f"One lag is {escape(visible(said))}: t−2 is two of them earlier."
    return "A lag counts time steps, the rows of the table: t−2 is two rows earlier."


def _lag_0(info: dict[str, Any]) -> str:
    """What strengths and scores mean at lag 0, if that differs from other lags."""
    said = info.get("strength_at_lag_0")
    return (
        ""
        if said in (None, "", info.get("strength"))
        else f" Strength and score at lag 0: {isolate(visible(said))}."
    )


def _effect_note(discovery: dict[str, Any]) -> str:
    """What effects, their intervals and shares are, if they are known."""
    effects = discovery.get("effects")
    if not effects:
        return ""
    level = finite(effects.get("level"))
    interval = "" if level is None else f" with its {level:.0%} interval"
    return (
        f" Effect: change of the target per unit of the source, in units of the data{interval}; by "
        f"{isolate(visible(effects.get('interval') or 'the model'))}. Slopes of both signs cancel, "
        "which the curve of an edge shows. Share: how much of the target\u2019s variance only this "
        "source explains, beside the others in the graph."
    )


def _variance_note(discovery: dict[str, Any]) -> str:
    """What the column of effects on the variance says, if it is shown."""
    if not any(finite(edge.get("on_variance")) is not None for edge in discovery["edges"]):
        return ""
    return (
        " On variance: the share of the score by which the source changes how widely the target "
        "scatters around its forecast, and not the forecast itself."
    )


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}" if count else f"No {noun}"


def _eyebrow(info: dict[str, Any], max_lag: int) -> str:
    """The method, the longest lag and the number of windows, above the headline."""
    method = str(info.get("title") or info.get("method") or "").replace("_", " ")
    parts = ["Lagged causal graph", method]
    lags = "lag 1" if max_lag == 1 else f"lags up to {max_lag}"
    windows = info.get("n_windows")
    parts += [lags, "" if windows is None else f"{windows:,} windows"]
    return " · ".join(filter(None, map(visible, filter(None, parts))))


def _facts(discovery: dict[str, Any], info: dict[str, Any]) -> str:
    """Settings, model and provenance as lists."""
    outcome = {key: value for key, value in info.items() if key not in _OWN_LIST}
    return "".join(
        facts(title, _flat(values))
        for title, values in {
            "Settings": info.get("settings") or {},
            "Results": outcome,
            "Model": info.get("model") or {},
            "Training": info.get("training") or {},
            "Seconds": info.get("seconds") or {},
            "Provenance": discovery.get("provenance") or {},
        }.items()
    )


def _flat(values: dict[str, Any]) -> dict[str, Any]:
    """Nested dictionaries become one line per entry."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            flat |= {f"{key}: {inner}": _short(what) for inner, what in value.items()}
        else:
            flat[key] = _short(value)
    return flat


def _short(value: Any) -> Any:
    """A value; of long lists and dictionaries only their length."""
    if isinstance(value, list | tuple | dict | np.ndarray) and len(str(value)) > _LONGEST:
        shape = (len(value),) if isinstance(value, dict) else _shape(value)
        return f"{' × '.join(map(str, shape))} values"
    return value


def _shape(values: Any) -> tuple[int, ...]:
    """Shape of an array, or the length of a list of lists of unequal lengths."""
    try:
        return np.shape(values)
    except ValueError:
        return (len(values),)


def _version(discovery: dict[str, Any]) -> Any:
    return (discovery.get("provenance") or {}).get("jaxcause", "")
