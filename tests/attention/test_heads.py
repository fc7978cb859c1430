import math

import numpy as np
import pytest
from attention_cases import softmax_attention

from jaxcause import CausalGraph, InputError, Mark, fci
from jaxcause.attention import (
    abcd,
    correlation,
    head_consensus,
    partial_correlations,
    structural_confidence,
)
from jaxcause.stats import shrink_correlation


def test_consensus_counts_one_head_after_the_other():
    graphs = abcd(softmax_attention(0, 7, graphs=(2, 3)), 384).graph
    counts = head_consensus(graphs)
    marks = np.asarray(graphs.marks)
    for i in range(7):
        for j in range(7):
            here = [int(marks[g][i, j]) for g in np.ndindex(2, 3)]
            assert counts.edges[i, j] == sum(m != Mark.NONE for m in here)
            assert counts.arrows[i, j] == sum(m == Mark.ARROW for m in here)
            assert counts.tails[i, j] == sum(m == Mark.TAIL for m in here)
    one = CausalGraph(marks[0, 0])
    assert (head_consensus(one).edges == (marks[0, 0] != 0)).all()


@pytest.mark.parametrize("alpha", [0.01, 0.1])
def test_confidence_pair_by_pair(alpha):
    found = abcd(softmax_attention(1, 6, graphs=(3,)), 384, alpha=alpha)
    got = structural_confidence(found, alpha=alpha)
    assert got.shape == (3,)
    for graph in range(3):
        clear = []
        for i in range(6):
            for j in range(i):
                p = float(found.p_values[graph, i, j])
                far = math.inf if p == 0 else abs(math.log10(p) - math.log10(alpha))
                clear.append(min(1.0, far / -math.log10(alpha)))
        assert abs(got[graph] - sum(clear) / len(clear)) < 1e-12


def test_confidence_leaves_out_what_was_not_tested():
    attn = softmax_attention(2, 6)
    found = abcd(attn, 384, node_mask=np.arange(6) < 4)
    alone = abcd(attn, 384, nodes=range(4))
    assert float(structural_confidence(found)) == pytest.approx(
        float(structural_confidence(alone)), abs=1e-12
    )
    assert np.isnan(structural_confidence(abcd(attn, 384, nodes=[0])))


def test_partial_correlation_given_the_rest_is_that_of_two_regressions():
    corr = correlation(softmax_attention(3, 6, sharpness=1.0, graphs=(2,)))
    got = partial_correlations(corr)
    for graph in range(2):
        for i, j in [(0, 1), (2, 5), (4, 3)]:
            rest = [k for k in range(6) if k not in (i, j)]
            both, given = corr[graph][np.ix_([i, j], rest)], corr[graph][np.ix_(rest, rest)]
            left = corr[graph][np.ix_([i, j], [i, j])] - both @ np.linalg.solve(given, both.T)
            expected = left[0, 1] / math.sqrt(left[0, 0] * left[1, 1])
            assert abs(got[graph, i, j] - expected) < 1e-8
    assert (np.diagonal(got, axis1=1, axis2=2) == 1).all()
    np.testing.assert_allclose(got, np.swapaxes(got, 1, 2), atol=1e-12)


def test_singular_correlations_have_no_partial_ones():
    corr = np.array([[[1.0, 1.0], [1.0, 1.0]], [[1.0, 0.5], [0.5, 1.0]]])
    got = partial_correlations(corr)
    assert np.isnan(got[0, 0, 1])
    np.testing.assert_allclose(got[1], corr[1], atol=1e-12)
    shrunk = partial_correlations(shrink_correlation(corr, 0.1))
    np.testing.assert_allclose(shrunk[0, 0, 1], 0.9, atol=1e-12)


def test_other_searches_have_a_confidence_too():
    found = abcd(softmax_attention(4, 5), 384, search=fci)
    assert 0 <= float(structural_confidence(found)) <= 1


def test_bad_arguments_are_refused(untyped):
    found = abcd(softmax_attention(5, 3), 384)
    with pytest.raises(InputError, match="alpha"):
        structural_confidence(found, alpha=0.0)
    with pytest.raises(InputError, match="corr has shape"):
        partial_correlations(np.ones((2, 3)))
    with pytest.raises(InputError, match="NaN"):
        partial_correlations(np.array([[1.0, np.nan], [np.nan, 1.0]]))
