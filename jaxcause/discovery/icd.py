"""Iterative causal discovery (ICD)."""

from functools import partial
from pathlib import Path

from jax.sharding import Mesh
from jaxtyping import Bool, Float

from jaxcause._typing import AnyArray
from jaxcause.discovery._entry import search_graphs
from jaxcause.discovery._given import Given
from jaxcause.discovery._host.icd import icd_on_host
from jaxcause.discovery._problem import Caps, selection_applies
from jaxcause.discovery._result import SearchResult
from jaxcause.discovery._traced.icd import icd_with_caps
from jaxcause.graph import BackgroundKnowledge


def icd(
    test: Given,
    *,
    alpha: float | Float[AnyArray, ""] = 0.01,
    max_cond_size: int | None = None,
    knowledge: BackgroundKnowledge | None = None,
    node_mask: Bool[AnyArray, "*graphs nodes"] | None = None,
    selection_bias: bool | None = None,
    sepset: str = "max_p",
    caps: Caps | None = None,
    mesh: Mesh | None = None,
    checkpoint: str | Path | None = None,
) -> SearchResult:
    """Learn a PAG by ICD: common causes may be unobserved, and any level gives a valid graph.

    Where FCI looks for separating sets among all subsets of possible-d-sep, ICD refines one graph
    level by level: sets of size r are grown along the branches, of at most r steps, of the
    possible-d-sep tree of either node, and hold possible ancestors only. After each level the graph
    is oriented anew, which makes the next level's sets few. The graph after level r is one for all
    independences given at most r nodes (``levels`` of the result holds them all).

    With tiers this is ordered ICD, for the tokens of a causal Transformer; with
    `BackgroundKnowledge.temporal` it is temporal ICD, for the lags of a series.

    Args:
        test: Conditional independence test, whose leading axes are a batch of graphs; or data
            ``[..., samples, variables]`` (an array, or a frame of numbers), which are tested by
            partial correlations, as by `jaxcause.stats.partial_correlation_test_from_data`.
        alpha: X and Y are taken as independent given S iff p > alpha.
        max_cond_size: Largest conditioning set; none by default.
        knowledge: What cannot cause another node has an arrowhead where the two are adjacent; a
            required edge is directed; an edge forbidden both ways is left out, which says that no
            hidden cause joins its ends either. `BackgroundKnowledge` says which rules are complete.
        node_mask: Which nodes take part; the others stay without edges.
        selection_bias: Whether the sample may have been selected by its values (R5–R7); by default
            yes, unless knowledge gives directions, which says nothing about marks under selection.
        sepset: ``max_p`` keeps the separating set of a level with the largest p-value, so that the
            result does not depend on the order of the nodes. ``first`` keeps the first one, as the
            papers have it: with data, renumbering the nodes then changes marks, and fewer of them
            are right.
        caps: Static bounds; with them the search is one compiled program, which also runs inside
            the caller's ``jit`` and ``vmap``, and flags what does not fit in ``info.overflow``.
        mesh: Devices that share the work (`jaxcause.sharding.row_mesh`): the rows of every large
            level, or with caps the graphs of a batch. The result is that of one device.
        checkpoint: File to which the search is written after each level, and from which the same
            call goes on after its process was killed, to the same result bit for bit; chunks of a
            batch have one each (``name``, ``name.1``, …). A test of your own is told from another
            by its type and arrays.

    Returns:
        Graph, separating sets, p-values, what each level did, and the graph after each level.

    Raises:
        InputError: ``alpha`` is outside (0, 1), ``max_cond_size`` is negative, ``sepset`` is not
            known, ``knowledge`` or ``node_mask`` are about another number of nodes, the test is
            traced and there are no caps, ``selection_bias=True`` comes with directions, or
            ``checkpoint`` comes with caps, is damaged, or belongs to another search.

    Source: Rohekar, Nisimov, Gurwicz & Novik (2021), "Iterative causal discovery in the possible
    presence of latent confounders and selection bias"; ordered: Rohekar et al. (2024),
    arXiv 2412.07446; temporal: Rohekar et al. (2023), arXiv 2306.00624; Zhang (2008).

    >>> import numpy as np
    >>> from jaxcause.graph import oracle_test
    >>> dag = np.zeros((5, 5), bool)
    >>> dag[0, 2] = dag[1, 3] = dag[4, 2] = dag[4, 3] = True  # node 4 is not observed
    >>> icd(oracle_test(dag, np.arange(4)), alpha=0.5).graph.edges(["a", "b", "c", "d"])
    [('a', 'o->', 'c'), ('b', 'o->', 'd'), ('c', '<->', 'd')]
    """
    selection_bias = selection_applies(selection_bias, knowledge)
    return search_graphs(
        partial(icd_on_host, selection_bias),
        partial(icd_with_caps, selection_bias=selection_bias),
        test,
        alpha=alpha,
        max_cond_size=max_cond_size,
        knowledge=knowledge,
        node_mask=node_mask,
        sepset=sepset,
        caps=caps,
        mesh=mesh,
        checkpoint=checkpoint,
        cubic=True,
    )
