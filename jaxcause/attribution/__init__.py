"""Path B: from any differentiable forecaster to scores of lagged edges, and to a graph."""

from jaxcause._typing import ResponseCurves as ResponseCurves
from jaxcause.attribution._gradients import gradient_energy as gradient_energy
from jaxcause.attribution._gradients import input_x_gradient as input_x_gradient
from jaxcause.attribution._gradients import mean_gradient as mean_gradient
from jaxcause.attribution._gradients import relevance as relevance
from jaxcause.attribution._intervention import intervention as intervention
from jaxcause.attribution._rank_scores import RankScores as RankScores
from jaxcause.attribution._rank_scores import rank_mean_over_std as rank_mean_over_std
from jaxcause.attribution._responses import response_curves as response_curves
from jaxcause.attribution._rollout import attention_rollout as attention_rollout
from jaxcause.attribution._score_energy import ScoreEnergy as ScoreEnergy
from jaxcause.attribution._score_energy import score_energy as score_energy
from jaxcause.attribution._score_test import ScoreTest as ScoreTest
from jaxcause.attribution._score_test import lagged_edges as lagged_edges
from jaxcause.attribution._score_test import score_test as score_test
from jaxcause.attribution._select import EdgeTest as EdgeTest
from jaxcause.attribution._select import empirical_null as empirical_null
from jaxcause.attribution._select import evidence_null as evidence_null
from jaxcause.attribution._select import select_fdr as select_fdr
from jaxcause.attribution._select import select_global_top_k as select_global_top_k
from jaxcause.attribution._select import select_threshold as select_threshold
from jaxcause.attribution._select import select_top_k as select_top_k
from jaxcause.attribution._stable import Stability as Stability
from jaxcause.attribution._stable import select_stable as select_stable
from jaxcause.attribution._torch_bridge import from_torch as from_torch
