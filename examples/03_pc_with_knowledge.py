"""PC over independent samples: what the data alone show, and what a known order adds."""

import jax
import numpy as np

import jaxcause as jc

names = ["genes", "weight", "pressure", "risk"]
dag = np.zeros((4, 4), bool)
dag[0, 1] = dag[1, 2] = dag[2, 3] = True

x = jc.simulate.linear_sem(jax.random.key(1), dag, n_samples=2000)
test = jc.partial_correlation_test_from_data(x)

alone = jc.pc(test, alpha=0.01)
print("Data alone:      ", alone.graph.edges(names))
print("genes and risk are independent given nodes", set(alone.sepsets.get(0, 3)))

order = jc.BackgroundKnowledge(tiers=np.array([0, 1, 2, 3]))
print("With known order:", jc.pc(test, alpha=0.01, knowledge=order).graph.edges(names))

known = jc.BackgroundKnowledge.named(names, required=[("weight", "pressure")])
print("One edge known:  ", jc.pc(test, alpha=0.01, knowledge=known).graph.edges(names))

wrong = jc.BackgroundKnowledge.named(names, forbidden=[("genes", "weight"), ("weight", "genes")])
found = jc.pc(test, alpha=0.01, knowledge=wrong)
print("A wrong claim:   ", found.graph.edges(names))
print("The tests speak against it at", int(found.info.n_conflicts), "pairs")
