"""Series that others made, with the graph that they know: a loader for each."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.lagged.case import Case
from jaxcause.graph import LaggedGraph

Loader = Callable[[Path], Case]


class NotThere(FileNotFoundError):
    """The data folder lacks a set."""


def lorenz96(force: int, n_steps: int, data: Path) -> Case:
    """Chaotic flow on a ring of ten variables; its first rows."""
    return _target_first(data / f"lorenz96/F_{force}_T_1000_dataset_1.npz", n_steps)


def netsim(data: Path) -> Case:
    """Simulated fMRI of one subject, 15 regions."""
    return _target_first(data / "netsim/sim3_subject_0.npz", 10**9)


def lotka_volterra(number: int, data: Path) -> Case:
    """Ten prey and ten predators; a variable's effect on itself does not count."""
    stored = _load(data / f"lotka_volterra/lv_{number}.npz")
    truth = stored["truth_effect_cause"].T.astype(bool)
    return Case(stored["x"].astype(float), truth, 3, summary=True)


def netsim28(number: int, data: Path) -> Case:
    """Simulated fMRI of Smith et al. (2011), 5 to 50 regions."""
    x = _table(data / f"netsim28/timeseries{number}.csv")
    edges = np.loadtxt(data / f"netsim28/sim{number}_gt_processed.csv", delimiter=",", dtype=int)
    truth = np.zeros((x.shape[1],) * 2, bool)
    truth[edges[:, 0], edges[:, 1]] = True
    return Case(x, truth, 2, summary=True)


def flood(n_gauges: int, number: int, data: Path) -> Case:
    """The flood of the Elbe in September 2024: all gauges, or five that rivers connect."""
    path = _there(data / "causalrivers_flood/rivers_ts_flood.csv")
    with path.open() as file:
        names = file.readline().strip().split(",")[1:]
        x = np.array([[float(v or "nan") for v in line.strip().split(",")[1:]] for line in file])
    truth = np.zeros((len(names),) * 2, bool)
    for line in (data / "causalrivers_flood/flood_edges.csv").read_text().splitlines()[1:]:
        upstream, downstream = line.split(",")[:2]
        truth[names.index(upstream), names.index(downstream)] = True
    if n_gauges < len(names):
        chosen = connected(truth, n_gauges)[number]
        x, truth = x[:, chosen], truth[np.ix_(chosen, chosen)]
    return Case(x, truth, 5, summary=True)


def connected(edges: np.ndarray, size: int) -> list[list[int]]:
    """All sets of ``size`` nodes that edges connect, in a fixed random order."""
    near = [set(np.flatnonzero(row).tolist()) for row in edges | edges.T]
    found = {frozenset([node]) for node in range(len(edges))}
    for _ in range(size - 1):
        found = {some | {new} for some in found for old in some for new in near[old] - some}
    listed = sorted(sorted(some) for some in found)
    order = np.random.default_rng(0).permutation(len(listed))
    return [listed[k] for k in order]


def dream3(n_genes: int, number: int, data: Path) -> Case:
    """Gene expression of the DREAM3 challenge: a panel of series of 21 rows."""
    stem = f"dream3_{n_genes}_{number}"
    if n_genes == 100:
        stored = _load(data / f"dream3/{stem}.npz")
        time, x = stored["time"], stored["x"].astype(float)
    else:
        table = np.loadtxt(_there(data / f"dream3/{stem}.tsv"), skiprows=1)
        time, x = table[:, 0], table[:, 1:]
    truth = np.zeros((n_genes, n_genes), bool)
    for line in (data / f"dream3/{stem}_true.txt").read_text().splitlines():
        source, target, holds = line.split()
        truth[int(source[1:]) - 1, int(target[1:]) - 1] = holds == "1"
    starts = np.flatnonzero(np.diff(time) <= 0) + 1
    return Case(np.split(x, starts), truth, 2, summary=True)


def finance(name: str, data: Path) -> Case:
    """Simulated returns of 25 portfolios (TCDF); every lag is known."""
    stored = _load(data / f"tcdf_finance/random-rels_{name}.npz")
    edges = stored["cause_effect_lag"]
    n_vars, max_lag = stored["x"].shape[1], max(3, int(edges[:, 2].max()))
    truth = np.zeros((n_vars, n_vars), bool)
    truth[edges[:, 0], edges[:, 1]] = True
    return Case(stored["x"].astype(float), truth, max_lag, summary=True)


def tcd_arena(number: int, data: Path) -> Case:
    """Linear systems of five variables, 250 rows; every lag is known."""
    stored = _load(data / "tcd_arena/series_00_49.npz")
    at_lags = stored["Y"][number, 0] != 0
    truth = np.zeros((*at_lags.shape[:2], at_lags.shape[2] + 1), bool)
    truth[:, :, 1:] = at_lags.transpose(1, 0, 2)
    x = stored["X"][number].T.astype(float)
    return Case(x, LaggedGraph.from_mask(truth), at_lags.shape[2])


def rivers(data: Path) -> Case:
    """Three Bavarian gauges: Kempten lies above Dillingen, Lenggries on another river."""
    path = _there(data / "rivers/rivers.csv")
    with path.open() as file:
        names = file.readline().strip().split(",")[1:]
        x = np.array([[float(v or "nan") for v in line.strip().split(",")[1:]] for line in file])
    truth = np.zeros((3, 3), bool)
    truth[names.index("kempten"), names.index("dillingen")] = True
    return Case(x, truth, 5, summary=True)


def cdml(number: int, data: Path) -> Case:
    """Twelve variables with nonlinear effects at every lag."""
    path = data / f"cdml/case{number}"
    with _there(data / f"cdml/case{number}_data.csv").open() as file:
        names = file.readline().strip().split(",")
        series = np.loadtxt(file, delimiter=",")
    with open(f"{path}_target.csv") as file:
        columns = file.readline().strip().split(",")[1:]
        rows = [line.split(",") for line in file]
    max_lag = max(int(c.split("_t-")[1]) for c in columns if "_t-" in c)
    truth = np.zeros((len(names), len(names), max_lag + 1), bool)
    for row in rows:
        source, _, lag = row[0].partition("_t")
        for column, value in zip(columns, row[1:], strict=True):
            # The file repeats the graph at every earlier time; the newest slice contains it once.
            if column.endswith("_t") and float(value):
                target = names.index(column[:-2])
                truth[names.index(source), target, abs(int(lag or 0))] = True
    if truth[:, :, 0].any():
        raise ValueError(f"{path} has contemporaneous edges, which this reader has no place for")
    return Case(series, LaggedGraph.from_mask(truth), max_lag)


def it_monitoring(name: str, data: Path) -> Case:
    """Loads of servers, with the graph of experts; constant columns are left out."""
    folder = data / "it_monitoring"
    (table,) = folder.glob(f"{name}*.csv") or [_there(folder / f"{name}.csv")]
    with open(table) as file:
        names = file.readline().strip().split(",")[1:]
        series = np.array([[float(v or "nan") for v in line.split(",")[1:]] for line in file])
    truth = np.zeros((len(names), len(names)), bool)
    with open(folder / f"{name}_structure.txt") as file:
        for source, target in (line.split() for line in file if line.strip()):
            truth[names.index(source), names.index(target)] = True
    kept = np.nanstd(series, axis=0) > 0
    return Case(series[:, kept], truth[kept][:, kept], 3, summary=True)


def _target_first(path: Path, n_steps: int) -> Case:
    stored = _load(path)
    truth = stored["Gref"].T.astype(bool)
    return Case(stored["X_np"].T.astype(float)[:n_steps], truth, 3, summary=True)


def _table(path: Path) -> np.ndarray:
    return np.loadtxt(_there(path), delimiter=",", skiprows=1)


def _load(path: Path) -> dict[str, np.ndarray]:
    return dict(np.load(_there(path)))


def _there(path: Path) -> Path:
    if not path.exists():
        raise NotThere(f"{path.name} is not in the data folder; pass --data")
    return path


BESIDE_SIMULATED: dict[str, Loader] = {
    "lorenz96 F=10": partial(lorenz96, 10, 1000),
    "lorenz96 F=40": partial(lorenz96, 40, 1000),
    **{f"cdml {k}": partial(cdml, k) for k in (1, 2, 3)},
    "netsim": netsim,
    "it middleware": partial(it_monitoring, "middleware"),
    "it web": partial(it_monitoring, "web"),
}
"""The published series of the study of simulated systems."""

PUBLISHED: dict[str, Loader] = BESIDE_SIMULATED | {
    **{
        f"lorenz96 F={force}, {n} rows": partial(lorenz96, force, n)
        for force in (10, 40)
        for n in (250, 500)
    },
    **{f"lotka-volterra {k}": partial(lotka_volterra, k) for k in (0, 1)},
    "flood, 42 gauges": partial(flood, 42, 0),
    **{f"flood, 5 gauges, {k}": partial(flood, 5, k) for k in range(20)},
    **{f"netsim28 {k}": partial(netsim28, k) for k in range(1, 28, 2)},
    **{f"dream3 {n}, {k}": partial(dream3, n, k) for n, k in ((10, 0), (10, 3), (50, 0), (50, 3))},
    "dream3 100, 0": partial(dream3, 100, 0),
    **{f"finance {name}": partial(finance, name) for name in ("20_1A", "20_1_3", "40_1_3")},
    **{f"tcd-arena {k}": partial(tcd_arena, k) for k in range(15)},
    "rivers": rivers,
}
"""All published series."""

HELD_BACK = frozenset(
    [f"flood, 5 gauges, {k}" for k in range(10, 20)] + [f"tcd-arena {k}" for k in range(5, 15)]
)
"""Series on which nothing was chosen: they were run once, when everything stood."""
