"""The causal graphs over the tokens of a text, one for the mean over heads and one per head."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from jaxcause._checks import InputError
from jaxcause.attention import abcd, merge_word_pieces
from jaxcause.discovery import SearchResult
from jaxcause.workflows._explain.query import OutputQuery
from jaxcause.workflows._explain.settings import ExplainSettings
from jaxcause.workflows._explain.text_model import TextModel


class TokenNodes(NamedTuple):
    """The nodes of the graphs, which are some of the units (tokens or words) of the text.

    Args:
        kept: The unit of each node.
        unit_of_token: The unit of each token.
        names: The nodes as written.
        special: Whether a node is a special token or the answer of the model.
        root: The node that stands for the output; -1 without one.
        removable: Whether a node may be removed.
    """

    kept: Int[np.ndarray, "nodes"]
    unit_of_token: Int[np.ndarray, "tokens"]
    names: tuple[str, ...]
    special: Bool[np.ndarray, "nodes"]
    root: int
    removable: Bool[np.ndarray, "nodes"]


class TokenGraphs(NamedTuple):
    """Graphs over the tokens; the axis ``views`` holds the mean over heads, then each head.

    Args:
        nodes: The nodes of every graph.
        attention: Attention among all units of the text.
        search: The graphs, their separating sets and p-values.
    """

    nodes: TokenNodes
    attention: Float[np.ndarray, "views units units"]
    search: SearchResult


def token_graphs(
    text_model: TextModel, query: OutputQuery, settings: ExplainSettings
) -> TokenGraphs:
    """Learn the graphs from the attention of one layer.

    Raises:
        InputError: The text has special tokens only.
    """
    attention = text_model.attention(query.attended)[settings.layer]
    unit_of_token = np.arange(len(query.pieces))
    if settings.units == "words":
        merged = merge_word_pieces(attention, list(query.words))
        attention, unit_of_token = np.asarray(merged.attention), merged.node_of_token
    nodes = _nodes(query, unit_of_token)
    views = np.concatenate([attention.mean(axis=0, keepdims=True, dtype=np.float64), attention])
    search = abcd(
        views,
        settings.n_samples,
        alpha=settings.alpha,
        nodes=nodes.kept,
        order=settings.order,
        one_sided=settings.one_sided,
        shrinkage=settings.shrinkage,
        max_cond_size=settings.max_cond_size,
        mesh=text_model.mesh,
    )
    return TokenGraphs(nodes, views, search)


def _nodes(query: OutputQuery, unit_of_token: Int[np.ndarray, "tokens"]) -> TokenNodes:
    """All units but the special tokens; the root is a node even if it is one of them."""
    n_units = int(unit_of_token.max()) + 1
    tokens_of_unit = [np.flatnonzero(unit_of_token == unit) for unit in range(n_units)]
    special = np.array([query.words[tokens[0]] is None for tokens in tokens_of_unit])
    root_unit = -1 if query.root is None else int(unit_of_token[query.root])
    kept = np.array([u for u in range(n_units) if not special[u] or u == root_unit], np.int64)
    if kept.size == 0:
        raise InputError("text has no token besides special ones; give at least one word")
    is_root = kept == root_unit
    return TokenNodes(
        kept,
        unit_of_token,
        names=tuple(_name(query.pieces, tokens_of_unit[unit]) for unit in kept),
        special=special[kept] | (is_root & (query.kind == "next token")),
        root=-1 if query.root is None else int(np.flatnonzero(is_root)[0]),
        removable=~special[kept] & ~is_root,
    )


def _name(pieces: tuple[str, ...], tokens: Int[np.ndarray, "tokens"]) -> str:
    """A unit as written: a token, or a word joined from its pieces."""
    if len(tokens) == 1:
        return pieces[tokens[0]]
    return "".join(pieces[token].removeprefix("##") for token in tokens)
