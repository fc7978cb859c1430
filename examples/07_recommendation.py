"""Why an item is recommended: a BERT4Rec, trained on sessions in which the reason is known.

A session contains one printer among other things, in any order, and ends with its cartridge.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax

import jaxcause as jc
from jaxcause.models import BERT4RecConfig, new_bert4rec

KINDS, OTHERS, LENGTH, STEPS = 6, 24, 9, 500
NAMES = ["-"]  # item 0 is padding
NAMES += [f"printer {i}" for i in range(KINDS)] + [f"cartridge {i}" for i in range(KINDS)]
NAMES += [f"thing {i}" for i in range(OTHERS)]
rng = np.random.default_rng(0)


def session():
    kind = rng.integers(KINDS)
    things = rng.choice(np.arange(1 + 2 * KINDS, len(NAMES)), LENGTH - 2, replace=False)
    return [*rng.permutation([1 + kind, *things]), 1 + KINDS + kind]


config = BERT4RecConfig(n_items=len(NAMES) - 1, max_length=LENGTH, hidden_size=64, dropout=0.1)
model = new_bert4rec(config, key=jax.random.key(0))
optimiser = optax.adamw(optax.warmup_cosine_decay_schedule(0.0, 5e-3, 40, STEPS), weight_decay=0.01)
params, state = model.params, optimiser.init(model.params)


@jax.jit
def step(params, state, items, masked, key):
    def loss_fn(params):
        rows = jnp.where(masked, config.mask_id, items)
        logits = model.apply(params, rows, dropout_key=key).logits
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, items)
        return (losses * masked).sum() / masked.sum()

    loss, gradient = jax.value_and_grad(loss_fn)(params)
    updates, state = optimiser.update(gradient, state, params)
    return optax.apply_updates(params, updates), state, loss


for number in range(STEPS):
    items = np.array([session() for _ in range(64)], np.int32)
    masked = rng.random(items.shape) < 0.2
    masked[:, -1] |= rng.random(64) < 0.8
    params, state, loss = step(params, state, items, masked, jax.random.key(number))
print(f"trained, loss {loss:.3f}")

forward = jax.jit(model.apply)


def recommended(rows):
    return np.asarray(forward(params, rows).logits)[:, -1].argmax(axis=-1)


def explained(bought):
    """Graph and explanations of the item that is recommended after these."""
    query = np.array([*bought, config.mask_id], np.int32)
    answer = recommended(query[None])[0]
    # Abduction: the model gets its own answer as input; this pass gives the attention.
    answered = np.array([[*bought, answer]], np.int32)
    attention = forward(params, answered).attentions[-1, 0]
    found = jc.attention.abcd(attention, model.hidden_size, heads="mean")
    why = jc.attention.cleann(
        found.graph,
        target=len(bought),  # the answer is the root; it is not removed
        # A removed item becomes padding, which gets no attention and no position.
        verify_fn=lambda removed: (
            recommended(np.where(removed, 0, query).astype(np.int32)) != answer
        ),
    )
    return found.graph, why, answer


bought = session()[:-1]
graph, why, answer = explained(bought)
names = [NAMES[item] for item in [*bought, answer]]
print("after", ", ".join(names[:-1]))
print("the model recommends", names[-1])
for edge in graph.edges(names):
    print(" ", *edge)
for best in why.found:  # none, if the recommended item has no neighbour
    print(
        f"because of {', '.join(names[node] for node in best.nodes)} (edges to the recommended "
        f"item: {', '.join(map(str, best.distances))}; found with model query {best.n_queries})"
    )

counts = {"the printer alone": 0, "other items": 0, "no explanation": 0}
for _ in range(50):
    bought = session()[:-1]
    _, why, _ = explained(bought)
    kinds = [bought[node] <= KINDS for node in why.found[0].nodes] if why.found else []
    what = "the printer alone" if kinds == [True] else "other items"
    counts[what if kinds else "no explanation"] += 1
print("what explains 50 more sessions:", counts)
