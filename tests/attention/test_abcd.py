import jax
import jax.numpy as jnp
import numpy as np
import pytest
from attention_cases import softmax_attention

from jaxcause import BackgroundKnowledge, Caps, InputError, Mark, fci, icd, pc
from jaxcause import partial_correlation_test as correlation_test
from jaxcause.attention import abcd, correlation
from jaxcause.stats import shrink_correlation


@pytest.mark.parametrize(("kind", "n_cases"), [("attention", 20), ("real_attention", 12)])
@pytest.mark.parametrize("mode", ["twosided", "onesided"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_reference_cases_from_attention_to_pag(fixtures, kind, n_cases, mode, dtype):
    paths = sorted(fixtures.glob(f"{kind}_*.npz"))
    assert len(paths) == n_cases
    tried = 0
    for path in paths:
        case = np.load(path)
        attention = case["attention"].astype(dtype)
        if not (attention == case["attention"]).all():
            continue  # rounding makes it another case
        tried += 1
        found = abcd(
            attention,
            int(case["n_samples"]),
            alpha=float(case["alpha"]),
            nodes=case["nodes"] if "nodes" in case else None,
            one_sided=mode == "onesided",
            sepset="first",
        )
        assert (found.graph.marks == case[f"pag_{mode}"]).all(), path.name
        assert (found.levels.marks == case[f"pag_per_level_{mode}"]).all(), path.name
        assert (np.asarray(found.sepsets.membership()) == case[f"sepset_{mode}"]).all(), path.name
    assert tried == (n_cases if dtype == np.float64 or kind == "real_attention" else 0)


def test_lengths_share_what_is_compiled(caplog):
    """Spare nodes round the lengths up: 9 … 16 tokens are searched by the same programs."""
    attn = softmax_attention(3, 16, graphs=(2,))
    with jax.log_compiles():
        for n in range(9, 17):
            part = attn[:, :n, :n] / attn[:, :n, :n].sum(axis=-1, keepdims=True)
            found = abcd(part, 384)
            assert found.graph.marks.shape == found.p_values.shape == (2, n, n)
            assert found.sepsets.nodes.shape[:-1] == found.sepsets.found.shape == (2, n, n)
            assert found.levels.marks.shape[-2:] == (n, n)
    made = " ".join(record.getMessage() for record in caplog.records)
    for program in ("_first_claims", "orient_r0_to_r4", "complete"):
        assert made.count(f"Finished XLA compilation of jit({program})") <= 4, program


def same(found, expected):
    """Two results about the same nodes."""
    return (
        (found.graph.marks == expected.graph.marks).all()
        and (found.sepsets.membership() == expected.sepsets.membership()).all()
        and np.array_equal(found.p_values, expected.p_values, equal_nan=True)
    )


def test_layers_sequences_and_heads_in_one_call():
    attn = softmax_attention(0, 9, graphs=(2, 3, 2))
    together = abcd(attn, 384)
    assert together.graph.marks.shape == (2, 3, 2, 9, 9)
    for g in np.ndindex(2, 3, 2):
        alone = abcd(attn[g], 384)
        assert (together.graph.marks[g] == alone.graph.marks).all()
        assert (together.sepsets.membership()[g] == alone.sepsets.membership()).all()
        np.testing.assert_allclose(together.p_values[g], alone.p_values, rtol=1e-9)


@pytest.mark.parametrize("one_sided", [False, True])
def test_a_mask_leaves_out_what_selecting_leaves_out(one_sided):
    # Sentences of 5 to 9 tokens, padded to 9 with garbage, two heads each.
    attn = softmax_attention(1, 9, graphs=(5, 2))
    lengths = np.arange(5, 10)
    mask = np.arange(9) < lengths[:, None]
    mask[:, 0] = False  # a special token: marginalised after A Aᵀ
    columns = np.broadcast_to(np.arange(9) < lengths[:, None, None, None], attn.shape)
    attn = np.where(columns, attn, 0)
    together = abcd(attn, 384, node_mask=mask, one_sided=one_sided)
    for s, length in enumerate(lengths):
        kept = np.arange(1, length)
        for head in range(2):
            alone = abcd(
                attn[s, head, :length, :length], 384, nodes=kept.tolist(), one_sided=one_sided
            )
            marks = np.asarray(together.graph.marks[s, head])
            assert (marks[np.ix_(kept, kept)] == alone.graph.marks).all()
            assert marks[~mask[s]].sum() == 0
            members = np.asarray(together.sepsets.membership()[s, head])
            assert (members[np.ix_(kept, kept, kept)] == alone.sepsets.membership()).all()
            assert members.sum() == np.asarray(alone.sepsets.membership()).sum()


def test_masks_with_and_without_the_axis_of_heads():
    attn = softmax_attention(2, 5, graphs=(2, 3, 4))  # layers, sequences, heads
    mask = np.random.default_rng(0).random((3, 5)) < 0.8
    by_sequence = abcd(attn, 384, node_mask=mask)
    in_full = np.broadcast_to(mask[:, None], (2, 3, 4, 5))
    assert same(by_sequence, abcd(attn, 384, node_mask=in_full))
    assert same(by_sequence, abcd(attn, 384, node_mask=np.broadcast_to(mask, (2, 3, 5))))
    one_for_all = abcd(attn, 384, node_mask=mask[0])
    assert (one_for_all.graph.marks[0, 0] == by_sequence.graph.marks[0, 0]).all()
    averaged = abcd(attn, 384, node_mask=mask, heads="mean")
    assert same(averaged, abcd(attn.mean(axis=2), 384, node_mask=np.broadcast_to(mask, (2, 3, 5))))


def test_selection_comes_after_the_product():
    attn = softmax_attention(3, 8)
    kept = np.array([5, 1, 2, 7])
    found = abcd(attn, 384, nodes=kept)
    corr = correlation(attn)[np.ix_(kept, kept)]
    assert same(found, icd(correlation_test(corr, 384)))
    before = abcd(attn[np.ix_(kept, kept)], 384)
    assert not np.allclose(before.p_values, found.p_values)
    masked = abcd(attn, 384, nodes=kept, node_mask=np.arange(8) != 2)
    assert (np.asarray(masked.graph.marks)[2] == 0).all()


def test_rows_of_padding_may_hold_anything():
    attn = softmax_attention(4, 6)
    expected = abcd(attn, 384, nodes=range(5))
    attn[5] = np.nan
    assert same(abcd(attn, 384, nodes=range(5)), expected)
    attn[5] = 0
    found = abcd(attn, 384, node_mask=np.arange(6) < 5)
    assert (found.graph.marks[:5, :5] == expected.graph.marks).all()


def test_the_mean_over_heads():
    attn = softmax_attention(5, 7, graphs=(3, 4)).astype(np.float32)
    mean = attn.astype(np.float64).mean(axis=1)
    assert same(abcd(attn, 384, heads="mean"), abcd(mean, 384))


def test_causal_order_is_knowledge():
    attn = softmax_attention(6, 10, sharpness=1.0, causal=True)
    found = abcd(attn, 768, order="causal")
    knowledge = BackgroundKnowledge(tiers=np.arange(10))
    assert same(found, icd(correlation_test(correlation(attn), 768), knowledge=knowledge))
    marks = np.asarray(found.graph.marks)
    assert (marks[np.triu(marks != Mark.NONE)] == Mark.ARROW).all()
    kept = [7, 2, 5]
    marks = np.asarray(abcd(attn, 768, order="causal", nodes=kept).graph.marks)
    later = np.less.outer(kept, kept)
    assert (marks[later & (marks != Mark.NONE)] == Mark.ARROW).all()
    assert same(abcd(attn, 768, knowledge=knowledge), found)


def test_peaked_causal_attention_is_flagged_as_singular():
    attn = softmax_attention(7, 24, sharpness=8.0, causal=True)
    found = abcd(attn, 768, order="causal", max_cond_size=1)
    assert bool(found.info.singular)
    shrunk = abcd(attn, 768, order="causal", max_cond_size=1, shrinkage=0.05)
    assert not bool(shrunk.info.singular)
    corr = shrink_correlation(correlation(attn), 0.05)
    expected = icd(
        correlation_test(corr, 768),
        max_cond_size=1,
        knowledge=BackgroundKnowledge(tiers=np.arange(24)),
    )
    assert same(shrunk, expected)


@pytest.mark.parametrize("search", [pc, fci])
def test_other_searches_take_the_same_correlations(search):
    attn = softmax_attention(8, 6, graphs=(2,))
    found = abcd(attn, 384, search=search, alpha=0.05, max_cond_size=2)
    expected = search(correlation_test(correlation(attn), 384), alpha=0.05, max_cond_size=2)
    assert same(found, expected)
    assert found.levels is None


def test_caps_let_it_run_inside_jit():
    attn = softmax_attention(9, 6, graphs=(2, 2)).astype(np.float32)
    caps = Caps(max_degree=5, max_cond_size=2)

    def graphs(attention):
        found = abcd(attention, 384, caps=caps, node_mask=np.arange(6) > 0, heads="mean")
        return found.graph.marks, found.info.overflow

    marks, overflow = jax.jit(graphs)(jnp.asarray(attn))
    expected = abcd(attn, 384, node_mask=np.arange(6) > 0, heads="mean", max_cond_size=2)
    assert not overflow.any()
    assert (marks == expected.graph.marks).all()


def test_empty_batches_are_batches():
    found = abcd(np.zeros((0, 3, 4, 4), np.float32), 384)
    assert found.graph.marks.shape == (0, 3, 4, 4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"nodes": [0, 0]}, "repeats"),
        ({"nodes": [0, 9]}, "nodes holds 9"),
        ({"nodes": [-1]}, "nodes holds -1"),
        ({"nodes": np.ones(4, bool)}, "use node_mask"),
        ({"heads": "max"}, "heads='max'"),
        ({"order": "later"}, "order='later'"),
        ({"node_mask": np.ones(3, bool)}, "node_mask has shape"),
        ({"node_mask": np.ones((5, 4), bool)}, "node_mask has shape"),
        ({"node_mask": np.ones((2, 3, 4), bool), "heads": "mean"}, "axis of heads"),
        (
            {"order": "causal", "knowledge": BackgroundKnowledge(tiers=np.arange(4))},
            "both given",
        ),
        ({"alpha": 1.5}, "alpha"),
        ({"shrinkage": 2.0}, "intensity"),
        ({"n_samples": 0}, "n_samples"),
    ],
)
def test_bad_arguments_are_refused(change, message, untyped):
    arguments = {"n_samples": 384, **change}
    with pytest.raises(InputError, match=message):
        abcd(softmax_attention(0, 4, graphs=(2, 3)), **arguments)


def test_one_matrix_has_no_heads_to_average(untyped):
    with pytest.raises(InputError, match="heads='mean' needs"):
        abcd(softmax_attention(0, 4), 384, heads="mean")
