"""First searches of small problems compile nothing; nor does a second one of another size."""

import os
import subprocess
import sys

import numpy as np
import pytest
import scipy.stats

from jaxcause import BackgroundKnowledge, partial_correlation_test, pc
from jaxcause.graph import CausalGraph, Mark

COUNTED = """
import jax, numpy as np
compiled = []

def listen(event, duration, **about):
    if event == "/jax/core/compile/backend_compile_duration":
        compiled.append(about.get("fun_name"))

jax.monitoring.register_event_duration_secs_listener(listen)
import jaxcause as jc
from jaxcause import attribution

random = np.random.default_rng(0)
scores = np.exp(random.normal(size=(6, 6, 5)))
scores[0, 1, 2] = scores[1, 1, 1:4] = 1e5
corr = np.corrcoef(random.normal(size=(12, 200)))
score_test = attribution.score_test(random.random((5, 5, 4)))
one = jc.partial_correlation_test(corr, 200)
batch = jc.partial_correlation_test(np.stack([corr, corr, np.ones((12, 12))]), 200)
ordered = jc.BackgroundKnowledge(tiers=np.arange(12))
temporal = jc.BackgroundKnowledge.temporal(3, 3)
series = random.normal(size=(400, 4))
series[1:, 1] += series[:-1, 0]
graph = jc.graph.LaggedGraph.from_mask(np.ones((4, 4, 3), bool) & (np.arange(3) > 0))
searches = {searches}
for search, most in searches:
    compiled.clear()
    search()
    assert len(compiled) <= most, (search, compiled)
print("as few as promised")
"""

CORE = """[
    (lambda: attribution.lagged_edges(score_test, alpha=0.1), 0),
    (lambda: jc.pc(one, max_cond_size=0, knowledge=ordered), 0),
    (lambda: jc.pc(batch, max_cond_size=0, knowledge=temporal), 0),
    (lambda: jc.pc(one, alpha=0.2), 0),
    (lambda: jc.pc(one, alpha=0.2, colliders="majority", knowledge=ordered), 0),
    (lambda: jc.pc(batch, sepset="first"), 0),
    (lambda: jc.fci(one, alpha=0.2, max_cond_size=2), 0),
    (lambda: jc.icd(batch, alpha=0.2, max_cond_size=2), 0),
    (lambda: jc.icd(jc.graph.oracle_test(np.triu(np.ones((5, 5), bool), 1)), alpha=0.5), 0),
    (lambda: jc.pc(jc.partial_correlation_test_from_data(random.normal(size=(300, 200)))), 0),
]"""

SERIES = """[
    *((lambda m=m, x=x: jc.discover(x, 3, method=m, progress=False), 0)
      for x in (series, series[:250, :3]) for m in ("var", "lasso", "pc", "pcmci", "pcmci+")),
    (lambda: jc.discover(series, 2, method="pc", contemporaneous=True), 0),
    (lambda: jc.discovery.refine(graph, series, latents=False, contemporaneous=True), 0),
    (lambda: jc.discovery.refine(graph, series, latents=True, q=None), 0),
]"""

RULES = """[
    (lambda: attribution.select_fdr(scores), 0),
    (lambda: attribution.select_threshold(scores), 0),
    (lambda: attribution.select_top_k(scores, 2), 0),
    (lambda: attribution.select_global_top_k(scores, 2), 0),
    (lambda: attribution.select_stable(np.stack([scores, scores]), rule=attribution.select_fdr), 0),
]"""


@pytest.mark.parametrize("searches", [CORE, SERIES, RULES], ids=["core", "series", "rules"])
@pytest.mark.parametrize("x64", ["0", "1"])
def test_a_fresh_process_compiles_no_more_than_promised(searches, x64):
    done = subprocess.run(
        [sys.executable, "-c", COUNTED.replace("{searches}", searches)],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "JAX_ENABLE_X64": x64, "OPENBLAS_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert "as few as promised" in done.stdout


@pytest.mark.parametrize("one_sided", [False, True])
def test_level_0_with_known_directions_is_a_comparison(one_sided):
    n, n_samples, alpha = 6, 50, 0.2
    corr = np.corrcoef(np.random.default_rng(3).normal(size=(n, n_samples)))
    corr = np.stack([corr, np.ones((n, n))])
    test = partial_correlation_test(corr, n_samples, one_sided=one_sided)
    knowledge = BackgroundKnowledge(tiers=np.arange(n))
    found = pc(test, alpha=alpha, max_cond_size=0, knowledge=knowledge)
    z = np.sqrt(n_samples - 3) * np.arctanh(corr[0] - np.eye(n))
    p = scipy.stats.norm.sf(z) * 2 if not one_sided else 2 * scipy.stats.norm.sf(np.maximum(z, 0))
    p = np.where(np.eye(n, dtype=bool), np.nan, np.minimum(p, 2 - p) if not one_sided else p)
    np.testing.assert_allclose(found.p_values[0], p, rtol=1e-10)
    directed = (p <= alpha) & (np.arange(n)[:, None] < np.arange(n))
    np.testing.assert_array_equal(
        np.asarray(found.graph.marks)[0],
        np.asarray(CausalGraph.from_dag(directed).marks),
    )
    assert np.asarray(found.info.singular).tolist() == [False, True]
    assert (np.asarray(found.graph.marks)[1][np.triu_indices(n, 1)] == Mark.ARROW).all()
    assert np.asarray(found.info.truncated).all()


def test_known_directions_need_no_rules():
    # By majority, the rules run although time has oriented every edge.
    random = np.random.default_rng(5)
    data = random.normal(size=(7, 3)) @ random.normal(size=(3, 100))
    test = partial_correlation_test(np.corrcoef(data + random.normal(size=(7, 100))), 100)
    knowledge = BackgroundKnowledge(tiers=np.arange(7))
    without = pc(test, alpha=0.1, knowledge=knowledge)
    with_rules = pc(test, alpha=0.1, knowledge=knowledge, colliders="majority")
    assert without.graph.adjacency.any()
    np.testing.assert_array_equal(without.graph.marks, with_rules.graph.marks)
