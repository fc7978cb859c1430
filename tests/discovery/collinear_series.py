"""Series with redundant columns, and which of their edges are true."""

import numpy as np

KINDS = {
    "copy": lambda x, rng: [(x[:, 0], (0,))],
    "rescaled": lambda x, rng: [(2 * x[:, 0] + 1, (0,))],
    "negated": lambda x, rng: [(-32.5 * x[:, 1] + 1e4, (1,))],
    "sum": lambda x, rng: [(x[:, 0] + x[:, 1], (0, 1))],
    "two copies": lambda x, rng: [(x[:, 0] / 3, (0,)), (7 - x[:, 1], (1,))],
    "total": lambda x, rng: [(x.sum(axis=1), (0, 1, 2))],
    "one-hot": lambda x, rng: _one_hot(rng, len(x)),
    "alternating": lambda x, rng: [(np.arange(len(x)) % 2, (3,))],
    "constant stretch": lambda x, rng: [(np.where(np.arange(len(x)) < 40, x[:, 1], 0.5), (1,))],
    "nearly a copy": lambda x, rng: [(x[:, 0] + 1e-7 * rng.normal(size=len(x)), (0,))],
}


def _one_hot(rng, n):
    category = rng.integers(3, size=n)
    return [((category == k).astype(float), (3,)) for k in range(3)]


def collinear_series(kind, seed, *, n=400):
    """Values, and ``true[source, target, lag]``: an edge between what the columns are made of.

    Of three columns the first drives the second after one step, and all have some memory.
    """
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 3))
    for t in range(1, n):
        x[t] += 0.4 * x[t - 1]
        x[t, 1] += 0.7 * x[t - 1, 0]
    base = np.zeros((4, 4, 3), bool)
    base[[0, 1, 2], [0, 1, 2], 1] = base[0, 1, 1] = True
    # What alternates or comes from one draw of categories belongs together at every lag.
    base[3, 3] = True
    made = KINDS[kind](x, rng)
    columns = [*((column, (k,)) for k, column in enumerate(x.T)), *made]
    true = np.zeros((len(columns), len(columns), 3), bool)
    for i, (_, sources) in enumerate(columns):
        for j, (_, targets) in enumerate(columns):
            true[i, j] = base[np.ix_(sources, targets)].any(axis=(0, 1))
            true[i, j, 0] |= bool(set(sources) & set(targets))
    return np.column_stack([column for column, _ in columns]), true
