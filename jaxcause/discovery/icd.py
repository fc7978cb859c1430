"""Iterative causal discovery (ICD)."""

from typing import Unpack

from jaxtyping import Float

from jaxcause._options import shows_options
from jaxcause._typing import AnyArray
from jaxcause.discovery._entry import search_pags
from jaxcause.discovery._given import Given
from jaxcause.discovery._host.icd import icd_on_host
from jaxcause.discovery._problem import PagSearchOptions
from jaxcause.discovery._result import SearchResult
from jaxcause.discovery._traced.icd import icd_with_caps


@shows_options(PagSearchOptions, of=search_pags)
def icd(
    test: Given,
    *,
    alpha: float | Float[AnyArray, ""] = 0.01,
    **options: Unpack[PagSearchOptions],
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

    Returns:
        Graph, separating sets, p-values, what each level did, and the graph after each level.

    Raises:
        InputError: As for `fci`.

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
    return search_pags(icd_on_host, icd_with_caps, test, alpha=alpha, **options)
