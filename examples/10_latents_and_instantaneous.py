"""Hidden causes and contemporaneous effects: the selected edges are searched again."""

import jax
import numpy as np

import jaxcause as jc
from jaxcause import simulate
from jaxcause.discovery import refine
from jaxcause.metrics import marked_precision_recall


def main() -> None:
    # A t-test selects the edges, which is fast. jc.discover(contemporaneous=True) does both steps.
    system = simulate.lagged_system(
        jax.random.key(0), n_vars=6, max_lag=3, n_steps=10_000, n_parents=2, instantaneous=0.3
    )
    series = np.asarray(system.series, float)
    selected = jc.discover(series, 3, method="var").graph
    found = refine(selected, series, latents=False, contemporaneous=True)
    for name, graph in (("selected", selected), ("searched again", found.graph)):
        score = marked_precision_recall(graph, system.truth, kind="directed")
        n_edges = len(graph.edges())
        print(f"contemporaneous effects, {name}: {n_edges} edges, F1 {float(score.f1):.2f}")

    # Four hidden causes of six variables. With q, the older past decides which edges are effects.
    system = simulate.lagged_system(
        jax.random.key(0), n_vars=6, max_lag=3, n_steps=4000, n_parents=2, n_latents=4
    )
    series = np.asarray(system.series, float)
    selected = jc.discover(series, 3, method="var").graph
    searched = refine(selected, series, latents=True, q=None).graph
    decided = refine(selected, series, latents=True).graph
    for name, graph in (
        ("selected", selected),
        ("searched", searched),
        ("decided by the older past", decided),
    ):
        score = marked_precision_recall(graph, system.truth, kind="directed")
        print(f"hidden causes, {name}: F1 {float(score.f1):.2f}")

    # One hidden cause reaches a after one step and b after two; c drives a.
    rng = np.random.default_rng(0)
    x, hidden = rng.normal(size=(5000, 3)), rng.normal(size=5000)
    x[1:, 0] += hidden[:-1] + x[:-1, 2]
    x[2:, 1] += hidden[:-2]
    selected = jc.discover(x, 2, names=["a", "b", "c"], method="var").graph
    found = refine(selected, x, latents=True)
    print("a hidden cause, selected:      ", selected.edges(["a", "b", "c"]))
    print("a hidden cause, searched again:", found.graph.edges(["a", "b", "c"]))


if __name__ == "__main__":
    main()
