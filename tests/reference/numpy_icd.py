"""Level-frozen ICD in plain numpy: an independent reference, and the baseline of the benchmark.

One graph at a time, float64. Written from the description of the method alone: the ICD-Sep sets
are grown along the branches of possible-d-sep trees, never filtered out of all subsets.

``marks[i, j]`` is the mark AT j on the edge i *-* j: 0 none, 1 circle, 2 arrowhead, 3 tail.
"""

import math

import numpy as np
from scipy.special import erfc

NONE, CIRCLE, ARROW, TAIL = range(4)
CHUNK = 512  # candidate sets of one pair tested at once


def numpy_icd(corr, n_samples, alpha, one_sided=False, selection_bias=True, max_cond_size=None):
    """Search one PAG: (pag, graph of every level, separating set of every removed pair)."""
    corr = np.asarray(corr, np.float64)
    n = len(corr)
    marks = np.full((n, n), CIRCLE, np.int8)
    np.fill_diagonal(marks, NONE)
    sepsets, levels, size = {}, [], 0
    while True:
        removed, any_candidate = search_level(corr, marks, size, n_samples, alpha, one_sided)
        sepsets.update(removed)
        marks = orient(marks != NONE, removed, sepsets)
        levels.append(marks)
        if (size >= 1 and not any_candidate) or size == max_cond_size:
            break
        size += 1
    levels[-1] = orient_tails(marks, selection_bias)
    return levels[-1], levels, sepsets


# ---------------------------------------------------------------- the skeleton


def search_level(corr, marks, size, n_samples, alpha, one_sided):
    """Pairs that a set of this size separates, and whether any pair had a candidate at all."""
    n = len(marks)
    neighbours = [np.flatnonzero(row).tolist() for row in marks]
    if size >= 2:
        adjacent = [bit_mask(row) for row in marks != NONE]
        into = [bit_mask(column) for column in (marks == ARROW).T]
        trees = [pds_tree(adjacent, into, root, size) for root in range(n)]
        ancestors = possible_ancestors(marks)
    removed, any_candidate = {}, False
    for i in range(n):
        for j in neighbours[i]:
            if j < i:
                continue
            if size == 0:
                sets = [()]
            elif size == 1:
                nodes = dict.fromkeys(neighbours[i] + neighbours[j])  # no repeats
                sets = [(k,) for k in nodes if k not in (i, j)]
            else:
                allowed = (ancestors[i] | ancestors[j]) & ~(1 << i | 1 << j)
                sets = sorted(
                    (total, side, members)
                    for side, root in enumerate((i, j))
                    for total, members in icd_sep_sets(trees[root], allowed, size)
                )
                sets = list(dict.fromkeys(members for _, _, members in sets))
            any_candidate |= bool(sets)
            found = first_independent(corr, i, j, sets, n_samples, alpha, one_sided)
            if found is not None:
                removed[i, j] = frozenset(found)
    return removed, any_candidate


def first_independent(corr, i, j, sets, n_samples, alpha, one_sided):
    """The first of the sets given which i and j are independent, or None."""
    for start in range(0, len(sets), CHUNK):
        chunk = sets[start : start + CHUNK]
        independent = p_values(corr, i, j, np.array(chunk, int), n_samples, one_sided) > alpha
        if independent.any():
            return chunk[int(independent.argmax())]
    return None


def p_values(corr, i, j, sets, n_samples, one_sided):
    """Fisher-z p-values of i and j given each row of ``sets``."""
    size = sets.shape[1]
    if size == 0:
        var_i, var_j, cov = corr[[i], [i]], corr[[j], [j]], corr[[i], [j]]
    else:
        within = corr[sets[:, :, None], sets[:, None, :]]
        across = np.stack([corr[sets, i], corr[sets, j]], axis=-1)
        explained = np.swapaxes(across, 1, 2) @ solve(within, across)
        var_i = corr[i, i] - explained[:, 0, 0]
        var_j = corr[j, j] - explained[:, 1, 1]
        cov = corr[i, j] - explained[:, 0, 1]
    with np.errstate(invalid="ignore", divide="ignore"):
        r = cov / (np.sqrt(var_i) * np.sqrt(var_j))  # nan or infinite without variance
        z = math.sqrt(max(n_samples - size - 3, 0)) * np.arctanh(np.abs(r))
    p = np.where(np.abs(r) < 1, erfc(z / math.sqrt(2)), 0.0)
    return np.where(np.isfinite(r) & (r <= 0), 1.0, p) if one_sided else p


def solve(matrices, right):
    """Batched solve; exactly singular matrices give nan."""
    try:
        return np.linalg.solve(matrices, right)
    except np.linalg.LinAlgError:
        if len(matrices) == 1:
            return np.full_like(right, np.nan)
        each = zip(matrices[:, None], right[:, None], strict=True)
        return np.concatenate([solve(a, b) for a, b in each])


# ---------------------------------------------------------------- ICD-Sep sets


def pds_tree(adjacent, into, root, depth):
    """Possible-d-sep tree: children of every tree node, and each graph node's least depth.

    A tree node is numbered as it is found; ``children[t]`` lists (tree node, graph node). From
    (a, b) it goes on to c if b - c is not used yet, and a - c are adjacent or a *-> b <-* c.
    Bit masks hold the neighbours of every node, and those with an arrowhead at it.
    """
    unused = [mask & ~(1 << root) for mask in adjacent]
    children, distance, layer = [[]], {}, [(None, root, 0)]
    for level in range(1, depth + 1):
        below = []
        for a, b, t in layer:
            follow = unused[b]
            if a is not None:
                follow &= adjacent[a] | (into[b] if into[b] >> a & 1 else 0)
            for c in bits(follow):
                unused[b] &= ~(1 << c)
                unused[c] &= ~(1 << b)
                below.append((b, c, len(children)))
                children[t].append((len(children), c))
                children.append([])
                distance.setdefault(c, level)
        layer = below
    return children, distance


def bit_mask(flags):
    """Integer with the bits of a boolean vector."""
    return sum(1 << k for k in np.flatnonzero(flags).tolist())


def bits(mask):
    """Positions of the set bits, ascending."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def possible_ancestors(marks):
    """Bit mask, for every node, of its possible ancestors."""
    n = len(marks)
    reach = (marks != NONE) & (marks != TAIL) & (marks.T != ARROW)  # [u, v]: u may be a parent
    for k in range(n):
        reach |= reach[:, k, None] & reach[k]
    return [bit_mask(column) for column in reach.T]


def icd_sep_sets(tree, allowed, size):
    """Every legal set of this size from one tree, as (sum of distances, sorted members)."""
    children, distance = tree
    # For every allowed node, the nodes that a branch down to it goes through, as bit masks.
    branches = {}
    stack = [(0, 0)]
    while stack:
        t, above = stack.pop()
        for child, node in children[t]:
            # A branch that meets a node again adds nothing to the first meeting.
            if allowed >> node & 1 and not above >> node & 1:
                branches.setdefault(node, set()).add(above)
                stack.append((child, above | 1 << node))
    if len(branches) < size:
        return []
    found = []

    def grow(chosen, members, banned):
        if len(members) == size:
            found.append((sum(distance[k] for k in members), tuple(sorted(members))))
            return
        for node, masks in branches.items():
            bit = 1 << node
            if banned & bit or all(mask & ~chosen for mask in masks):
                continue
            banned |= bit  # in this call's later sets the node stays out: each set comes once
            grow(chosen | bit, [*members, node], banned)

    grow(0, [], 0)
    return found


# ---------------------------------------------------------------- orientation


def orient(adjacent, removed, sepsets):
    """Marks after removing edges: circles, R0, and the closure under R1 to R4."""
    n = len(adjacent)
    marks = np.where(adjacent, CIRCLE, NONE).astype(np.int8)
    for i, j in removed:
        marks[i, j] = marks[j, i] = NONE
    in_sepset = np.zeros((n, n, n), bool)  # [i, j, k]: k separates i and j
    for (i, j), members in sepsets.items():
        for k in members:
            in_sepset[i, j, k] = in_sepset[j, i, k] = True
    rule_0(marks, in_sepset)
    close(marks, rule_1, rule_2, rule_3, lambda marks: rule_4(marks, in_sepset))
    return marks


def orient_tails(marks, selection_bias):
    """The closure under R5 to R7 (with selection bias), then under R8 to R10."""
    marks = marks.copy()
    if selection_bias:
        close(marks, rule_5, rule_6, rule_7)
    close(marks, rule_8, rule_9, rule_10)
    return marks


def close(marks, *rules):
    """Repeat the rules in order until a whole pass changes nothing."""
    while True:
        before = marks.copy()
        for rule in rules:
            rule(marks)
        if (before == marks).all():
            return


def write(marks, arrows=None, tails=None):
    """Write on circles only; the arrowhead wins."""
    circle = marks == CIRCLE
    if tails is not None:
        marks[circle & tails] = TAIL
    if arrows is not None:
        marks[circle & arrows] = ARROW


def not_adjacent(marks):
    """Pairs of different nodes without an edge."""
    return (marks == NONE) & ~np.eye(len(marks), dtype=bool)


def exists(a, b):
    """[i, k]: is there a j with a[i, j] and b[j, k]."""
    return a.astype(np.float32) @ b.astype(np.float32) > 0


def rule_0(marks, in_sepset):
    """Unshielded a *-* c *-* b, c not in sepset(a, b): a *-> c <-* b."""
    adjacent, apart = marks != NONE, not_adjacent(marks)
    arrows = np.zeros_like(adjacent)
    for a, b in np.argwhere(apart):
        arrows[a] |= adjacent[a] & adjacent[b] & ~in_sepset[a, b]
    write(marks, arrows)


def rule_1(marks):
    """a *-> b o-* c, a and c not adjacent: b -> c."""
    hit = exists((marks == ARROW).T, not_adjacent(marks)) & (marks.T == CIRCLE)  # [b, c]
    write(marks, arrows=hit, tails=hit.T)


def rule_2(marks):
    """a -> b *-> c or a *-> b -> c, and a *-o c: a *-> c."""
    arrow = marks == ARROW
    directed = arrow & (marks.T == TAIL)
    write(marks, arrows=exists(directed, arrow) | exists(arrow, directed))


def rule_3(marks):
    """a *-> b <-* c, a *-o d o-* c, a and c not adjacent, d *-o b: d *-> b."""
    arrow, circle, apart = marks == ARROW, marks == CIRCLE, not_adjacent(marks)
    arrows = np.zeros_like(arrow)
    for d in range(len(marks)):
        ends = circle[:, d]  # a and c
        into = arrow[ends]  # [a, b]
        arrows[d] = (exists(apart[np.ix_(ends, ends)], into) & into).any(0)
    write(marks, arrows)


def rule_4(marks, in_sepset):
    """Discriminating path (d, ..., a, b, c) for b, with b o-* c.

    b in sepset(d, c): b -> c; otherwise a <-> b <-> c.
    """
    arrow, apart = marks == ARROW, not_adjacent(marks)
    arrows, tails = np.zeros_like(arrow), np.zeros_like(arrow)
    for c in range(len(marks)):
        parents = arrow[:, c] & (marks[c] == TAIL)
        middles = np.flatnonzero(marks[c] == CIRCLE)
        if not parents.any() or not len(middles) or not apart[c].any():
            continue
        bidirected = arrow & arrow.T & parents & parents[:, None]
        starts = {}  # the ends d of the paths that come back from a
        for a in np.flatnonzero(parents):
            reached, fresh = np.zeros_like(parents), np.zeros_like(parents)
            fresh[a] = True
            while fresh.any():
                reached |= fresh
                fresh = bidirected[fresh].any(0) & ~reached
            starts[a] = np.flatnonzero(arrow[:, reached].any(1) & apart[c])
        for b in middles:
            for a in np.flatnonzero(parents & arrow[b]):
                inside = in_sepset[c, starts[a], b]
                if inside.any():
                    tails[c, b] = arrows[b, c] = True
                if not inside.all():
                    arrows[a, b] = arrows[c, b] = arrows[b, c] = True
    write(marks, arrows, tails)


def rule_5(marks):
    """a o-o b and an uncovered circle path (a, c, ..., d, b), a, d and b, c not adjacent: tails."""
    circles = (marks == CIRCLE) & (marks.T == CIRCLE)
    apart = not_adjacent(marks)
    tails = np.zeros_like(circles)
    for a, b in np.argwhere(np.triu(circles)):
        between = circles.copy()  # the middle of a path stays clear of both ends
        between[[a, b]] = between[:, [a, b]] = False
        first = [(a, c) for c in np.flatnonzero(circles[a] & apart[b])]
        last = [(b, d) for d in np.flatnonzero(circles[b] & apart[a])]
        forward = walk(between, apart, first)
        backward = {(v, u) for u, v in walk(between, apart, last)}
        # (u, v) lies on a path if it is reached from a, and reaches b. The last step into b is
        # (d, b), whose triple (e, d, b) is unshielded where (d, e) came back from (b, d).
        inner = forward & backward
        ends_a = {(a, c) for _, c in first if any(u == c for u, v in inner if apart[a, v])}
        ends_b = {(d, b) for _, d in last if any(v == d for u, v in inner if apart[b, u])}
        if ends_a:
            for u, v in inner | ends_a | ends_b | {(a, b)}:
                tails[u, v] = tails[v, u] = True
    write(marks, tails=tails)


def rule_6(marks):
    """a --- b o-* c: a tail at b."""
    undirected = (marks == TAIL) & (marks.T == TAIL)
    write(marks, tails=np.broadcast_to(undirected.any(0), marks.shape))


def rule_7(marks):
    """a --o b o-* c, a and c not adjacent: a tail at b."""
    tail_circle = (marks == CIRCLE) & (marks.T == TAIL)  # [a, b]
    write(marks, tails=exists(not_adjacent(marks), tail_circle))


def rule_8(marks):
    """a -> b -> c or a --o b -> c, and a o-> c: a -> c."""
    out = (marks.T == TAIL) & (marks != TAIL)  # a -> b or a --o b
    directed = (marks == ARROW) & (marks.T == TAIL)
    write(marks, tails=(exists(out, directed) & (marks == ARROW)).T)


def rule_9(marks):
    """a o-> c, an uncovered possibly directed path (a, b, ..., c), b and c not adjacent: a -> c."""
    apart, tails = not_adjacent(marks), np.zeros_like(marks, bool)
    for a in open_tails(marks):
        reach = reachable(marks, apart, a)
        for c in np.flatnonzero((marks[a] == ARROW) & (marks[:, a] == CIRCLE)):
            tails[c, a] = any(c in ends for b, ends in reach.items() if apart[b, c])
    write(marks, tails=tails)


def rule_10(marks):
    """a o-> c, b -> c <- d, uncovered possibly directed paths from a to b and from a to d.

    Their first nodes after a differ and are not adjacent: a -> c.
    """
    apart, tails = not_adjacent(marks), np.zeros_like(marks, bool)
    directed = (marks == ARROW) & (marks.T == TAIL)
    for a in open_tails(marks):
        reach = reachable(marks, apart, a)
        for c in np.flatnonzero((marks[a] == ARROW) & (marks[:, a] == CIRCLE)):
            parents = set(np.flatnonzero(directed[:, c]).tolist())
            ends = {u: nodes & parents for u, nodes in reach.items()}
            tails[c, a] = any(
                # some b in the one and another d in the other
                ends[u] and ends[v] and len(ends[u] | ends[v]) > 1
                for u in ends
                for v in ends
                if apart[u, v]
            )
    write(marks, tails=tails)


def open_tails(marks):
    """Nodes a with some edge a o-> c."""
    return np.flatnonzero(((marks == ARROW) & (marks.T == CIRCLE)).any(1)).tolist()


def reachable(marks, apart, a):
    """First node after a -> the nodes that uncovered possibly directed paths then come to."""
    step = (marks != NONE) & (marks != TAIL) & (marks.T != ARROW)
    onward = step.copy()
    onward[:, a] = False  # a path does not come back
    return {
        b: {v for _, v in walk(onward, apart, [(a, b)])} for b in np.flatnonzero(step[a]).tolist()
    }


def walk(step, apart, start):
    """Directed edges that uncovered walks come to: (u, v) to (v, w) if u and w are not adjacent."""
    seen, queue = set(start), list(start)
    while queue:
        u, v = queue.pop()
        for w in np.flatnonzero(step[v] & apart[u]).tolist():
            if (v, w) not in seen:
                seen.add((v, w))
                queue.append((v, w))
    return seen
