"""Attention that comes in batches: each result is that of its batch, and no batch is kept."""

import weakref

import numpy as np
import pytest
from attention_cases import softmax_attention
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxcause import InputError
from jaxcause.attention import abcd, abcd_stream


@given(cuts=st.lists(st.integers(0, 12), max_size=3))
@settings(max_examples=4, deadline=None)
def test_batches_of_any_size_give_the_graphs_of_the_whole(cuts):
    attn = softmax_attention(0, 8, graphs=(12,))
    mask = np.arange(8) < np.linspace(4, 8, 12).astype(int)[:, None]
    edges = [0, *sorted(cuts), 12]
    parts = [slice(a, b) for a, b in zip(edges, edges[1:], strict=False) if b > a]
    whole = abcd(attn, 384, node_mask=mask)
    found = list(abcd_stream(((attn[part], mask[part]) for part in parts), 384))
    joined = np.concatenate([one.graph.marks for one in found])
    np.testing.assert_array_equal(joined, whole.graph.marks)
    p_values = np.concatenate([one.p_values for one in found])
    np.testing.assert_allclose(p_values, whole.p_values, rtol=1e-10, atol=1e-12)


class Attention(np.ndarray):
    """An array that a weak reference can follow."""


def test_results_come_as_batches_do_and_nothing_is_kept():
    made = []

    def batches():
        for seed in range(3):
            batch = softmax_attention(seed, 8, graphs=(2,)).view(Attention)
            made.append(weakref.ref(batch))
            yield batch
            del batch

    for count, found in enumerate(abcd_stream(batches(), 384, max_cond_size=0), start=1):
        assert found.graph.marks.shape == (2, 8, 8)
        assert len(made) == count
        assert all(batch() is None for batch in made[:-1])


def test_faults_name_the_batch():
    good = softmax_attention(0, 8, graphs=(2,))
    for bad, message in [
        (good[:, :3], "batch 1: attn has shape"),
        ((good, good, good), "batch 1 is a tuple of 3; give attention, or pairs"),
        ((good, np.ones((3, 8), bool)), "batch 1: node_mask has"),
    ]:
        stream = abcd_stream(iter([good, bad]), 384, max_cond_size=0)
        next(stream)
        with pytest.raises(InputError, match=message) as raised:
            next(stream)
        assert "\n" not in str(raised.value)
    with pytest.raises(InputError, match="let batches give pairs"):
        abcd_stream([good], 384, node_mask=np.ones(8, bool))
