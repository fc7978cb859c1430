"""Systems whose links are known, and scores whose null is known."""

import numpy as np


def draw(
    rng: np.random.Generator, n_vars: int, max_lag: int, share: float, distance: float, shape: str
) -> tuple[np.ndarray, np.ndarray]:
    """Scores and their edges; as with forecasters, targets and sources have different scales."""
    size = (n_vars, n_vars, max_lag)
    standard = {
        "normal": lambda: rng.normal(size=size),
        "log chi-square": lambda: (np.log(rng.chisquare(1, size=size)) + 1.2704) / 2.2214,
        "log exponential": lambda: (np.log(rng.exponential(size=size)) + 0.5772) / 1.2825,
        "Student t, 5": lambda: rng.standard_t(5, size=size) / np.sqrt(5 / 3),
        "skewed to the right": lambda: -(np.log(rng.gamma(3.0, size=size)) - 0.9228) / 0.6284,
    }[shape]()
    z = (
        0.6 * standard
        + 0.2 * rng.normal(size=(1, n_vars, 1))
        + 0.2 * rng.normal(size=(n_vars, 1, 1))
    )
    edges = rng.permutation(z.size).reshape(size) < round(share * z.size)
    z = np.where(edges, 0.6 * distance + 0.35 * rng.normal(size=size), z)
    at_lag_0 = [(0, 0), (0, 0), (1, 0)]
    return np.pad(np.exp(2 * z), at_lag_0), np.pad(edges, at_lag_0)


def weak_system(
    seed: int, function: str, noise: str, n_steps: int
) -> tuple[np.ndarray, np.ndarray]:
    """Ten variables with two weak parents each, at lags to 3, and their own last values.

    The coefficients are about two to four standard errors of a regression on 1,000 rows.
    """
    rng = np.random.default_rng(seed)
    n, max_lag = 10, 3
    truth, weight = np.zeros((n, n, max_lag + 1), bool), np.zeros((n, n, max_lag + 1))
    for target in range(n):
        others = rng.permutation(np.delete(np.arange(n), target))[:2]
        for source in others:
            lag = rng.integers(1, max_lag + 1)
            truth[source, target, lag] = True
            weight[source, target, lag] = rng.choice([-1, 1]) * rng.uniform(0.06, 0.14)
    # With 0.9 the systems would grow without bound.
    own = 0.8 if noise == "smooth" else 0.4
    truth[np.arange(n), np.arange(n), 1] = True
    length = n_steps + 200
    shape = {
        "linear": lambda past: past,
        "tanh": lambda past: np.tanh(2 * past),
        "square": lambda past: np.minimum(past**2, 4.0) - 1,
    }[function]
    shocks = {
        "normal": lambda: rng.normal(size=(length, n)),
        "smooth": lambda: rng.normal(size=(length, n)),
        "Student t, 4": lambda: rng.standard_t(4, size=(length, n)) / np.sqrt(2),
        "heteroscedastic": lambda: rng.normal(size=(length, n)),
    }[noise]()
    x = np.zeros((length, n))
    for t in range(max_lag, length):
        past = x[t - max_lag : t][::-1]
        scale = 1.0
        if noise == "heteroscedastic":
            scale = np.sqrt(0.5 + 0.5 * np.minimum(past[0] ** 2, 9.0))
        x[t] = own * past[0] + scale * shocks[t]
        x[t] += np.einsum("li,ijl->j", shape(past), weight[:, :, 1:])
    return x[200:], truth


def bent_system(
    seed: int, n_vars: int, share: float, n_steps: int = 1_000
) -> tuple[np.ndarray, np.ndarray]:
    """Effects at lag 1 that saturate, of squares, or of products with the target."""
    rng = np.random.default_rng(seed)
    truth = rng.random((n_vars, n_vars, 2)) < share
    truth[:, :, 0] = False
    truth[np.arange(n_vars), np.arange(n_vars), 1] = True
    own = rng.uniform(0.2, 0.6, n_vars)
    weight = rng.choice([-1, 1], (n_vars, n_vars)) * rng.uniform(0.4, 0.8, (n_vars, n_vars))
    kind = rng.integers(3, size=(n_vars, n_vars))
    weight *= truth[:, :, 1] & ~np.eye(n_vars, dtype=bool)
    x = np.zeros((n_steps + 50, n_vars))
    for t in range(1, len(x)):
        near = np.clip(x[t - 1], -2, 2)
        shapes = np.tanh(2 * near)[:, None], (near**2 - 1)[:, None], 0.6 * np.outer(near, near)
        effects = (weight * np.select([kind == k for k in range(3)], shapes)).sum(axis=0)
        x[t] = own * x[t - 1] + effects + rng.normal(size=n_vars)
    return x[50:], truth


def shaped_system(
    seed: int, n_vars: int, max_lag: int, share: float, n_steps: int, shape: str
) -> tuple[np.ndarray, np.ndarray]:
    """Each source acts on a target at one lag; every third system has heavy tails.

    Every fourth has variables that change slowly. A product is one with the target's last value.
    """
    rng = np.random.default_rng([seed, n_vars, max_lag, n_steps, int(100 * share)])
    edges = (rng.random((n_vars, n_vars)) < share) & ~np.eye(n_vars, dtype=bool)
    lag = rng.integers(1, max_lag + 1, (n_vars, n_vars))
    weight = edges * rng.choice([-1, 1], edges.shape) * rng.uniform(0.3, 0.9, edges.shape)
    kind = rng.integers(3, size=edges.shape)
    own = np.full(n_vars, 0.9) if seed % 4 == 3 else rng.uniform(0.2, 0.6, n_vars)
    length, source = n_steps + 60, np.arange(n_vars)[:, None]
    noise = rng.normal(size=(length, n_vars))
    if seed % 3 == 2:
        noise = rng.standard_t(4, size=(length, n_vars)) / np.sqrt(2)
    x, scale = np.zeros((length, n_vars)), np.ones(n_vars)
    for t in range(max_lag, length):
        past, near = x[t - lag, source] / scale[:, None], np.clip(x[t - 1] / scale, -2, 2)
        shapes = {
            "tanh": np.tanh(2 * past),
            "square": np.minimum(past**2, 4.0) - 1,
            "absolute value": np.minimum(abs(past), 3.0) - 0.8,
            "product": np.clip(past, -2, 2) * near,
        }
        three = [shapes[name] for name in ("tanh", "square", "absolute value")]
        effects = np.select([kind == k for k in range(3)], three)
        effects = shapes.get(shape, effects)
        x[t] = np.clip(own * x[t - 1] + (weight * effects).sum(axis=0), -12, 12) + noise[t]
        if t == max_lag + 29:
            # Without this, effects of variables that vary more would be flat.
            scale = np.maximum(np.abs(x[: t + 1]).max(axis=0) / 2.5, 1)
    truth = np.zeros((n_vars, n_vars, max_lag + 1), bool)
    truth[source, np.arange(n_vars), lag] = edges
    truth[np.arange(n_vars), np.arange(n_vars), 1] = True
    return x[60:], truth
