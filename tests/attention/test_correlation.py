import jax
import jax.numpy as jnp
import numpy as np
import pytest
from attention_cases import softmax_attention
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxcause import InputError
from jaxcause.attention import correlation, merge_word_pieces


def test_the_reference_cases(fixtures):
    for path in [*fixtures.glob("attention_*.npz"), *fixtures.glob("real_attention_*.npz")]:
        case = np.load(path)
        nodes = case["nodes"] if "nodes" in case else np.arange(len(case["attention"]))
        corr = correlation(case["attention"])[np.ix_(nodes, nodes)]
        np.testing.assert_allclose(corr, case["corr"], rtol=0, atol=1e-14, err_msg=path.name)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 7))
def test_it_is_the_cosine_between_rows(seed, n):
    attn = softmax_attention(seed, n)
    corr = correlation(attn)
    for i in range(n):
        for j in range(n):
            dot = sum(attn[i, k] * attn[j, k] for k in range(n))
            lengths = [sum(attn[row, k] ** 2 for k in range(n)) ** 0.5 for row in (i, j)]
            assert abs(corr[i, j] - dot / (lengths[0] * lengths[1])) < 1e-14
    assert (corr == corr.T).all()
    assert (np.diag(corr) == 1).all()
    assert np.abs(corr).max() <= 1


def test_scaling_rows_changes_nothing():
    attn = softmax_attention(0, 6, graphs=(3,))
    scale = np.random.default_rng(1).uniform(0.1, 10, (3, 6, 1))
    np.testing.assert_allclose(correlation(attn * scale), correlation(attn), atol=1e-14)
    for size in (1e-200, 1e200):
        np.testing.assert_allclose(correlation(attn * size), correlation(attn), atol=1e-14)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, jnp.bfloat16])
def test_any_float_is_computed_in_float64(dtype):
    attn = softmax_attention(2, 5).astype(dtype)
    corr = correlation(attn)
    assert corr.dtype == np.float64
    np.testing.assert_array_equal(corr, correlation(attn.astype(np.float64)))
    np.testing.assert_array_equal(corr, correlation(jnp.asarray(attn)))


def test_it_runs_inside_jit_and_vmap():
    attn = softmax_attention(3, 6, graphs=(4,)).astype(np.float32)
    expected = correlation(attn)
    for corr in (jax.jit(correlation)(attn), jax.vmap(correlation)(jnp.asarray(attn))):
        assert corr.dtype == np.float32
        np.testing.assert_allclose(corr, expected, atol=1e-6)
        assert (np.asarray(corr) == np.swapaxes(corr, 1, 2)).all()
        assert (np.diagonal(corr, axis1=1, axis2=2) == 1).all()


def test_what_is_masked_is_not_looked_at():
    attn = softmax_attention(4, 6, graphs=(2,))
    mask = np.array([[1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 1, 0]], bool)
    expected = correlation(attn)
    attn[~mask] = np.nan
    for corr in (
        correlation(attn, node_mask=mask),
        jax.jit(lambda a: correlation(a, node_mask=mask))(attn),
    ):
        for graph, keep in zip(range(2), mask, strict=True):
            inner = np.asarray(corr)[graph][np.ix_(keep, keep)]
            np.testing.assert_allclose(inner, expected[graph][np.ix_(keep, keep)], atol=1e-6)
            assert (np.asarray(corr)[graph, ~keep] == np.eye(6)[~keep]).all()


@pytest.mark.parametrize(
    ("attn", "message"),
    [
        (np.ones(3), "square|nodes, nodes"),
        (np.ones((2, 3)), r"attn has shape \(2, 3\)"),
        (np.array([[1.0, np.nan], [0.5, 0.5]]), r"attn\[0, 1\]=nan"),
        (np.array([[1.0, np.inf], [0.5, 0.5]]), r"attn\[0, 1\]=inf"),
        (np.array([[[1.0, 0.0], [0.0, 0.0]]]), r"attn\[0, 1\] is a row of zeros.*node_mask"),
    ],
)
def test_bad_attention_is_refused(attn, message, untyped):
    with pytest.raises(InputError, match=message):
        correlation(attn)


def test_words_by_hand():
    attn = np.arange(1.0, 26.0).reshape(5, 5)
    words = merge_word_pieces(attn, [None, 0, 0, 1, None])
    assert words.node_of_token.tolist() == [0, 1, 1, 2, 3]
    #                 [CLS]  first word      second  [SEP]
    expected = [[1, 2 + 3, 4, 5], [8.5, 9.5 + 10.5, 11.5, 12.5], [16, 35, 19, 20], [21, 45, 24, 25]]
    np.testing.assert_allclose(words.attention, expected)


def test_words_keep_what_a_row_sums_to():
    attn = softmax_attention(5, 7, graphs=(2, 3))
    words = merge_word_pieces(attn.astype(np.float32), np.array([-1, 0, 0, 0, 1, 1, -1]))
    assert words.attention.shape == (2, 3, 4, 4)
    np.testing.assert_allclose(words.attention.sum(axis=-1), 1, atol=1e-6)
    traced = jax.jit(lambda a: merge_word_pieces(a, [-1, 0, 0, 0, 1, 1, -1]).attention)
    np.testing.assert_allclose(traced(attn.astype(np.float32)), words.attention, atol=1e-6)


def test_ids_that_start_anew_are_other_words():
    # A pair of texts: [CLS] a b [SEP] a [SEP] [SEP]
    words = merge_word_pieces(np.eye(7), [None, 0, 1, None, 0, None, None])
    assert words.node_of_token.tolist() == list(range(7))
    np.testing.assert_array_equal(words.attention, np.eye(7))


@pytest.mark.parametrize(
    ("ids", "message"), [([0, 1], "2 entries.*3 tokens"), ([0, 1, -2], "holds -2")]
)
def test_bad_word_ids_are_refused(ids, message):
    with pytest.raises(InputError, match=message):
        merge_word_pieces(np.eye(3), ids)
