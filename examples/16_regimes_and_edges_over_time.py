"""A mechanism that changes: regimes that are found, and an edge that ends."""

import numpy as np

import jaxcause as jc


def main() -> None:
    # Regimes: the effect of the rain on the river changes its sign, and changes back.
    rng = np.random.default_rng(0)
    sign = np.repeat([1.0, -1.0, 1.0], 700)
    x = rng.normal(size=(len(sign), 3))
    for t in range(2, len(x)):
        x[t, 1] += 0.8 * sign[t] * x[t - 1, 0]
        x[t, 2] += 0.6 * x[t - 2, 1]
    regimes = jc.series.find_regimes(x, max_lag=2)
    print(f"{regimes.n_regimes} regimes begin at the rows {regimes.starts.tolist()}")

    # A linear model of the whole series hardly sees that effect. discover(domain="auto"), the
    # default, tells the regimes to its forecaster. Here each regime is searched on its own.
    names = ["rain", "river", "sea"]
    for regime in range(regimes.n_regimes):
        part = jc.discover(x, 2, names=names, method="var", mask=regimes.domain == regime)
        for source, lag, symbol, target in part.graph.edges(names):
            print(f"regime {regime}: {source} t-{lag} {symbol} {target}")

    # Edges over time: strength, sign and a test of each edge.
    x[1400:, 2] = rng.normal(size=700)
    over = jc.discover(x, 2, names=names, method="var").over_time(6)
    print(over)
    print("q-values:", dict(zip(over.edges, over.q_value.round(4).tolist(), strict=True)))


if __name__ == "__main__":
    main()
