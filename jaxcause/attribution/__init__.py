"""Path B: from any differentiable forecaster to scores of lagged edges, and to a graph."""

from jaxcause.attribution._gradients import gradient_energy as gradient_energy
from jaxcause.attribution._gradients import input_x_gradient as input_x_gradient
from jaxcause.attribution._select import EdgeTest as EdgeTest
from jaxcause.attribution._select import empirical_null as empirical_null
from jaxcause.attribution._select import select_fdr as select_fdr
from jaxcause.attribution._select import select_global_top_k as select_global_top_k
from jaxcause.attribution._select import select_threshold as select_threshold
from jaxcause.attribution._select import select_top_k as select_top_k
from jaxcause.attribution._test import ScoreTest as ScoreTest
from jaxcause.attribution._test import lagged_edges as lagged_edges
from jaxcause.attribution._test import score_test as score_test
