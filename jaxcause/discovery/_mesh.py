"""A batch of graphs shared out over the devices of a mesh, each searched by one traced program."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import Mesh, PartitionSpec

from jaxcause._errors import InputError
from jaxcause.discovery._problem import Caps, TracedInputs
from jaxcause.discovery._result import SearchResult


def search_on_devices(
    traced_search: Callable[..., SearchResult],
    inputs: TracedInputs,
    caps: Caps,
    max_p: bool,
    *,
    mesh: Mesh,
) -> SearchResult:
    """The result of ``traced_search``, to which every device contributes some of the graphs.

    Graphs that fill the last share are copies of the first, and are left out of the result.

    Raises:
        InputError: There is only one graph.
    """
    test: Any = inputs.test
    batch_shape = test.batch_shape
    if not batch_shape:
        raise InputError(
            "mesh= with caps= shares out the graphs of a batch, but the test has one graph; leave "
            "caps out, and the rows of each level are shared out instead"
        )
    n_graphs = math.prod(batch_shape)
    filled = -(-n_graphs // mesh.size) * mesh.size
    graphs = np.where(np.arange(filled) < n_graphs, np.arange(filled), 0)
    flat = test[np.unravel_index(graphs, batch_shape)]
    each = jax.eval_shape(lambda test: test[(0,)], flat)
    leaves = zip(jax.tree.leaves(flat), jax.tree.leaves(each), strict=True)
    batched = tuple(np.ndim(whole) > one.ndim for whole, one in leaves)
    # Two partials of the same function and arguments differ, and would be compiled twice.
    settings = traced_search.keywords if isinstance(traced_search, partial) else {}
    found = _search(
        inputs._replace(test=flat, mask=inputs.mask[graphs]),
        search=traced_search.func if isinstance(traced_search, partial) else traced_search,
        settings=tuple(sorted(settings.items())),
        mesh=mesh,
        caps=caps,
        max_p=max_p,
        batched=batched,
    )
    return jax.tree.map(
        lambda leaf: leaf[:n_graphs].reshape((*batch_shape, *leaf.shape[1:])), found
    )


@partial(jax.jit, static_argnames=("search", "settings", "mesh", "caps", "max_p", "batched"))
def _search(
    inputs: TracedInputs,
    *,
    search: Callable[..., SearchResult],
    settings: tuple[tuple[str, Any], ...],
    mesh: Mesh,
    caps: Caps,
    max_p: bool,
    batched: tuple[bool, ...],
) -> SearchResult:
    axis = mesh.axis_names[0]
    everywhere, share = PartitionSpec(), PartitionSpec(axis)
    specs = [share if has_graphs else everywhere for has_graphs in batched]
    of_test = jax.tree.unflatten(jax.tree.structure(inputs.test), specs)

    def of_share(inputs: TracedInputs) -> SearchResult:
        found = search(inputs, caps, max_p, **dict(settings))
        return jax.tree.map(lambda leaf: lax.all_gather(leaf, axis, tiled=True), found)

    return jax.shard_map(
        of_share,
        mesh=mesh,
        in_specs=(TracedInputs(of_test, everywhere, everywhere, share),),  # pyright: ignore[reportArgumentType]
        out_specs=everywhere,
        # What has been gathered is the same everywhere, which the check does not see.
        check_vma=False,
    )(jax.tree.map(jnp.asarray, inputs))
