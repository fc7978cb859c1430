"""What is asked about a text: where the output is read, and which tokens are nodes."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from jaxcause._checks import InputError
from jaxcause._typing import AnyArray
from jaxcause.attention import merge_word_pieces
from jaxcause.workflows._explain.text_model import Encoded, Outputs, TextModel


class Question(NamedTuple):
    """What is asked about one text.

    Args:
        ids: Tokens that the output is computed from.
        pieces: Tokens of the graph as written: those of ``ids``, and the answer behind them where
            the model continues a text.
        words: The word of each of them.
        attended: Tokens of the pass from which attention is read.
        kind: Kind of the output.
        position: Where the output is read; None for one of the sequence.
        root: Token of the graph that stands for the output; None where there is no output.
    """

    ids: Int[np.ndarray, "tokens"]
    pieces: tuple[str, ...]
    words: tuple[int | None, ...]
    attended: Int[np.ndarray, "tokens"]
    kind: str | None
    position: int | None
    root: int | None


class Nodes(NamedTuple):
    """Nodes of the graph: tokens or words that were kept.

    Args:
        kept: Which units of the attention they are.
        unit_of_token: The unit of each token.
        names: As written.
        special: Which of them are special tokens.
        root: The node that stands for the output; -1 without one.
        removable: Which may be removed.
    """

    kept: Int[np.ndarray, "nodes"]
    unit_of_token: Int[np.ndarray, "tokens"]
    names: tuple[str, ...]
    special: Bool[np.ndarray, "nodes"]
    root: int
    removable: Bool[np.ndarray, "nodes"]


def question_about(
    text_model: TextModel, encoded: Encoded, target: str | int | None
) -> tuple[Question, Outputs | None]:
    """What the model says about the whole text, and where in the graph that is."""
    head, n = text_model.model.head, encoded.ids.size
    ids, pieces, words = encoded
    if head != "masked_lm" and target is not None:
        raise InputError(
            f"target={target!r} is for masked-language models; this model explains "
            f"{ {'lm': 'the next token', None: 'nothing'}.get(head, 'the class of the text') }"
        )
    if head is None:
        return Question(ids, pieces, words, ids, None, None, None), None
    if head == "masked_lm":
        at = _target_position(text_model, encoded, target)
        masked = ids.copy()
        masked[at] = text_model.tokenizer.mask_token_id
        pieces = (*pieces[:at], text_model.tokenizer.mask_token, *pieces[at + 1 :])
        asked = Question(masked, pieces, words, masked, "masked token", at, at)
        return asked, _whole(text_model, asked)
    if head == "sequence_classification":
        root = n - 1 if text_model.model.causal else 0
        asked = Question(ids, pieces, words, ids, "class", None, root)
        return asked, _whole(text_model, asked)
    before = _whole(text_model, Question(ids, pieces, words, ids, "next token", None, None))
    answer = int(before.best[0])
    if n + 1 > text_model.model.max_length:
        raise InputError(f"text has {n} tokens, which leaves no room for the next one; shorten it")
    name = text_model.name_of(answer)
    return (
        Question(
            ids,
            (*pieces, name),
            (*words, None),
            np.append(ids, np.int32(answer)).astype(np.int32),
            "next token",
            None,
            n,
        ),
        before,
    )


def _whole(text_model: TextModel, asked: Question) -> Outputs:
    nothing = np.zeros((1, asked.ids.size), bool)
    return text_model.outputs(
        asked.ids, nothing, position=asked.position, original=None, intervention="pad"
    )


def _target_position(text_model: TextModel, encoded: Encoded, target: str | int | None) -> int:
    """The token that a masked-language model is asked about."""
    mask_id, mask = text_model.tokenizer.mask_token_id, text_model.tokenizer.mask_token
    if isinstance(target, int):
        if not 0 <= target < encoded.ids.size or encoded.words[target] is None:
            raise InputError(f"target={target} is no token of the text; see .tokens of a result")
        return target
    if target is None:
        places = np.flatnonzero(encoded.ids == mask_id)
        if places.size == 0:
            raise InputError(
                f"target is missing: put {mask} into the text, or name the word to explain"
            )
    else:
        wanted = text_model.tokenizer.tokenize(target)
        wanted = [] if len(wanted) != 1 else text_model.tokenizer.convert_tokens_to_ids(wanted)
        spaced = text_model.tokenizer.tokenize(" " + target)
        if len(spaced) == 1:
            wanted += text_model.tokenizer.convert_tokens_to_ids(spaced)
        places = np.flatnonzero(np.isin(encoded.ids, wanted))
        if places.size == 0:
            raise InputError(
                f"target={target!r} is no single token of the text; "
                f"its tokens are {' '.join(encoded.pieces)}"
            )
    if places.size > 1:
        raise InputError(
            f"target={target or mask!r} occurs {places.size} times; name one by its position, "
            f"such as target={int(places[0])}"
        )
    return int(places[0])


def nodes_of(
    asked: Question, attention: Float[AnyArray, "heads tokens tokens"], units: str
) -> tuple[Nodes, Float[np.ndarray, "heads units units"]]:
    """Tokens or words, without special ones but for the root."""
    n = len(asked.pieces)
    unit_of_token = np.arange(n)
    if units == "words":
        merged = merge_word_pieces(attention, list(asked.words))
        attention, unit_of_token = merged.attention, merged.node_of_token
    n_units = int(unit_of_token.max()) + 1
    of_unit = [np.flatnonzero(unit_of_token == unit) for unit in range(n_units)]
    special = np.array([asked.words[tokens[0]] is None for tokens in of_unit])
    root_unit = -1 if asked.root is None else int(unit_of_token[asked.root])
    kept = np.array([u for u in range(n_units) if not special[u] or u == root_unit], np.int64)
    if kept.size == 0:
        raise InputError("text has no token besides special ones; give at least one word")
    names = tuple(
        "".join(asked.pieces[t].removeprefix("##") for t in of_unit[unit])
        if len(of_unit[unit]) > 1
        else asked.pieces[of_unit[unit][0]]
        for unit in kept
    )
    root = -1 if asked.root is None else int(np.flatnonzero(kept == root_unit)[0])
    removable = (~special[kept]) & (kept != root_unit)
    of_root = special[kept] | ((kept == root_unit) & (asked.kind == "next token"))
    nodes = Nodes(kept, unit_of_token, names, of_root, root, removable)
    return nodes, np.asarray(attention)
