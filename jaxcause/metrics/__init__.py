"""Comparison of a learned graph, or of scores for every edge, with a known graph.

A graph is a `LaggedGraph`, a `CausalGraph`, or an array ``[source, target]`` or ``[source, target,
lag]`` of booleans, or of 0 and 1. All measures are pure functions of masks and scores, and compose
with ``jit`` and ``vmap``. Of numpy arrays and lists, and graphs made of them, they are computed in
numpy.

Scores are numbers of any kind. Only their order counts, so infinite ones are as good as others.
NaN has no place in an order: it is an error, and where scores are traced the measure is NaN. NaN of
lag 0, or of the diagonal where it is left out, does no harm.

An edge in conflict, ``x-x``, is an adjacency whose marks are unlike any other: it is no directed
edge and no ``<->``. It counts as found where adjacencies are compared, as an error of marks where
the truth has other marks, and as missed where directed edges are compared.
"""

from jaxcause.metrics._graphs import PrecisionRecall as PrecisionRecall
from jaxcause.metrics._graphs import as_cpdags as as_cpdags
from jaxcause.metrics._graphs import edge_mask as edge_mask
from jaxcause.metrics._graphs import false_discovery_proportion as false_discovery_proportion
from jaxcause.metrics._graphs import marked_precision_recall as marked_precision_recall
from jaxcause.metrics._graphs import precision_recall as precision_recall
from jaxcause.metrics._graphs import shd as shd
from jaxcause.metrics._scores import auprc as auprc
from jaxcause.metrics._scores import auroc as auroc
from jaxcause.metrics._scores import f1_at_k as f1_at_k
from jaxcause.metrics._scores import f1_at_true_number as f1_at_true_number
