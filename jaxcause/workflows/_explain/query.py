"""The output that is explained: where the model computes it, and which token stands for it."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Int

from jaxcause._checks import InputError
from jaxcause.workflows._explain.text_model import Encoded, Outputs, TextModel

TargetToken = str | int | np.integer | None
"""A word, the position of its token, or None for the ``[MASK]`` of the text."""


class OutputQuery(NamedTuple):
    """One model query about the whole text, and its answer.

    Args:
        ids: Tokens from which the output is computed.
        pieces: Tokens of the graph as written: those of ``ids``, followed by the answer where the
            model continues the text.
        words: The word of each of these tokens.
        attended: Tokens of the forward pass whose attention is read.
        kind: ``class``, ``label`` (of a classifier whose texts may have several), ``masked token``
            or ``next token``; None where there is no output.
        position: The position at which the output is read; None where one output belongs to the
            whole sequence, or where it is read at the last token.
        root: The token that stands for the output in the graph; None where there is no output.
        before: The output for the whole text; None where there is no output.
    """

    ids: Int[np.ndarray, "tokens"]
    pieces: tuple[str, ...]
    words: tuple[int | None, ...]
    attended: Int[np.ndarray, "attended"]
    kind: str | None = None
    position: int | None = None
    root: int | None = None
    before: Outputs | None = None


def output_query(text_model: TextModel, text: str, target: TargetToken) -> OutputQuery:
    """Find the output of a text that the model's head defines.

    Raises:
        InputError: The text is empty or too long, the target is not one of its tokens, or the model
            returns numbers instead of classes.
    """
    encoded = text_model.encode(text)
    head = text_model.model.head
    if head != "masked_lm" and target is not None:
        explained = {"lm": "the next token", None: "nothing"}.get(head, "the class of the text")
        raise InputError(
            f"target={target!r} is for masked-language models; this model explains {explained}"
        )
    if head is None:
        return OutputQuery(*encoded, attended=encoded.ids)
    if head == "masked_lm":
        return _masked_token(text_model, encoded, target)
    if head == "sequence_classification":
        text_model.check_classes()
        root = encoded.ids.size - 1 if text_model.model.causal else 0
        return OutputQuery(
            *encoded,
            attended=encoded.ids,
            kind="label" if text_model.multi_label else "class",
            root=root,
            before=_whole_text(text_model, encoded.ids, None),
        )
    return _next_token(text_model, encoded)


def _masked_token(text_model: TextModel, encoded: Encoded, target: TargetToken) -> OutputQuery:
    at = _target_position(text_model, encoded, target)
    ids, pieces = encoded.ids.copy(), list(encoded.pieces)
    ids[at] = text_model.tokenizer.mask_token_id
    pieces[at] = text_model.tokenizer.mask_token
    return OutputQuery(
        ids=ids,
        pieces=tuple(pieces),
        words=encoded.words,
        attended=ids,
        kind="masked token",
        position=at,
        root=at,
        before=_whole_text(text_model, ids, at),
    )


def _next_token(text_model: TextModel, encoded: Encoded) -> OutputQuery:
    ids, n = encoded.ids, encoded.ids.size
    before = _whole_text(text_model, ids, None)
    answer = int(before.best[0])
    if n + 1 > text_model.model.max_length:
        raise InputError(f"text has {n} tokens, which leaves no room for the next one; shorten it")
    return OutputQuery(
        ids=ids,
        pieces=(*encoded.pieces, text_model.name_of(answer)),
        words=(*encoded.words, None),
        attended=np.append(ids, np.int32(answer)).astype(np.int32),
        kind="next token",
        root=n,
        before=before,
    )


def _whole_text(
    text_model: TextModel, ids: Int[np.ndarray, "tokens"], position: int | None
) -> Outputs:
    """The output when nothing is removed."""
    nothing = np.zeros((1, ids.size), bool)
    return text_model.outputs(ids, nothing, position=position, original=None, intervention="pad")


def _target_position(text_model: TextModel, encoded: Encoded, target: TargetToken) -> int:
    """The position of the token that a masked-language model predicts."""
    mask_id, mask = text_model.tokenizer.mask_token_id, text_model.tokenizer.mask_token
    if isinstance(target, int | np.integer) and not isinstance(target, bool):
        target = int(target)
        if not 0 <= target < encoded.ids.size or encoded.words[target] is None:
            raise InputError(f"target={target} is no token of the text; see .tokens of a result")
        return target
    if target is None:
        places = np.flatnonzero(encoded.ids == mask_id)
        if places.size == 0:
            raise InputError(
                f"target is missing: put {mask} into the text, or name the word to explain"
            )
    elif isinstance(target, str):
        places = np.flatnonzero(np.isin(encoded.ids, _token_ids(text_model, target)))
        if places.size == 0:
            raise InputError(
                f"target={target!r} is no single token of the text; its tokens are "
                f"{' '.join(encoded.pieces)}; give one of them, or its position"
            )
    else:
        raise InputError(
            f"target={target!r} is no word and no position; give the word to explain, or the "
            "position of its token"
        )
    if places.size > 1:
        raise InputError(
            f"target={target or mask!r} occurs {places.size} times; name one by its position, "
            f"such as target={int(places[0])}"
        )
    return int(places[0])


def _token_ids(text_model: TextModel, word: str) -> list[int]:
    """Ids of a word that is one token, at the start of a text or after a space.

    All words outside the vocabulary share one token, which says nothing of which word it was.
    """
    tokenizer = text_model.tokenizer
    unknown = None if word == tokenizer.unk_token else tokenizer.unk_token_id
    pieces = (tokenizer.tokenize(spelling) for spelling in (word, " " + word))
    single = [piece for piece in pieces if len(piece) == 1]
    ids = [i for piece in single for i in tokenizer.convert_tokens_to_ids(piece)]
    return [i for i in ids if i != unknown]
