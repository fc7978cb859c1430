"""``python -m benchmarks cleann_recommendation``: why a movie is recommended."""

import functools
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.cleann import movies, study
from benchmarks.cleann.cases import Case, in_batches
from benchmarks.cleann.training import say
from jaxcause.attention import input_x_gradient
from jaxcause.models import Pretrained

ITEMS = 30
ROWS = (16, 64)
EPOCHS = 60
PROTOCOL = {
    "model": f"BERT4Rec, 2 layers, 2 heads, width 64, up to {movies.MAX_LENGTH} items; {EPOCHS} "
    "epochs of AdamW on ml-latest-small.zip without the last item of each user; movies with fewer "
    f"than {movies.LEAST} ratings and users with fewer than {movies.LEAST} of the rest are dropped",
    "ranking": "of all items that the user has not seen",
    "cases": f"the first recommendation of users in random order, from their last {ITEMS} items",
    "nodes": "the items, and the recommendation, fed back as the newest item; it is the target",
    "removal": "deletion; explained if another item that the user has not seen comes first",
}


def run(data: Path | None, out: Path, *, quick: bool = False) -> list[dict]:
    """All rows.

    Args:
        data: Folder with ``ml-latest-small.zip``.
        out: Its ``cache`` keeps the model and its answers.
        quick: Train and explain less, in about a minute.
    """
    archive = study.needed(data, "ml-latest-small.zip")
    cache = study.cache_folder(out, quick)
    given = movies.sessions(movies.read(archive))
    epochs = 5 if quick else EPOCHS
    model = movies.trained(given, cache / "recommendation_model", epochs=epochs)
    rows = study.protocol(**PROTOCOL)
    for name, scores in (
        ("BERT4Rec", movies.next_item_scores(model, given)),
        ("popularity", movies.popularity(given)),
    ):
        reached = movies.ranking(scores, given.held_out, given.histories)
        row = {"table": "Model", "model": name, "users": len(given.held_out), **reached}
        rows.append(row)
        say(str(row))
    sizes = study.QUICK if quick else study.FULL
    order = np.random.default_rng(movies.SEED).permutation(len(given.histories))
    asker = Asker(model, given.n_items)
    cases = [asker.case(f"user {at}", given.histories[at]) for at in order[: sum(sizes)]]
    test, further = sizes.parts(cases[sizes.tune :])
    return rows + study.compare(
        cases[: sizes.tune],
        test,
        further,
        cache / "recommendation.jsonl",
        n_samples=model.hidden_size,
        n_layers=model.n_layers,
        n_heads=model.n_heads,
        short=set(),
        samples=(32, 64, 128, 256),
        quick=quick,
    )


class Asker:
    """The model, queried for its recommendation if items had not been in the session."""

    def __init__(self, model: Pretrained, n_items: int) -> None:
        self.model, self.n_items = model, n_items
        apply = model.apply
        self.embed = jax.jit(apply.embed)
        self.scores = jax.jit(lambda p, rows: apply(p, rows).logits[:, -1, : n_items + 1])
        self.attentions = jax.jit(lambda p, rows: apply(p, rows).attentions)
        self.logit = jax.jit(
            lambda e, p, m, item: jnp.take(
                apply(p, None, m, inputs_embeds=e[None]).logits[0, -1], item
            )
        )

    def case(self, name: str, history: list[int]) -> Case:
        """A user whose first recommendation is explained.

        The nodes are the items of the session and, last, the recommendation itself, which is fed
        back in the place of the question (abduction).
        """
        row = np.array([movies.asking(history, self.n_items + 1, ITEMS + 1)], np.int32)
        seen = np.unique([0, *history])
        scores = np.asarray(self.scores(self.model.params, row), np.float64)
        scores[:, seen] = -np.inf
        best = int(scores[0].argmax())
        old_rank = np.argsort(np.argsort(-scores[0], kind="stable"), kind="stable") + 1
        n = int((row > 0).sum())
        answered = row.copy()
        answered[0, -1] = best
        attention = self.attentions(self.model.params, answered)[:, 0, :, -n:, -n:]
        gradient = input_x_gradient(
            lambda e: self.logit(e, self.model.params, row > 0, best),
            self.embed(self.model.params, row)[0],
        )
        return Case(
            name,
            np.asarray(attention, np.float64),
            n,
            n - 1,
            np.arange(n) < n - 1,
            gradient[-n:],
            float(_softmax(scores)[0, best]),
            functools.partial(self._answers, row[0], seen, best, old_rank),
        )

    def _answers(
        self,
        row: np.ndarray,
        seen: np.ndarray,
        best: int,
        old_rank: np.ndarray,
        removed: np.ndarray,
    ) -> np.ndarray:
        hidden = np.zeros((len(removed), len(row)), bool)
        hidden[:, len(row) - removed.shape[1] :] = removed
        hidden[:, -1] = False
        out = []
        for rows, count in in_batches(hidden, ROWS):
            # Padding gets no attention, and positions count real items only, so this is deletion.
            left = np.where(rows, 0, row).astype(np.int32)
            scores = np.asarray(self.scores(self.model.params, left), np.float64)[:count]
            scores[:, seen] = -np.inf
            new = scores.argmax(axis=1)
            out.append(np.stack([new != best, _softmax(scores)[:, best], old_rank[new]], axis=1))
        return np.concatenate(out)


def _softmax(scores: np.ndarray) -> np.ndarray:
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)
