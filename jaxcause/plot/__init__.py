"""Pictures of graphs, scores, training and graphs over tokens, drawn into matplotlib Axes.

Every part has a ``gid`` that SVG files keep: ``edge-i-j-lags`` (``edge-i-j`` without lags),
``source-mark-…`` and ``target-mark-…`` at its ends, ``lags-…`` for its lags, ``node-…``,
``name-…``, ``ring-i-j-lag``, ``curve-i-j``, ``edge-e``, ``response-i-j-lag``.
"""

from jaxcause.plot._causal_graph import causal_graph as causal_graph
from jaxcause.plot._edge_stability import edge_stability as edge_stability
from jaxcause.plot._matrices import plot_attention_panels as plot_attention_panels
from jaxcause.plot._responses import response_curves as response_curves
from jaxcause.plot._responses import response_paths as response_paths
from jaxcause.plot._score_curves import score_curves as score_curves
from jaxcause.plot._score_heatmap import score_heatmap as score_heatmap
from jaxcause.plot._strength_over_time import strength_over_time as strength_over_time
from jaxcause.plot._summary_graph import summary_graph as summary_graph
from jaxcause.plot._time_series_graph import time_series_graph as time_series_graph
from jaxcause.plot._token_arcs import plot_token_arcs as plot_token_arcs
from jaxcause.plot._training_curve import training_curve as training_curve
from jaxcause.plot._truth_overlay import truth_overlay as truth_overlay
