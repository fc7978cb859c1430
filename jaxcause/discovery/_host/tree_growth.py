"""Which branch of a possible-d-sep tree gets which edge: the sequential part of its growth.

Branches of one tree take their turns one after the other, since each edge is used once; the trees
of all roots take theirs side by side, with sets of nodes packed into words.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import Bool, Int, UInt32

from jaxcause.discovery._kernel.bits import pack, unpack


class Claims:
    """Edges that the trees have used so far.

    Args:
        words: Neighbours of each node, and those with an arrowhead at it, packed.
        used: For each root and node, the neighbours whose edge is used, packed.
    """

    def __init__(self, words: tuple[Array, Array], used: Array, n: int) -> None:
        self._words, self._used, self._n = words, used, n

    @classmethod
    def by_roots(
        cls,
        adjacent: Bool[np.ndarray, "graphs nodes nodes"],
        arrow: Bool[np.ndarray, "graphs nodes nodes"],
    ) -> "Claims":
        """Trees of depth 1: every root has used its own edges."""
        n = adjacent.shape[1]
        lanes = adjacent.shape[0] * n
        more = _rounded(lanes) - lanes
        rows = (np.pad(m.reshape(lanes, n), [(0, more), (0, 0)]) for m in (adjacent, _t(arrow)))
        neighbours, into = (jnp.asarray(row) for row in rows)
        words, used = _first_claims(neighbours, into, n)
        return cls(words, used, n)

    def next_layer(
        self,
        root: Int[np.ndarray, "branches"],
        last: Int[np.ndarray, "branches"],
        head: Int[np.ndarray, "branches"],
    ) -> tuple[Int[np.ndarray, "more"], Int[np.ndarray, "more"]]:
        """Branches that go on, and to where; those of one root come in the order of its queue.

        Args:
            root: Root of each branch of the layer.
            last: Node before the last.
            head: Last node.
        """
        lanes = self._used.shape[0]
        order = np.argsort(root, kind="stable")
        count = np.bincount(root, minlength=lanes)
        turn = np.arange(root.size) - (np.cumsum(count) - count)[root[order]]
        n_turns = int(count.max())
        # Lanes whose turns are over idle: they name branch -1.
        shape = (1 << (n_turns - 1).bit_length(), lanes)
        whose, a, b = (
            np.full(shape, -1, np.int32),
            np.zeros(shape, np.int32),
            np.zeros(shape, np.int32),
        )
        for of_turn, of_branch in ((whose, order), (a, last[order]), (b, head[order])):
            of_turn[turn, root[order]] = of_branch
        taken, self._used = _take_turns(
            self._words, self._used, a, b, whose >= 0, np.int32(n_turns), n=self._n
        )
        words = np.asarray(taken)
        turns, lane = np.divmod(np.flatnonzero(words.any(axis=2)), lanes)
        order = np.lexsort((turns, lane))
        turns, lane = turns[order], lane[order]
        as_bytes = words[turns, lane].astype("<u4").view(np.uint8)
        bits = np.unpackbits(as_bytes, axis=1, bitorder="little")
        row, step = np.divmod(np.flatnonzero(bits), bits.shape[1])
        return whose[turns, lane][row], step


@partial(jax.jit, static_argnames=("n",))
def _first_claims(
    neighbours: Bool[Array, "lanes nodes"], into: Bool[Array, "lanes nodes"], n: int
) -> tuple[tuple[Array, Array], UInt32[Array, "lanes nodes words"]]:
    lanes = neighbours.shape[0]
    node = jnp.arange(n, dtype=jnp.int32)
    of_root = node[None, :] == (jnp.arange(lanes, dtype=jnp.int32) % n)[:, None]
    words = pack(neighbours)
    bits = pack(jnp.eye(n, dtype=bool))
    at_root = jnp.where(of_root[..., None], words[:, None], jnp.uint32(0))
    root_bit = bits[jnp.arange(lanes, dtype=jnp.int32) % n][:, None]
    at_neighbour = jnp.where(neighbours[..., None], root_bit, jnp.uint32(0))
    return (words, pack(into)), at_root | at_neighbour


@partial(jax.jit, static_argnames=("n",))
def _take_turns(
    words: tuple[Array, Array],
    used: UInt32[Array, "lanes nodes words"],
    a: Int[Array, "turns lanes"],
    b: Int[Array, "turns lanes"],
    real: Bool[Array, "turns lanes"],
    n_turns: Int[Array, ""],
    *,
    n: int,
) -> tuple[UInt32[Array, "turns lanes words"], UInt32[Array, "lanes nodes words"]]:
    """Let the branches a, b of each root go on, one after the other, to all nodes they may."""
    neighbours, into = words
    lanes = used.shape[0]
    lane = jnp.arange(lanes, dtype=jnp.int32)
    first = lane - lane % n
    bits = pack(jnp.eye(n, dtype=bool))
    node = jnp.arange(n, dtype=jnp.int32)

    def turn(k: Array, carry: tuple[Array, Array]) -> tuple[Array, Array]:
        taken, used = carry
        a_k, b_k = a[k], b[k]
        bit_a, bit_b = bits[a_k], bits[b_k]
        # b is a collider between a and c where both edges have an arrowhead at b.
        collider = ((into[first + b_k] & bit_a) != jnp.uint32(0)).any(axis=1)[:, None]
        goes_on = neighbours[first + a_k]
        goes_on |= jnp.where(collider, into[first + b_k], jnp.uint32(0))
        open_edges = neighbours[first + b_k] & ~used[lane, b_k] & ~bit_a
        steps = jnp.where(real[k][:, None], goes_on & open_edges, jnp.uint32(0))
        to = unpack(steps, n)[..., None]
        used |= jnp.where(to, bit_b[:, None], jnp.uint32(0))
        at_b = (node[None, :] == b_k[:, None])[..., None]
        used |= jnp.where(at_b, steps[:, None], jnp.uint32(0))
        return taken.at[k].set(steps), used

    start = jnp.zeros((*a.shape, used.shape[-1]), jnp.uint32)
    return lax.fori_loop(jnp.zeros_like(n_turns), n_turns, turn, (start, used))


def _rounded(lanes: int) -> int:
    """A little more, so that few sizes occur: four steps to each doubling."""
    step = max(1, 1 << max(0, (lanes - 1).bit_length() - 3))
    return -(-lanes // step) * step


def _t(matrix: np.ndarray) -> np.ndarray:
    return np.swapaxes(matrix, 1, 2)
