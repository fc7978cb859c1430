"""Two ways in which tests find edges that are not there, and what is done about them.

Variables that are loud at the same times look like causes of one another. Correlations of different
rows, as where values are missing, have other errors than a test assumes.
"""

import numpy as np

import jaxcause as jc

NAMES = ["rain", "river", "wind", "sun"]


def main() -> None:
    # All noise grows and fades together. Only rain drives the river, a row later.
    rng = np.random.default_rng(0)
    loudness = np.exp(np.cumsum(rng.normal(size=(800, 1)), axis=0) / 10)
    x = rng.normal(size=(800, 4)) * loudness
    for t in range(1, 800):
        x[t] += 0.3 * x[t - 1]
        x[t, 1] += 0.5 * x[t - 1, 0]
    for noise in ("steady", "auto"):
        found = jc.discover(x, 2, names=NAMES, method="var", noise=noise, transform="standardise")
        print(f"noise={noise!r}: {', '.join(between(found))}")
    print(next(note for note in found.info.notes if "over time" in note))

    # A tenth of the values is missing. Every test takes the windows that hold all its variables.
    y = rng.normal(size=(600, 4))
    for t in range(1, 600):
        y[t] += 0.5 * y[t - 1]
        y[t, 1:] += y[t - 1, 0]
    y[rng.random(y.shape) < 0.1] = np.nan
    found = jc.discover(y, 1, names=NAMES, method="pcmci+")
    print(f"with holes: {', '.join(between(found))}")
    print(next(note for note in found.info.notes if "testwise" in note))

    # The same test of samples without time, for any search.
    z = rng.normal(size=(300, 4))
    z[:, 1:] += z[:, :1]
    z[rng.random(z.shape) < 0.1] = np.nan
    test = jc.partial_correlation_test_from_data(z, missing="testwise")
    print("PC:", jc.pc(test).graph.edges(NAMES))


def between(found: jc.Discovery) -> list[str]:
    """The edges between two variables."""
    edges = found.graph.edges(NAMES)
    return [f"{i} t-{lag} {mark} {j}" for i, lag, mark, j in edges if i != j]


if __name__ == "__main__":
    main()
