"""Why a GPT says the next word: a tiny one, trained on a language in which the reason is known.

After "ann in a red coat has a blue key and opens the" comes the colour of the key, always. Names,
verbs and the colour of the coat do not matter.
"""

import tempfile
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import GPT2Config as SavedConfig
from transformers import PreTrainedTokenizerFast

import jaxcause as jc
from jaxcause.models import Pretrained, save_pretrained
from jaxcause.models.gpt2.modeling import GPT2, GPT2Config

NAMES, COLOURS, VERBS = (
    "ann bob eve kim".split(),
    "red blue green gold".split(),
    "has finds".split(),
)
rng = np.random.default_rng(0)


def sentence():
    name, coat, verb, key = (rng.choice(w) for w in (NAMES, COLOURS, VERBS, COLOURS))
    return f"{name} in a {coat} coat {verb} a {key} key and opens the {key} door"


# One word per token.
words = ["<unk>", "<pad>", *NAMES, *COLOURS, *VERBS, *"in a coat key and opens the door".split()]
ids = {word: i for i, word in enumerate(words)}
tokenizer = Tokenizer(models.WordLevel(ids, "<unk>"))
tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
fast = PreTrainedTokenizerFast(
    tokenizer_object=tokenizer, unk_token="<unk>", pad_token="<pad>", eos_token="<pad>"
)

# A GPT-2 of two layers. Training hides words at random, so the model knows texts with a hidden
# word.
WIDTH, LAYERS, HEADS, STEPS = 64, 2, 4, 600
config = GPT2Config(len(words), WIDTH, LAYERS, HEADS, 2 * WIDTH, 24, head="lm")
raw = SavedConfig(
    vocab_size=len(words),
    n_embd=WIDTH,
    n_layer=LAYERS,
    n_head=HEADS,
    n_inner=2 * WIDTH,
    n_positions=24,
    bos_token_id=1,
    eos_token_id=1,
).to_dict()
params = nnx.to_pure_dict(nnx.state(GPT2(config, rngs=nnx.Rngs(jax.random.key(0))), nnx.Param))
model = Pretrained("gpt2", config, params, (), None, raw)
optimiser = optax.adamw(optax.warmup_cosine_decay_schedule(0.0, 5e-3, 30, STEPS), weight_decay=0.01)
state = optimiser.init(params)


@jax.jit
def step(params, state, batch, seen):
    def loss_fn(params):
        logits = model.apply(params, batch[:, :-1], seen[:, :-1]).logits
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, batch[:, 1:])
        return losses.mean()

    loss, gradient = jax.value_and_grad(loss_fn)(params)
    updates, state = optimiser.update(gradient, state, params)
    return optax.apply_updates(params, updates), state, loss


for _ in range(STEPS):
    batch = jnp.array([[ids[word] for word in sentence().split()] for _ in range(64)])
    seen = rng.random(batch.shape) > 0.1
    params, state, loss = step(params, state, batch, jnp.array(seen))
print(f"trained, loss {loss:.3f}")

with tempfile.TemporaryDirectory() as folder:
    save_pretrained(model, folder, params=params)
    fast.save_pretrained(folder)
    print("files of the saved model:", *sorted(file.name for file in Path(folder).iterdir()))
    saved = jc.TextModel.load(folder)

# A token attends to earlier ones only, so ordered ICD is used. Both layers were tried; see below.
options = {"layer": 0, "heads": "union", "every": True, "max_size": 2}
text = "eve in a gold coat finds a blue key and opens the"
found = jc.explain(saved, text, **options)
print(f"\n{text} …")
print(*found.sentences(), sep="\n")
print("(without the last word, the model forecasts the word after 'opens')")
answer = len(found.tokens) - 1
for head, marks in enumerate(np.asarray(found.head_graphs.marks)):
    numbered = [f"{token}({node})" for node, token in enumerate(found.tokens)]
    edges = jc.CausalGraph(marks).edges(numbered)
    into = [" ".join(edge) for edge in edges if numbered[answer] in edge]
    print(f"head {head}, edges at the next word:", ", ".join(into) or "none")

# Is this typical? Count the single words that change the answer, for each layer.
KEY, LAST, SENTENCES = 7, 11, 20
texts = [" ".join(sentence().split()[:-2]) for _ in range(SENTENCES)]
for layer in range(LAYERS):
    alone = [
        {
            why.nodes[0]
            for why in jc.explain(saved, text, **options | {"layer": layer}).explanations.found
            if len(why.nodes) == 1
        }
        for text in texts
    ]
    print(
        f"layer {layer}: the key's colour is found in {sum(KEY in nodes for nodes in alone)} of "
        f"{SENTENCES} sentences, a word that does not matter in "
        f"{sum(bool(nodes - {KEY, LAST}) for nodes in alone)}"
    )
