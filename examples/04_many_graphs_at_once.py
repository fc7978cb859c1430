"""A thousand graphs in one call, hidden common causes, and the same search inside `jit`."""

import time

import jax
import numpy as np

import jaxcause as jc

rng = np.random.default_rng(0)

# A thousand data sets of ten variables. In each, a hidden common cause drives variables 1 and 2.
noise = rng.normal(size=(1000, 500, 10))
hidden = rng.normal(size=(1000, 500))
x = noise.copy()
x[..., 1] += 0.8 * hidden + 0.7 * noise[..., 0]
x[..., 2] += 0.8 * hidden + 0.7 * noise[..., 3]
test = jc.partial_correlation_test_from_data(x)

for name, search in (("pc", jc.pc), ("icd", jc.icd)):
    search(test, alpha=0.01)  # compile
    start = time.perf_counter()
    found = search(test, alpha=0.01)
    seconds = time.perf_counter() - start
    marks = np.asarray(found.graph.marks)
    confounded = (marks[:, 1, 2] == jc.Mark.ARROW) & (marks[:, 2, 1] == jc.Mark.ARROW)
    print(f"{name}: 1,000 graphs in {seconds:.2f} s; 1 <-> 2 in {confounded.mean():.0%} of them")

# ICD can be stopped at any level: the graph after each level is valid.
first = jc.icd(jc.partial_correlation_test_from_data(x[0]), alpha=0.01)
for level, marks in enumerate(np.asarray(first.levels.marks)):
    print(
        f"level {level}:", *(" ".join(edge) for edge in jc.CausalGraph(marks).edges()), sep="\n  "
    )

# Inside your own program, shapes must be fixed. Caps set them; overflow says if one is too small.
caps = jc.Caps(max_degree=6, max_cond_size=2)


@jax.jit
def n_edges(corr):
    found = jc.pc(jc.partial_correlation_test(corr, 500), alpha=0.01, caps=caps)
    return found.graph.adjacency.sum() // 2, found.info.overflow


edges, overflow = jax.vmap(n_edges)(jax.numpy.asarray(test.corr[:100]))
print(f"inside jit and vmap: {float(edges.mean()):.2f} edges on average, overflow {overflow.any()}")
