"""The numpy reference against stored cases, d-separation, and each rule written out as loops."""

import itertools

import numpy as np
import numpy_icd as icd
import pytest
from numpy_icd import ARROW, CIRCLE, NONE, TAIL
from scipy.stats import norm


def stored(folder, pattern):
    files = sorted(folder.glob(pattern))
    assert files
    for file in files:
        with np.load(file) as case:
            yield file.stem, dict(case)


@pytest.mark.parametrize("mode", ["twosided", "onesided"])
@pytest.mark.parametrize("family", ["attention", "dag", "real_attention"])
def test_stored_cases(fixtures, family, mode):
    for name, case in stored(fixtures, f"{family}_*.npz"):
        pag, levels, sepsets = icd.numpy_icd(
            case["corr"],
            int(case["n_samples"]),
            float(case["alpha"]),
            one_sided=mode == "onesided",
        )
        in_sepset = np.zeros((len(pag),) * 3, bool)
        for (i, j), members in sepsets.items():
            in_sepset[i, j, list(members)] = in_sepset[j, i, list(members)] = True
        assert pag.dtype == np.int8
        np.testing.assert_array_equal(pag, case[f"pag_{mode}"], name)
        np.testing.assert_array_equal(levels, case[f"pag_per_level_{mode}"], name)
        np.testing.assert_array_equal(in_sepset, case[f"sepset_{mode}"], name)


def test_population_correlation_gives_the_oracle_pag(fixtures):
    """A linear-Gaussian model of the DAG, a huge sample: partial correlations are d-separation."""
    for name, case in stored(fixtures, "oracle_*.npz"):
        dag, observed = case["dag"], case["observed"]
        rng = np.random.default_rng(0)
        weights = dag * rng.uniform(0.5, 1, dag.shape) * rng.choice([-1, 1], dag.shape)
        total = np.linalg.inv(np.eye(len(dag)) - weights)
        cov = (total.T @ total)[np.ix_(observed, observed)]
        scale = np.sqrt(np.diag(cov))
        pag, _, _ = icd.numpy_icd(cov / np.outer(scale, scale), 10**10, 0.01)
        np.testing.assert_array_equal(pag, case["pag"], name)


def test_cap_is_anytime():
    rng = np.random.default_rng(3)
    attention = np.exp(rng.normal(size=(12, 12)))
    attention /= np.linalg.norm(attention, axis=1, keepdims=True)
    _, levels, _ = icd.numpy_icd(attention @ attention.T, 768, 0.01)
    _, capped, _ = icd.numpy_icd(attention @ attention.T, 768, 0.01, max_cond_size=2)
    assert len(capped) == 3 < len(levels)
    np.testing.assert_array_equal(capped[:2], levels[:2])
    np.testing.assert_array_equal(capped[2] != NONE, levels[2] != NONE)


# ---------------------------------------------------------------- tests and candidate sets


def test_p_values_by_the_precision_matrix():
    corr = np.corrcoef(np.random.default_rng(0).normal(size=(12, 8)))
    corr = 0.7 * corr + 0.3 * np.eye(12)
    for size in range(5):
        sets = np.array(list(itertools.combinations(range(2, 12), size)), int)
        two = icd.p_values(corr, 0, 1, sets, 40, False)
        one = icd.p_values(corr, 0, 1, sets, 40, True)
        for z, p, q in zip(sets, two, one, strict=True):
            index = [0, 1, *z]
            precision = np.linalg.inv(corr[np.ix_(index, index)])
            r = -precision[0, 1] / np.sqrt(precision[0, 0] * precision[1, 1])
            expected = 2 * norm.sf(np.sqrt(40 - size - 3) * abs(np.arctanh(r)))
            np.testing.assert_allclose(p, expected, rtol=1e-9)
            assert q == (1 if r <= 0 else p)


def test_undefined_correlation_means_dependent():
    ones = np.ones((4, 4))
    for one_sided in (False, True):
        for size in range(3):
            sets = np.array([[2, 3][:size]], int)
            assert icd.p_values(ones, 0, 1, sets, 50, one_sided) == 0
        indefinite = np.array([[1, 0.9, 0.9], [0.9, 1, -0.9], [0.9, -0.9, 1]])
        assert icd.p_values(indefinite, 0, 1, np.array([[2]]), 50, one_sided) == 0
        beyond = np.array([[1, 0.1, 1.1], [0.1, 1, 1.2], [1.1, 1.2, 1]])
        assert icd.p_values(beyond, 0, 1, np.array([[2]]), 50, one_sided) == 0


def tree_in_words(marks, root, depth):
    """Branches (root excluded) of the possible-d-sep tree, breadth first."""
    n = len(marks)
    unused = {frozenset(e) for e in np.argwhere(marks != NONE).tolist()}
    layer = [[root, int(b)] for b in np.flatnonzero(marks[root])]
    unused -= {frozenset(path) for path in layer}
    branches = []
    for _ in range(depth):
        branches += layer
        below = []
        for path in layer:
            a, b = path[-2:]
            for c in range(n):
                collider = marks[a, b] == ARROW and marks[c, b] == ARROW
                if c != a and frozenset((b, c)) in unused and (marks[a, c] or collider):
                    unused.remove(frozenset((b, c)))
                    below.append([*path, c])
        layer = below
    return [path[1:] for path in branches]


def sets_in_words(marks, i, j, root, size):
    """All subsets, filtered."""
    n = len(marks)
    reach = np.eye(n, dtype=bool)
    for u, v in itertools.product(range(n), repeat=2):
        reach[u, v] |= marks[u, v] not in (NONE, TAIL) and marks[v, u] != ARROW
    for _ in range(n):
        reach |= (reach[:, :, None] & reach[None]).any(1)
    branches = tree_in_words(marks, root, size)
    for members in itertools.combinations(range(n), size):
        inside = [path for path in branches if set(path) <= set(members)]
        if (
            {path[-1] for path in inside} == set(members)
            and not {i, j} & set(members)
            and all(reach[k, i] or reach[k, j] for k in members)
        ):
            yield sum(min(len(p) for p in branches if p[-1] == k) for k in members), members


def random_marks(rng):
    """Marks of four to seven nodes: of any kind, or as in a PAG."""
    n = rng.integers(4, 8)
    kinds = [[[1, 1]], [[1, 1], [1, 2], [2, 1], [3, 2], [2, 3], [2, 2]]]
    kinds.append(list(itertools.product((1, 2, 3), repeat=2)))
    kinds.append([[1, 2], [1, 2], [3, 2], [1, 1]])
    kinds = kinds[rng.integers(len(kinds))]
    density = rng.choice([0.3, 0.5, 0.8])
    marks = np.zeros((n, n), np.int8)
    for i, j in itertools.combinations(rng.permutation(n), 2):
        if rng.random() < density:
            marks[j, i], marks[i, j] = kinds[rng.integers(len(kinds))]
    return marks


def test_sets_grown_are_the_sets_filtered():
    rng = np.random.default_rng(1)
    total = 0
    for _ in range(300):
        marks = random_marks(rng)
        adjacent = [icd.bit_mask(row) for row in marks != NONE]
        into = [icd.bit_mask(column) for column in (marks == ARROW).T]
        ancestors = icd.possible_ancestors(marks)
        for size, (i, j) in itertools.product((2, 3, 4), np.argwhere(marks)):
            tree = icd.pds_tree(adjacent, into, int(i), size)
            allowed = (ancestors[i] | ancestors[j]) & ~(1 << int(i) | 1 << int(j))
            grown = icd.icd_sep_sets(tree, allowed, size)
            assert sorted(grown) == sorted(sets_in_words(marks, i, j, i, size))
            total += len(grown)
    assert total > 1000


# ---------------------------------------------------------------- rules, word for word


def tuples(n, size):
    return itertools.permutations(range(n), size)


def rule_0_in_words(m, sepset):
    for a, c, b in tuples(len(m), 3):
        if m[a, c] and m[b, c] and not m[a, b] and not sepset[a, b, c]:
            yield a, c, ARROW
            yield b, c, ARROW


def rule_1_in_words(m, sepset):
    for a, b, c in tuples(len(m), 3):
        if m[a, b] == ARROW and m[c, b] == CIRCLE and not m[a, c]:
            yield c, b, TAIL
            yield b, c, ARROW


def rule_2_in_words(m, sepset):
    for a, b, c in tuples(len(m), 3):
        arrows = m[a, b] == ARROW and m[b, c] == ARROW
        if arrows and TAIL in (m[b, a], m[c, b]) and m[a, c] == CIRCLE:
            yield a, c, ARROW


def rule_3_in_words(m, sepset):
    for a, b, c, d in tuples(len(m), 4):
        into = m[a, b] == ARROW and m[c, b] == ARROW and not m[a, c]
        if into and m[a, d] == CIRCLE and m[c, d] == CIRCLE and m[d, b] == CIRCLE:
            yield d, b, ARROW


def rule_4_in_words(m, sepset):
    for d, b in tuples(len(m), 2):
        for path in simple_paths(m != NONE, d, b):
            for c in set(range(len(m))) - set(path):
                middle = all(
                    m[u, v] == ARROW and m[w, v] == ARROW and m[v, c] == ARROW and m[c, v] == TAIL
                    for u, v, w in zip(path, path[1:], path[2:], strict=False)
                )
                if len(path) > 2 and middle and m[c, b] == CIRCLE and not m[d, c]:
                    yield b, c, ARROW
                    yield c, b, TAIL if sepset[d, c, b] else ARROW
                    if not sepset[d, c, b]:
                        yield path[-2], b, ARROW


def rule_5_in_words(m, sepset):
    circles = (m == CIRCLE) & (m.T == CIRCLE)
    for a, b in np.argwhere(circles):
        for path in simple_paths(circles, a, b):
            if len(path) > 3 and uncovered(m, path) and not m[a, path[-2]] and not m[b, path[1]]:
                for u, v in itertools.pairwise([*path, a]):
                    yield u, v, TAIL
                    yield v, u, TAIL


def rule_6_in_words(m, sepset):
    for a, b in tuples(len(m), 2):
        if m[a, b] == TAIL and m[b, a] == TAIL:
            for c in range(len(m)):
                yield c, b, TAIL


def rule_7_in_words(m, sepset):
    for a, b, c in tuples(len(m), 3):
        if m[b, a] == TAIL and m[a, b] == CIRCLE and not m[a, c]:
            yield c, b, TAIL


def rule_8_in_words(m, sepset):
    for a, b, c in tuples(len(m), 3):
        onward = m[b, a] == TAIL and m[a, b] in (ARROW, CIRCLE)
        if onward and m[b, c] == ARROW and m[c, b] == TAIL and m[a, c] == ARROW:
            yield c, a, TAIL


def rule_9_in_words(m, sepset):
    for a, c in np.argwhere((m == ARROW) & (m.T == CIRCLE)):
        for path in simple_paths(possibly_directed(m), a, c):
            if len(path) > 3 and uncovered(m, path) and not m[path[1], c]:
                yield c, a, TAIL


def rule_10_in_words(m, sepset):
    steps = possibly_directed(m)
    for a, c in np.argwhere((m == ARROW) & (m.T == CIRCLE)):
        parents = np.flatnonzero((m[:, c] == ARROW) & (m[c] == TAIL))
        for b, d in itertools.permutations(parents, 2):
            for p in filter(lambda p: uncovered(m, p), simple_paths(steps, a, b)):
                for q in filter(lambda q: uncovered(m, q), simple_paths(steps, a, d)):
                    if p[1] != q[1] and not m[p[1], q[1]]:
                        yield c, a, TAIL


def simple_paths(step, start, end):
    stack = [[start]]
    while stack:
        path = stack.pop()
        for v in np.flatnonzero(step[path[-1]]):
            if v == end:
                yield [*path, v]
            elif v not in path:
                stack.append([*path, v])


def uncovered(m, path):
    return not any(m[u, w] for u, w in zip(path, path[2:], strict=False))


def possibly_directed(m):
    return (m != NONE) & (m != TAIL) & (m.T != ARROW)


@pytest.mark.parametrize("number", range(11))
def test_rule_word_for_word(number):
    rng = np.random.default_rng(number)
    rule, in_words = getattr(icd, f"rule_{number}"), globals()[f"rule_{number}_in_words"]
    changed = 0
    for _ in range(600):
        marks = random_marks(rng)
        sepset = rng.random((len(marks),) * 3) < 0.5
        sepset |= sepset.transpose(1, 0, 2)
        expected = marks.copy()
        for u, v, mark in in_words(marks, sepset):
            if marks[u, v] == CIRCLE and expected[u, v] != ARROW:
                expected[u, v] = mark
        actual = marks.copy()
        rule(actual, sepset) if number in (0, 4) else rule(actual)
        np.testing.assert_array_equal(actual, expected)
        changed += (actual != marks).any()
    assert changed >= 3
