import itertools

import jax
import numpy as np
import pytest

from jaxcause import oracle_test, partial_correlation_test_from_data, pc
from jaxcause.graph import Mark, dag_to_cpdag
from jaxcause.simulate import linear_sem, random_dag


def sample_test(seed, n=7):
    dag = np.asarray(random_dag(jax.random.key(seed), n, degree=3.0))
    return partial_correlation_test_from_data(
        np.asarray(linear_sem(jax.random.key(seed + 50), dag, n_samples=150))
    )


def shares_by_hand(test, adjacency, alpha):
    """For each unshielded triple the share of separating sets that hold its middle node."""
    call = jax.jit(test)
    n = len(adjacency)
    shares = {}
    for a, c in itertools.combinations(range(n), 2):
        if adjacency[a, c]:
            continue
        sets = set()
        for end, other in ((a, c), (c, a)):
            near = [k for k in np.flatnonzero(adjacency[end]) if k != other]
            sets |= {s for r in range(len(near) + 1) for s in itertools.combinations(near, r)}
        separating = []
        for members in sets:
            cond = np.full(n, -1, np.int32)
            cond[: len(members)] = members
            if float(call(np.int32(a), np.int32(c), cond).p_value) > alpha:
                separating.append(members)
        for b in np.flatnonzero(adjacency[a] & adjacency[c]):
            if separating:
                shares[a, int(b), c] = np.mean([b in s for s in separating])
            else:
                shares[a, int(b), c] = None
    return shares


@pytest.mark.parametrize("seed", [1, 4])
def test_triples_are_decided_as_by_brute_force(seed):
    test = sample_test(seed)
    plain = pc(test, alpha=0.05)
    shares = shares_by_hand(test, np.asarray(plain.graph.adjacency), 0.05)
    assert shares
    rules = {
        "conservative": (lambda s: s == 0, lambda s: s == 1),
        "majority": (lambda s: s < 0.5, lambda s: s > 0.5),
    }
    for rule, (is_collider, is_non_collider) in rules.items():
        found = pc(test, alpha=0.05, colliders=rule)
        decided = {t: s for t, s in shares.items() if s is not None}
        n_open = sum(
            t not in decided or not (is_collider(decided[t]) or is_non_collider(decided[t]))
            for t in shares
        )
        assert int(found.info.n_open) == n_open
        marks = np.asarray(found.graph.marks)
        for (a, b, c), share in decided.items():
            if is_collider(share):
                assert {marks[a, b], marks[c, b]} <= {Mark.ARROW, Mark.CONFLICT}


def test_with_an_oracle_all_separating_sets_agree():
    dag = np.asarray(random_dag(jax.random.key(5), 7, degree=2.5))
    for rule in ("conservative", "majority"):
        found = pc(oracle_test(dag), alpha=0.5, colliders=rule)
        assert int(found.info.n_open) == 0
        assert (found.graph.marks == dag_to_cpdag(dag).marks).all()


def test_open_triples_orient_nothing_by_rule_1():
    # 0 → 1 → 2 : where 0, 1, 2 is open, 0 → 1 must not point on to 2.
    open_somewhere = False
    for seed in range(12):
        test = sample_test(seed)
        careful = pc(test, alpha=0.05, colliders="conservative")
        bold = pc(test, alpha=0.05)
        n_arrows = (np.asarray(careful.graph.marks) == 2).sum()
        if int(careful.info.n_open) and n_arrows < (np.asarray(bold.graph.marks) == 2).sum():
            open_somewhere = True
            break
    assert open_somewhere


@pytest.mark.usefixtures("untyped")
def test_an_unknown_rule_is_named():
    with pytest.raises(ValueError, match="colliders='most' is not known"):
        pc(sample_test(0), colliders="most")
