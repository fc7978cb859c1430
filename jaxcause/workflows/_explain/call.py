"""From a text to the causal graph over its tokens, and to what explains the model's output."""

import os
from collections.abc import Sequence
from typing import Literal

import numpy as np
from jax.sharding import Mesh

from jaxcause._checks import InputError, check_choice, check_probability
from jaxcause.sharding import is_local
from jaxcause.workflows._cache import kept_programs
from jaxcause.workflows._explain.explained import Target
from jaxcause.workflows._explain.graphs import TokenGraphs, token_graphs
from jaxcause.workflows._explain.progress import progress_line
from jaxcause.workflows._explain.query import OutputQuery, output_query
from jaxcause.workflows._explain.removal import RemovalSets, removal_sets
from jaxcause.workflows._explain.result import TextExplanation
from jaxcause.workflows._explain.settings import ExplainSettings, resolve_settings
from jaxcause.workflows._explain.text_model import Intervention, TextModel


@kept_programs()
def explain(
    model: str | os.PathLike[str] | TextModel,
    text: str,
    target: str | int | np.integer | None = None,
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
    labels: Sequence[str] | None = None,
    progress: bool = True,
    mesh: Mesh | None = None,
) -> TextExplanation:
    """Learn the causal graph over the tokens of a text, and what explains the model's output.

    The attention of one layer is read as a structural equation model over tokens (`abcd`). Sets of
    tokens near the output in that graph are removed until the output changes (`cleann`). The
    model's head defines the output: the class of the text, the token behind ``[MASK]``, or the next
    token of a GPT. A model without a head has no output, and the result holds its graph alone.

    What is compiled is kept for the next process (``JAXCAUSE_CACHE=off`` turns this off).

    Args:
        model: Folder of a Hugging Face model, the name of one on the hub, or a `TextModel`.
        text: The text.
        target: For a masked-language model the word that is masked and explained, or the position
            of its token; by default the ``[MASK]`` in the text.
        layer: The layer whose attention is read; -1 is the deepest.
        heads: ``union`` draws candidate sets from the graphs of all heads, which needs the fewest
            queries (see the benchmark ``cleann_sentiment``); ``mean`` draws them from the graph of
            the averaged heads. The result holds the graph of each head either way.
        units: Whether nodes are tokens or whole words.
        alpha: Significance level: tokens count as independent given S iff p > alpha.
        n_samples: Number of samples behind the correlations; by default the model's hidden size.
        one_sided: Whether negative partial correlations count as independent.
        shrinkage: Intensity of the shrinkage of correlations, in [0, 1]; none by default.
        max_cond_size: Largest conditioning set of the search; no limit by default.
        intervention: How tokens are removed: ``mask`` replaces them by the mask token, ``pad``
            hides them from attention, ``delete`` takes them out. By default ``mask`` if the
            tokeniser has a mask token, else ``pad``.
        max_size: Largest set of tokens that the graph proposes.
        max_range: Largest distance of a token from the output in the graph; no limit by default.
        n_larger: Model queries kept for larger sets. If no set from the graph explains the output,
            they try growing sets of the tokens that it attends to most (see the benchmarks).
        every: Whether to find all minimal explanations within the limits, not only the first.
        max_queries: Largest number of model queries; each is one version of the text.
        time_limit: Seconds after which no further batch is sent to the model.
        labels: Names of the classes, in their order, instead of ``id2label`` of the model.
        progress: Whether to draw one line of progress on stderr.
        mesh: Devices that share the search and the model queries (`jaxcause.sharding.row_mesh`);
            those of the `TextModel`, or else one device, by default. Graphs are those of one
            device, and probabilities, too, but for rounding.

    Returns:
        ``.graph``, ``.explanations``, ``.tokens``, ``.attention``, and ``.to_dict()`` with
        everything that `write_explanation` writes.

    Raises:
        InputError: The folder holds no model or tokeniser, the text is empty or too long, the
            target is not in the text, an option is not known, the mesh has several axes, or a mesh
            of several processes is given a time limit.

    Source: Rohekar, Gurwicz & Nisimov (2023), arXiv 2310.20307.
    """
    check_choice("heads", heads, ("mean", "union"))
    check_choice("units", units, ("tokens", "words"))
    check_probability("alpha", alpha)
    with progress_line(show=progress) as tell:
        if not isinstance(model, TextModel):
            tell("loading the model")
            model = TextModel.load(model)
        text_model = model if labels is None else model.with_labels(labels)
        if mesh is not None and mesh != text_model.mesh:
            text_model = text_model.on(mesh)
        shared = text_model.mesh
        if time_limit is not None and shared is not None and not is_local(shared):
            raise InputError(
                f"time_limit={time_limit} ends the search at other queries in each of several "
                "processes; give max_queries"
            )
        settings = resolve_settings(
            text_model,
            layer=layer,
            heads=heads,
            units=units,
            alpha=alpha,
            n_samples=n_samples,
            one_sided=one_sided,
            shrinkage=shrinkage,
            max_cond_size=max_cond_size,
            intervention=intervention,
            max_size=max_size,
            max_range=max_range,
            n_larger=n_larger,
            every=every,
            max_queries=max_queries,
            time_limit=time_limit,
        )
        query = output_query(text_model, text, target)
        tell("learning the graphs of all heads")
        graphs = token_graphs(text_model, query, settings)
        tell("asking the model")
        removed = removal_sets(text_model, query, graphs, settings, tell)
    return _result(text, text_model, settings, query, graphs, removed)


def _result(
    text: str,
    text_model: TextModel,
    settings: ExplainSettings,
    query: OutputQuery,
    graphs: TokenGraphs,
    removed: RemovalSets,
) -> TextExplanation:
    """What the stages found, together."""
    nodes, before, pretrained = graphs.nodes, query.before, text_model.model
    sizes = ("architecture", "head", "n_layers", "n_heads", "hidden_size")
    return TextExplanation(
        text=text,
        tokens=nodes.names,
        special=nodes.special,
        attention=graphs.attention[:, nodes.kept[:, None], nodes.kept[None, :]],
        whole_attention=graphs.attention,
        kept=nodes.kept,
        search=graphs.search,
        target=None if before is None else Target(query.kind or "", nodes.root, before),
        explanations=removed.explanations,
        after=removed.after,
        name_of=text_model.name_of,
        model={"name": text_model.name, **{name: getattr(pretrained, name) for name in sizes}},
        settings=settings.reported(),
    )
