"""Ratings of movies as sessions, and the BERT4Rec that is trained on them."""

import csv
import io
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.cleann.training import fit, say
from jaxcause.models import (
    BERT4RecConfig,
    Pretrained,
    load_pretrained,
    new_bert4rec,
    save_pretrained,
)

MAX_LENGTH = 50
LEAST = 5
BATCH = 64
MASKED = 12
SEED = 0


class Sessions(NamedTuple):
    """Items of each user by time, the last of them held out.

    Args:
        histories: Items 1 … n_items of each user without the last.
        held_out: The last item of each user.
        movies: The movie id of each item, from item 1 on.
    """

    histories: list[list[int]]
    held_out: np.ndarray
    movies: list[int]

    @property
    def n_items(self) -> int:
        """Number of items."""
        return len(self.movies)


def read(archive: Path) -> list[tuple[int, int, int]]:
    """User, movie and time of every rating."""
    with zipfile.ZipFile(archive) as files:
        text = files.read("ml-latest-small/ratings.csv").decode()
    rows = csv.DictReader(io.StringIO(text))
    return [(int(r["userId"]), int(r["movieId"]), int(r["timestamp"])) for r in rows]


def sessions(ratings: list[tuple[int, int, int]]) -> Sessions:
    """Movies with fewer than five ratings are dropped, then users with fewer than five movies.

    The ratings of one second keep the order of the file.
    """
    count = Counter(movie for _, movie, _ in ratings)
    movies = sorted(movie for movie, n in count.items() if n >= LEAST)
    number = {movie: at + 1 for at, movie in enumerate(movies)}
    by_user: dict[int, list[tuple[int, int]]] = {}
    for user, movie, when in ratings:
        if movie in number:
            by_user.setdefault(user, []).append((when, number[movie]))
    lines = [
        [item for _, item in sorted(rated, key=lambda r: r[0])]
        for _, rated in sorted(by_user.items())
        if len(rated) >= LEAST
    ]
    return Sessions([line[:-1] for line in lines], np.array([line[-1] for line in lines]), movies)


def windows(histories: list[list[int]], length: int) -> np.ndarray:
    """Pieces of at most ``length`` items that overlap by half, padded on the left."""
    rows = []
    for line in histories:
        for end in range(len(line), 0, -(length // 2)):
            piece = line[max(0, end - length) : end]
            rows.append([0] * (length - len(piece)) + piece)
            if end <= length:
                break
    return np.array(rows, np.int32)


def masked(
    rows: np.ndarray, mask_id: int, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Hide a fifth of the items, or, in every second row, the last one alone.

    Returns:
        The rows with items hidden; the places that were, the items there, and which count.
    """
    n, length = rows.shape
    chance = np.where(rows > 0, generator.random(rows.shape), 2.0)
    hidden = np.argsort(chance, axis=1)[:, :MASKED]
    counts = np.take_along_axis(chance, hidden, axis=1) < 0.2
    last = generator.random(n) < 0.5
    hidden[last, 0], counts[last, 0], counts[last, 1:] = length - 1, True, False
    items = np.take_along_axis(rows, hidden, axis=1)
    inputs = rows.copy()
    at = np.arange(n)[:, None]
    inputs[np.broadcast_to(at, hidden.shape)[counts], hidden[counts]] = mask_id
    return inputs, hidden.astype(np.int32), items, counts


def batches(rows: np.ndarray, mask_id: int, epochs: int) -> Iterator[tuple[np.ndarray, ...]]:
    """Masked batches of all windows, in random order."""
    generator = np.random.default_rng(SEED)
    for _ in range(epochs):
        order = generator.permutation(len(rows))
        for at in range(0, len(order) - BATCH + 1, BATCH):
            yield masked(rows[order[at : at + BATCH]], mask_id, generator)


def trained(data: Sessions, folder: Path, *, epochs: int) -> Pretrained:
    """A BERT4Rec of two layers, from ``folder`` if it was trained before."""
    if (folder / "model.safetensors").exists():
        return load_pretrained(folder)
    sizes = BERT4RecConfig(data.n_items, max_length=MAX_LENGTH, hidden_size=64, n_heads=2)
    model = new_bert4rec(sizes, key=jax.random.key(SEED))
    rows = windows(data.histories, MAX_LENGTH)
    n_steps = epochs * (len(rows) // BATCH)

    def loss_fn(params, batch, key):
        inputs, hidden, items, counts = batch
        states = model.apply(params, inputs, dropout_key=key).hidden_states[-1]
        module = model.apply.model(params)
        some = jnp.take_along_axis(states, hidden[..., None], axis=1)
        logits = module.head(some, module.embeddings.words, None)
        log_p = jnp.take_along_axis(jax.nn.log_softmax(logits), items[..., None], axis=-1)[..., 0]
        return -jnp.where(counts, log_p, 0.0).sum() / counts.sum()

    params = fit(
        loss_fn,
        model.params,
        batches(rows, sizes.mask_id, epochs),
        n_steps,
        key=jax.random.key(SEED + 1),
        name="BERT4Rec",
        peak=2e-3,
    )
    save_pretrained(model, folder, params=params)
    say(f"saved {folder}")
    return load_pretrained(folder)


def ranking(scores: np.ndarray, held_out: np.ndarray, seen: list[list[int]]) -> dict[str, float]:
    """HR@10 and NDCG@10 among all items that a user has not seen.

    Args:
        scores: ``[users, items + 1]``, of item 0 too.
        held_out: The item that came next.
        seen: Items of each user before.
    """
    scores = np.array(scores, np.float64)
    scores[:, 0] = -np.inf
    for row, items in zip(scores, seen, strict=True):
        row[[item for item in items]] = -np.inf
    own = scores[np.arange(len(scores)), held_out]
    rank = (scores > own[:, None]).sum(axis=1)
    hit = rank < 10
    return {"HR@10": float(hit.mean()), "NDCG@10": float((hit / np.log2(rank + 2)).mean())}


def next_item_scores(model: Pretrained, data: Sessions) -> np.ndarray:
    """Logits of every item after each history."""
    n_items = data.n_items
    forward = jax.jit(lambda params, rows: model.apply(params, rows).logits[:, -1, : n_items + 1])
    rows = np.array([asking(line, n_items + 1, MAX_LENGTH) for line in data.histories], np.int32)
    out = []
    for at in range(0, len(rows), BATCH):
        filled = np.resize(np.arange(at, min(at + BATCH, len(rows))), BATCH)
        out.append(np.asarray(forward(model.params, rows[filled]))[: len(rows) - at])
    return np.concatenate(out)


def asking(line: list[int], mask_id: int, length: int) -> list[int]:
    """The newest items and the mask for the next one, padded on the left."""
    newest = line[-(length - 1) :]
    return [0] * (length - 1 - len(newest)) + newest + [mask_id]


def popularity(data: Sessions) -> np.ndarray:
    """How often each item occurs in the histories, the same for every user."""
    count = np.bincount(np.concatenate(data.histories), minlength=data.n_items + 1)
    return np.broadcast_to(count, (len(data.histories), count.size))
