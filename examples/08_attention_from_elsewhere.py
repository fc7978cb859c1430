"""Attention arrays of any framework: a graph per head, their consensus, and an explanation."""

import importlib.util

import numpy as np

import jaxcause as jc

WORDS, WIDTH, LAYERS, HEADS = "the unbelievable ending moved all of us to tears".split(), 128, 2, 4
PIECES = "[CLS] the un ##believ ##able ending moved all of us to tears [SEP]".split()
WORD_IDS = [None, 0, 1, 1, 1, 2, 3, 4, 5, 6, 7, 8, None]  # as tokenizer(text).word_ids() returns it


def softmax(logits):
    """In float32, as models return it."""
    if importlib.util.find_spec("torch") is not None:
        import torch

        return torch.softmax(torch.tensor(logits), dim=-1).numpy()
    raised = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return raised / raised.sum(axis=-1, keepdims=True)


# Random attention, [layers, heads, tokens, tokens]; replace it by outputs.attentions of your model.
rng = np.random.default_rng(3)
logits = 2.0 * rng.normal(size=(LAYERS, HEADS, len(PIECES), len(PIECES)))
attention = softmax(logits.astype(np.float32))

# Word pieces are merged into words; [CLS] and [SEP] each remain a node.
words = jc.attention.merge_word_pieces(attention, WORD_IDS)
names = ["[CLS]", *WORDS, "[SEP]"]

# All layers and heads in one call. [SEP] is removed after A Aᵀ: it may be a hidden cause.
kept = list(range(len(names) - 1))
found = jc.attention.abcd(words.attention, WIDTH, nodes=kept)
names = [names[node] for node in kept]
print("layer 1, head 0:")
graph = jc.CausalGraph(np.asarray(found.graph.marks)[1, 0])
for edge in graph.edges(names):
    print(" ", *edge)

print("How clearly p-values separate edges from non-edges (0 to 1), [layer, head]:")
print(jc.attention.structural_confidence(found).round(2))

consensus = jc.attention.head_consensus(found.graph)
i, j = np.nonzero(np.triu(consensus.edges))
order = np.argsort(-consensus.edges[i, j], kind="stable")[:5]
print(f"Edges that most of the {LAYERS * HEADS} graphs have:")
for a, b in zip(i[order], j[order], strict=True):
    print(f"  {names[a]} - {names[b]}: {consensus.edges[a, b]}")

# A classifier on top: the sign of a sum at [CLS] in the last layer. Which words explain it?
weight = words.attention[-1].mean(axis=0)[0, kept] * rng.normal(size=len(kept))
why = jc.attention.cleann(
    jc.CausalGraph(np.asarray(found.graph.marks)[-1]),  # the trees of all heads of the last layer
    target=names.index("[CLS]"),
    verify_fn=lambda removed: (~removed @ weight > 0) != (weight.sum() > 0),
    every=True,
    max_size=3,
)
print(f"{why.n_queries} model queries ({why.status}). Each of these sets changes the class:")
for explanation in why.found[:5]:
    print("  " + ", ".join(names[node] for node in explanation.nodes))
