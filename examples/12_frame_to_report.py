"""From a pandas frame to its graph, as text, picture, frame and page."""

import tempfile
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd

import jaxcause as jc

mpl.use("agg")  # pictures go to files

# Two years of a catchment, day by day. Rain fills a reservoir two days later. The reservoir feeds a
# turbine on the next day. The price of power follows the demand and does not depend on the water.
rng = np.random.default_rng(0)
n = 730
rain = rng.gamma(0.6, 2.0, n)
level, turbine, demand, price = np.zeros((4, n))
for t in range(2, n):
    level[t] = 0.6 * level[t - 1] + 0.5 * rain[t - 2] + 0.3 * rng.normal()
    turbine[t] = 0.8 * level[t - 1] + 0.5 * rng.normal()
    demand[t] = 0.5 * demand[t - 1] + rng.normal()
    price[t] = 0.7 * demand[t - 1] + 0.5 * rng.normal()
frame = pd.DataFrame(
    {"rain": rain, "level": level, "turbine": turbine, "demand": demand, "price": price},
    index=pd.date_range("2024-01-01", periods=n, name="day"),
)
frame.iloc[100:104, 1] = np.nan  # the gauge failed: no window contains these days

# The linear method: the notes of the default would say that a linear model forecasts equally well.
found = jc.discover(frame, max_lag=3, method="var", q=0.01)
print(found.summary())

edges = found.to_dataframe()
print("\nWhat drives the turbine:")
for edge in edges[edges["target"] == "turbine"].itertuples():
    print(f"  {edge.source} -> turbine after {edge.lag} day(s)")

graph = found.to_networkx()
downstream = {target for source, target in graph.edges() if source == "rain"}
print("rain ->", ", ".join(sorted(downstream)))

folder = Path(tempfile.mkdtemp())
found.plot("summary").figure.savefig(folder / "summary.png")
found.save_html(folder / "report.html")  # one self-contained file
found.to_json(folder / "found.json")
again = jc.Discovery.from_json(folder / "found.json")
same = np.array_equal(again.graph.marks, found.graph.marks)
print(f"\nPicture, page and JSON written; equal when read back: {same}")
