"""The arrays of an explanation at full precision, as JSON that can be read back."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxcause._checks import InputError
from jaxcause.attention import Explanation, Explanations
from jaxcause.discovery import SearchResult
from jaxcause.discovery._result import SearchInfo
from jaxcause.graph import CausalGraph, SepSets
from jaxcause.workflows._explain.document import SCHEMA
from jaxcause.workflows._explain.explained import ExplainedText, Target
from jaxcause.workflows._explain.text_model import Outputs
from jaxcause.workflows._saved import pack, unpack


def explanation_state(explained: ExplainedText) -> dict[str, Any]:
    """Arrays at full precision, and the names of the outputs that occur."""
    search, target, after = explained.search, explained.target, explained.after
    outputs = [] if target is None else target.before.best.tolist()
    outputs += [] if after is None else after.best.tolist()
    levels = None if search.levels is None else pack(search.levels.marks)
    return {
        "attention": pack(explained.whole_attention),
        "kept": pack(explained.kept),
        "marks": pack(search.graph.marks),
        "levels": levels,
        "p_values": pack(search.p_values),
        "sepsets": {"nodes": pack(search.sepsets.nodes), "found": pack(search.sepsets.found)},
        "info": {name: pack(value) for name, value in search.info._asdict().items()},
        "before": None if target is None else _packed(target.before),
        "after": None if after is None else _packed(after),
        "outputs": {str(index): explained.name_of(index) for index in sorted(set(outputs))},
    }


def explanation_fields(document: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of the `ExplainedText` that was written to a document.

    Raises:
        InputError: The document holds the page alone, or does not follow the schema.
    """
    state = document.get("state")
    if not isinstance(state, Mapping):
        raise InputError("the document holds a page without its state; write it by to_json")
    try:
        return _fields(document, state)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise InputError(f"the document does not follow {SCHEMA}: {error!r}") from None


def _fields(document: Mapping[str, Any], state: Mapping[str, Any]) -> dict[str, Any]:
    attention, kept = unpack(state["attention"]), unpack(state["kept"])
    names = {int(index): str(name) for index, name in state["outputs"].items()}
    target, before, after = document["target"], state["before"], state["after"]
    if not len(document["tokens"]) == len(document["node_kinds"]) == len(kept):
        raise ValueError("tokens, node_kinds and kept differ in length")
    if missing := {"alpha", "max_size"} - set(document["settings"]):
        raise ValueError(f"settings lack {', '.join(sorted(missing))}")
    return {
        "text": document["text"],
        "tokens": tuple(document["tokens"]),
        "special": np.array([kind == "special" for kind in document["node_kinds"]], bool),
        "attention": attention[:, kept[:, None], kept[None, :]],
        "whole_attention": attention,
        "kept": kept,
        "search": _search(state),
        "target": None
        if target is None
        else Target(target["kind"], target["node"], _outputs(before)),
        "explanations": Explanations(
            tuple(
                Explanation(tuple(one["nodes"]), tuple(one["distances"]), one["n_queries"])
                for one in document["explanations"]
            ),
            document["search"]["n_queries"],
            document["search"]["status"],
        ),
        "after": None if after is None else _outputs(after),
        "name_of": lambda index: names.get(index, f"output {index}"),
        "model": dict(document["model"]),
        "settings": dict(document["settings"]),
    }


def _search(state: Mapping[str, Any]) -> SearchResult:
    info = {name: unpack(value) for name, value in state["info"].items()}
    # Folders of earlier versions do not hold these.
    marks = unpack(state["marks"])
    for name in ("indistinct", "nearly_indistinct"):
        info.setdefault(name, np.zeros(marks.shape, bool))
    info.setdefault("n_cyclic", np.zeros(marks.shape[:-2], np.int64))
    return SearchResult(
        graph=CausalGraph(unpack(state["marks"])),
        sepsets=SepSets(**{name: unpack(value) for name, value in state["sepsets"].items()}),
        p_values=unpack(state["p_values"]),
        info=SearchInfo(**info),
        levels=None if state["levels"] is None else CausalGraph(unpack(state["levels"])),
    )


def _packed(outputs: Outputs) -> dict[str, Any]:
    return {name: pack(value) for name, value in outputs._asdict().items()}


def _outputs(packed: Mapping[str, Any]) -> Outputs:
    return Outputs(**{name: unpack(value) for name, value in packed.items()})
