"""From a text to the causal graph over its tokens, and to what explains the model's output."""

import os
from collections.abc import Callable
from typing import Literal

import numpy as np
from jaxtyping import Bool

from jaxcause._checks import InputError, check_at_least, check_choice, check_probability
from jaxcause.attention import Explanations, abcd, cleann
from jaxcause.discovery import SearchResult
from jaxcause.graph import CausalGraph
from jaxcause.workflows._explain.question import Nodes, Question, nodes_of, question_about
from jaxcause.workflows._explain.result import Target, TextExplanation
from jaxcause.workflows._explain.text_model import Intervention, Outputs, TextModel

BATCH = 32


def explain(
    model: str | os.PathLike[str] | TextModel,
    text: str,
    target: str | int | None = None,
    *,
    layer: int = -1,
    heads: Literal["mean", "union"] = "union",
    units: Literal["tokens", "words"] = "tokens",
    alpha: float = 0.01,
    n_samples: int | None = None,
    one_sided: bool = False,
    shrinkage: float | None = None,
    max_cond_size: int | None = None,
    intervention: Intervention | None = None,
    max_size: int | None = 4,
    max_range: int | None = None,
    n_larger: int = 12,
    every: bool = False,
    max_queries: int | None = 500,
    time_limit: float | None = None,
) -> TextExplanation:
    """Learn the causal graph over the tokens of a text, and what explains the model's output.

    Attention of one layer is read as a structural equation model over tokens (`abcd`); sets of
    tokens near the output in that graph are removed, until the output changes (`cleann`). What the
    output is depends on the model's head: the class of the text, the token behind ``[MASK]``, or
    the next token of a GPT. A model without a head has no output: the graph alone comes back.

    Args:
        model: Folder of a Hugging Face model, the name of one on the hub, or a `TextModel`.
        text: The text.
        target: For a masked-language model the word that is masked and explained, or the position
            of its token; by default the ``[MASK]`` in the text.
        layer: The layer whose attention is read; -1 is the deepest.
        heads: ``union`` explains by the graphs of all heads together, which needs the fewest
            queries (see the benchmark ``cleann_sentiment``); ``mean`` by that of the averaged
            heads. The result holds the graph of each head either way.
        units: Whether nodes are tokens or whole words.
        alpha: Tokens are taken as independent given S iff p > alpha.
        n_samples: Samples behind the correlations; by default the model's hidden size.
        one_sided: Take negative partial correlations as independent.
        shrinkage: Intensity of shrinkage of the correlations, in [0, 1]; none by default.
        max_cond_size: Largest conditioning set of the search; no limit by default.
        intervention: What removing is: ``mask`` puts the mask token there, ``pad`` hides the token
            from attention, ``delete`` takes it out. By default ``mask`` where there is one.
        max_size: Most tokens of the sets that the graph proposes.
        max_range: Largest distance in the graph; no limit by default.
        n_larger: Queries to keep for larger sets, the tokens that the output attends to most, where
            no set of the graph explains it (see the benchmarks); 0 for none.
        every: Find all minimal explanations within the limits, not only the first.
        max_queries: Most versions of the text that the model is asked about.
        time_limit: Seconds after which no further batch is asked.

    Returns:
        ``.graph``, ``.explanations``, ``.tokens``, ``.attention``, and ``.to_dict()`` with all of
        what `write_explanation` writes.

    Raises:
        InputError: The folder holds no model or tokeniser, the text is empty or too long, the
            target is not in it, or an option is not known.

    Source: Rohekar, Gurwicz & Nisimov (2023), arXiv 2310.20307.
    """
    check_choice("heads", heads, ("mean", "union"))
    check_choice("units", units, ("tokens", "words"))
    check_probability("alpha", alpha)
    text_model = model if isinstance(model, TextModel) else TextModel.load(model)
    pretrained = text_model.model
    if not -pretrained.n_layers <= layer < pretrained.n_layers:
        raise InputError(f"layer={layer} does not exist; the model has {pretrained.n_layers}")
    how: Intervention = intervention or (
        "pad" if text_model.tokenizer.mask_token_id is None else "mask"
    )
    check_choice("intervention", how, ("mask", "pad", "delete"))
    if how == "mask" and text_model.tokenizer.mask_token_id is None:
        raise InputError(
            "intervention='mask' needs a mask token, and this tokeniser has none; choose pad or "
            "delete"
        )
    samples = pretrained.hidden_size if n_samples is None else n_samples
    check_at_least("n_samples", samples, 1)

    encoded = text_model.encode(text)
    asked, before = question_about(text_model, encoded, target)
    nodes, attention = nodes_of(asked, text_model.attention(asked.attended)[layer], units)
    views = np.concatenate([attention.mean(axis=0, keepdims=True, dtype=np.float64), attention])
    found = abcd(
        views,
        samples,
        alpha=alpha,
        nodes=nodes.kept,
        order="causal" if pretrained.causal else None,
        one_sided=one_sided,
        shrinkage=shrinkage,
        max_cond_size=max_cond_size,
    )
    explanations, after = None, None
    if before is not None:
        verify = _verifier(text_model, asked, nodes, before, how)
        explanations = cleann(
            _of_heads(found, heads),
            nodes.root,
            lambda removed: verify(removed).best != before.best[0],
            max_size=max_size,
            max_range=max_range,
            removable=nodes.removable,
            # Of equally near tokens first those that the output attends to most.
            weights=views[0, nodes.kept[nodes.root], nodes.kept],
            n_larger=n_larger,
            every=every,
            batch_size=BATCH,
            max_queries=max_queries,
            time_limit=time_limit,
        )
        after = _outputs_without(verify, explanations, len(nodes.kept))
    settings = {
        "layer": layer % pretrained.n_layers,
        "heads": heads,
        "units": units,
        "alpha": alpha,
        "n_samples": samples,
        "one_sided": one_sided,
        "shrinkage": shrinkage,
        "order": "causal" if pretrained.causal else None,
        "max_cond_size": max_cond_size,
        "intervention": how,
        "max_size": max_size,
        "max_range": max_range,
        "n_larger": n_larger,
        "max_queries": max_queries,
    }
    return TextExplanation(
        text=text,
        tokens=nodes.names,
        special=nodes.special,
        attention=views[:, nodes.kept[:, None], nodes.kept[None, :]],
        whole_attention=views,
        kept=nodes.kept,
        search=found,
        target=None if before is None else Target(asked.kind or "", nodes.root, before),
        explanations=explanations or Explanations((), 0, "not found"),
        after=after,
        name_of=text_model.name_of,
        model={
            "name": text_model.name,
            "architecture": pretrained.architecture,
            "head": pretrained.head,
            "n_layers": pretrained.n_layers,
            "n_heads": pretrained.n_heads,
            "hidden_size": pretrained.hidden_size,
        },
        settings=settings,
    )


def _verifier(
    text_model: TextModel, asked: Question, nodes: Nodes, before: Outputs, how: Intervention
) -> Callable[[Bool[np.ndarray, "sets nodes"]], Outputs]:
    """The model's outputs with nodes removed."""
    n = asked.ids.size

    def outputs(removed: np.ndarray) -> Outputs:
        of_unit = np.zeros((len(removed), int(nodes.unit_of_token.max()) + 1), bool)
        of_unit[:, nodes.kept] = removed
        return text_model.outputs(
            asked.ids,
            of_unit[:, nodes.unit_of_token][:, :n],
            position=asked.position,
            original=int(before.best[0]),
            intervention=how,
        )

    return outputs


def _outputs_without(
    verify: Callable[[np.ndarray], Outputs], explanations: Explanations, n_nodes: int
) -> Outputs | None:
    """What the model says without each explanation."""
    found = explanations.found
    if not found:
        return None
    removed = np.zeros((-(-len(found) // BATCH) * BATCH, n_nodes), bool)
    for row, explanation in zip(removed, found, strict=False):
        row[list(explanation.nodes)] = True
    parts = [verify(removed[start : start + BATCH]) for start in range(0, len(removed), BATCH)]
    return Outputs(*(np.concatenate(fields)[: len(found)] for fields in zip(*parts, strict=True)))


def _of_heads(found: SearchResult, heads: str) -> CausalGraph:
    marks = np.asarray(found.graph.marks)
    return CausalGraph(marks[0] if heads == "mean" else marks[1:])
