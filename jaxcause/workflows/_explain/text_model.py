"""A pre-trained Transformer with its tokeniser: its attention, and its output without tokens."""

import dataclasses
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import Bool, Float, Int

from jaxcause._checks import InputError
from jaxcause.models import Pretrained, load_pretrained
from jaxcause.sharding import check_row_mesh, padded_rows, replicate

Intervention = Literal["mask", "pad", "delete"]
_LENGTHS = (8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024)


class Encoded(NamedTuple):
    """The tokens of one text.

    Args:
        ids: Token ids, with those of special tokens.
        pieces: The tokens as written.
        words: The word of each token; None for special tokens.
    """

    ids: Int[np.ndarray, "tokens"]
    pieces: tuple[str, ...]
    words: tuple[int | None, ...]


class Outputs(NamedTuple):
    """The outputs of a model for several versions of a text.

    Args:
        best: Index of the most probable output.
        probability: Its probability; where a text may have several labels, that of this label
            alone (sigmoid).
        of_original: Probability of the most probable output of the whole text.
        rank: Rank of that output by probability, from 1.
    """

    best: Int[np.ndarray, "sets"]
    probability: Float[np.ndarray, "sets"]
    of_original: Float[np.ndarray, "sets"]
    rank: Int[np.ndarray, "sets"]


@dataclasses.dataclass(frozen=True, eq=False)
class TextModel:
    """A model and its tokeniser; loading it once serves many texts.

    Args:
        model: The model.
        tokenizer: A Hugging Face tokeniser.
        name: The name of the model in results.
        mesh: Devices that share the versions of a text; see `on`.
    """

    model: Pretrained
    tokenizer: Any
    name: str
    mesh: Mesh | None = None

    @classmethod
    def load(
        cls, path_or_id: str | os.PathLike[str], *, labels: Sequence[str] | None = None
    ) -> "TextModel":
        """Load a folder or a model of the hub; see `jaxcause.models.load_pretrained`.

        Args:
            path_or_id: The folder, or the name on the hub.
            labels: Names of the classes, in their order; by default those of ``id2label`` in the
                model's configuration.

        Raises:
            InputError: There is no model, or ``labels`` does not name each class once.
        """
        model = load_pretrained(path_or_id)
        if model.architecture == "bert4rec":
            raise InputError(f"{path_or_id} recommends items; it has no text to explain")
        assert model.folder is not None
        found = cls(model, _tokenizer(model.folder), Path(path_or_id).name)
        return found if labels is None else found.with_labels(labels)

    def with_labels(self, labels: Sequence[str]) -> "TextModel":
        """The same model with other names of its classes, in their order.

        Raises:
            InputError: The model has no classes, or their number or a name is wrong.
        """
        if self.model.head != "sequence_classification":
            raise InputError(
                "labels is for classifiers, and this model has no classes; leave it out"
            )
        n, names = len(self.model.label_names), tuple(map(str, labels))
        if isinstance(labels, str) or len(names) != n or len(set(names)) != n:
            raise InputError(
                f"labels={labels!r} must be {n} different names, one per class; the model calls "
                f"them {', '.join(self.model.label_names)}"
            )
        return dataclasses.replace(self, model=dataclasses.replace(self.model, label_names=names))

    def on(self, mesh: Mesh) -> "TextModel":
        """The same model on every device of a mesh, which share the versions of a text.

        Raises:
            InputError: The mesh has several axes.
        """
        check_row_mesh(mesh)
        model = dataclasses.replace(self.model, params=replicate(self.model.params, mesh))
        return dataclasses.replace(self, model=model, mesh=mesh)

    @property
    def multi_label(self) -> bool:
        """Whether a text may have several labels, each with a probability of its own."""
        return self.model.raw.get("problem_type") == "multi_label_classification"

    def check_classes(self) -> None:
        """Refuse a classifier that has no classes to choose from.

        Raises:
            InputError: It returns numbers (regression), or has one class or label.
        """
        n, problem = len(self.model.label_names), self.model.raw.get("problem_type")
        if problem == "regression" or n == 1:
            said = f"problem_type={problem!r} and {n} output{'s' * (n != 1)} in config.json"
            raise InputError(
                f"{self.name} has no classes to explain ({said}): it returns numbers, or the same "
                "class for all texts; give a model with two classes or more"
            )

    @property
    def unnamed_classes(self) -> bool:
        """Whether its classes have only the names LABEL_0, LABEL_1 and so on."""
        names = self.model.label_names or ()
        return bool(names) and all(name == f"LABEL_{k}" for k, name in enumerate(names))

    def encode(self, text: str) -> Encoded:
        """Tokens of a text.

        Raises:
            InputError: The text is no string, empty, or longer than the model allows.
        """
        if not isinstance(text, str):
            raise InputError(
                f"text is {type(text).__name__}, not a string; give one text, and call again for "
                "the next"
            )
        if not text.strip():
            raise InputError("text is empty; give at least one word")
        try:
            text.encode()
            encoding = self.tokenizer(text, verbose=False)
        except UnicodeEncodeError as error:
            raise InputError(
                f"text holds {text[error.start : error.end]!r} at {error.start}, which is no "
                "character of Unicode; remove it"
            ) from None
        except Exception as error:
            # Tokenisers raise errors of their own, such as where they know no token for a word.
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise InputError(
                f"the tokeniser of {self.name} cannot read the text ({reason}); use the files that "
                "belong to the model"
            ) from None
        ids = _ids(encoding["input_ids"], self.model, self.name)
        if ids.size > self.model.max_length:
            raise InputError(
                f"text has {ids.size} tokens, but the model takes {self.model.max_length}; "
                "shorten it or split it"
            )
        pieces = tuple(self.tokenizer.convert_ids_to_tokens(ids.tolist()))
        return Encoded(ids, tuple(readable(piece) for piece in pieces), tuple(encoding.word_ids()))

    def attention(
        self, ids: Int[np.ndarray, "tokens"]
    ) -> Float[np.ndarray, "layers heads tokens tokens"]:
        """Attention of one text in all layers and heads."""
        length = padded_length(ids.size, self.model.max_length)
        padded, mask = self._padded(ids[None], np.ones((1, ids.size), bool), length)
        attention = _attention(self.model.params, padded, mask, apply=self.model.apply)
        return np.asarray(attention)[:, 0, :, : ids.size, : ids.size]

    def outputs(
        self,
        ids: Int[np.ndarray, "tokens"],
        removed: Bool[np.ndarray, "sets tokens"],
        *,
        position: int | None,
        original: int | None,
        intervention: Intervention,
    ) -> Outputs:
        """The model's outputs with tokens removed.

        Args:
            ids: The whole text.
            removed: Which tokens each version lacks.
            position: Where the output is read. None reads a next token at the last token that is
                left; the class of a text needs no position.
            original: Index of the output of the whole text; None where it is not known yet.
            intervention: How tokens are removed.
        """
        rows, mask = self.intervene(ids, removed, intervention)
        if position is None:
            at = mask.shape[1] - 1 - mask[:, ::-1].argmax(axis=1)
        else:
            before = removed[:, :position].sum(axis=1)
            at = position - before if intervention == "delete" else np.full(len(rows), position)
        length = padded_length(ids.size, self.model.max_length)
        versions = (*self._padded(rows, mask, length), at.astype(np.int32))
        n_devices = 1 if self.mesh is None else self.mesh.size
        found = _outputs(
            self.model.params,
            *(padded_rows(field, n_devices)[0] for field in versions),
            np.int32(-1 if original is None else original),
            apply=self.model.apply,
            mesh=self.mesh,
            multi_label=self.multi_label,
        )
        return Outputs(*(np.asarray(field)[: len(rows)] for field in found))

    def intervene(
        self,
        ids: Int[np.ndarray, "tokens"],
        removed: Bool[np.ndarray, "sets tokens"],
        intervention: Intervention,
    ) -> tuple[Int[np.ndarray, "sets tokens"], Bool[np.ndarray, "sets tokens"]]:
        """Token ids and attention masks without the removed tokens."""
        rows = np.tile(ids, (len(removed), 1))
        if intervention == "mask":
            mask_id = np.int32(self.tokenizer.mask_token_id)
            return np.where(removed, mask_id, rows), np.ones(rows.shape, bool)
        if intervention == "pad":
            return rows, ~removed
        order = np.argsort(removed, axis=1, kind="stable")
        kept = np.arange(ids.size)[None] < (~removed).sum(axis=1, keepdims=True)
        return np.take_along_axis(rows, order, axis=1), kept

    def name_of(self, output: int) -> str:
        """The name of an output: a class or a token."""
        if self.model.head == "sequence_classification":
            return self.model.label_names[output]
        return readable(self.tokenizer.convert_ids_to_tokens(int(output))).strip() or repr(
            self.tokenizer.decode([int(output)])
        )

    def _padded(
        self, rows: np.ndarray, mask: np.ndarray, length: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Rows and masks of one length.

        The mask hides what is filled in. It is a token of the model, because the padding token of
        a tokeniser may lie beyond its table, where embeddings are NaN.
        """
        extra = [(0, 0), (0, length - rows.shape[1])]
        pad = self.model.config.pad_token_id
        fill = pad if pad is not None and 0 <= pad < self.model.config.vocab_size else 0
        return np.pad(rows, extra, constant_values=fill).astype(np.int32), np.pad(mask, extra)


def _ids(given: list[int], model: Pretrained, name: str) -> Int[np.ndarray, "tokens"]:
    """The numbers of tokens, each of which the model has a row for."""
    known = int(getattr(model.config, "vocab_size", np.iinfo(np.int32).max))
    beyond = [number for number in given if not 0 <= number < known]
    if beyond:
        raise InputError(
            f"the tokeniser of {name} gives the token {beyond[0]}, but the model knows {known:,}; "
            "use the files that belong to the model"
        )
    return np.asarray(given, np.int32)


def readable(piece: str) -> str:
    """A token without the sign by which byte-level tokenisers mark a space before it."""
    return piece.replace("Ġ", "").replace("▁", "") or piece


def padded_length(n: int, largest: int) -> int:
    """The next of a few lengths, so that few programs are compiled."""
    return min(largest, next((length for length in _LENGTHS if length >= n), largest))


def _tokenizer(folder: Path) -> Any:
    # Without any of these files, transformers returns an empty tokeniser.
    if not any((folder / name).is_file() for name in ("tokenizer.json", "vocab.txt", "vocab.json")):
        raise InputError(
            f"{folder} has no tokeniser; put tokenizer.json (or vocab.txt, or vocab.json and "
            "merges.txt) beside the weights"
        )
    os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except Exception as error:
        # transformers raises many kinds of errors for damaged files.
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise InputError(
            f"{folder} has no tokeniser that can be read ({reason}); "
            "put tokenizer.json beside the weights"
        ) from error
    if not tokenizer.is_fast:
        raise InputError(f"the tokeniser of {folder} has no tokenizer.json; save a fast one there")
    return tokenizer


@partial(jax.jit, static_argnames="apply")
def _attention(params: Any, ids: Array, mask: Array, *, apply: Any) -> Array:
    return apply(params, ids, mask).attentions


@partial(jax.jit, static_argnames=("apply", "mesh", "multi_label"))
def _outputs(
    params: Any,
    ids: Array,
    mask: Array,
    at: Array,
    original: Array,
    *,
    apply: Any,
    mesh: Mesh | None,
    multi_label: bool,
) -> tuple[Array, Array, Array, Array]:
    """The outputs of all versions of a text, of which every device of a mesh computes some."""
    if mesh is None:
        return _outputs_of(params, ids, mask, at, original, apply=apply, multi_label=multi_label)
    axis, everywhere = mesh.axis_names[0], PartitionSpec()

    def of_share(*given: Any) -> tuple[Array, Array, Array, Array]:
        found = _outputs_of(*given, apply=apply, multi_label=multi_label)
        return jax.tree.map(lambda field: lax.all_gather(field, axis, tiled=True), found)

    return jax.shard_map(
        of_share,
        mesh=mesh,
        in_specs=(everywhere, *[PartitionSpec(axis)] * 3, everywhere),
        out_specs=everywhere,
        # What has been gathered is the same everywhere, which the check does not see.
        check_vma=False,
    )(params, ids, mask, at, original)


def _outputs_of(
    params: Any,
    ids: Array,
    mask: Array,
    at: Array,
    original: Array,
    *,
    apply: Any,
    multi_label: bool,
) -> tuple[Array, Array, Array, Array]:
    logits = apply(params, ids, mask).logits
    if logits.ndim == 3:
        logits = jnp.take_along_axis(logits, at[:, None, None], axis=1)[:, 0]
    probability = jax.nn.sigmoid(logits) if multi_label else jax.nn.softmax(logits, axis=-1)
    best = logits.argmax(axis=-1).astype(jnp.int32)
    first = jnp.where(original < 0, best, original)
    of_best, of_original = (
        jnp.take_along_axis(probability, which[:, None], axis=-1)[:, 0] for which in (best, first)
    )
    rank = 1 + (probability > of_original[:, None]).sum(axis=-1, dtype=jnp.int32)
    return best, of_best, of_original, rank
