"""One graph written for other libraries, and read back from them."""

import tempfile
from pathlib import Path

import numpy as np

import jaxcause as jc
from jaxcause import io

# A graph of three variables: lagged edges, and a hidden common cause at lag 0.
marks = np.zeros((3, 3, 3, 2), np.int8)
marks[0, 1, 2] = jc.Mark.TAIL, jc.Mark.ARROW
marks[1, 1, 1] = jc.Mark.TAIL, jc.Mark.ARROW
marks[0, 2, 1] = jc.Mark.CIRCLE, jc.Mark.ARROW
marks[1, 2, 0] = marks[2, 1, 0] = jc.Mark.ARROW, jc.Mark.ARROW
graph, names = jc.LaggedGraph(marks), ["rain", "river", "snow"]
strength = np.abs(np.random.default_rng(0).normal(size=(3, 3, 3)))

print("edges:")
for source, lag, edge, target in graph.edges(names):
    print(f"  {source}(t-{lag}) {edge} {target}(t)")

# Files: the suffix decides the format.
folder = Path(tempfile.mkdtemp())
for suffix in (".json", ".npz", ".graphml", ".dot"):
    path = folder / f"graph{suffix}"
    io.write_graph(path, graph, names=names, strength=strength)
    read, read_names = io.read_graph(path)
    same = bool((read.marks == graph.marks).all()) and read_names == names
    print(f"{path.name}: {path.stat().st_size:,} bytes, equal when read back: {same}")

# Objects of other libraries.
arrays = io.to_tigramite(graph, names=names, val_matrix=strength)
print("tigramite, rain to river:", arrays["graph"][0, 1].tolist())
drawn = io.to_networkx(graph, names=names, values={"strength": strength})
print(
    "networkx:", drawn, "and as a summary", list(io.to_summary_networkx(graph, names=names).edges)
)
try:
    print(io.to_frame(graph, names=names, values={"strength": strength}).to_string(index=False))
except jc.InputError as error:
    print(error)

# A graph that a library cannot represent is refused, not changed.
try:
    io.to_lingam(graph)
except jc.InputError as error:
    print("lingam:", error)
lingam = io.to_lingam(jc.LaggedGraph.from_mask(np.asarray(graph.directed)), coefficients=strength)
print("lingam, the directed edges alone, [lag, to, from]:", lingam.shape)

# A graph over nodes goes to R's pcalg and to causal-learn.
pag = jc.CausalGraph(np.array([[0, 2, 0], [1, 0, 2], [0, 2, 0]]))
print("pcalg, amat.pag:", io.to_pcalg(pag).tolist())
print("causal-learn:", io.to_causallearn_codes(pag).tolist())

# A German table: semicolons, decimal commas, a preamble.
table = folder / "gauge.csv"
table.write_text("Gauge;Kempten\n\nDatum;Abfluss;Pegel\n2017-01-01;12,2;1,5\n2017-01-02;12,4;1,6\n")
series = io.read_series(table, delimiter=";", decimal=",", skip_rows=2)
print("series:", series.names, series.values.tolist(), *series.notes)
