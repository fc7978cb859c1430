"""Pictures of lagged graphs and scores, and of graphs over tokens, drawn into matplotlib Axes.

Every part carries a ``gid`` that SVG files keep: ``edge-i-j-lags``, ``source-mark-…`` and
``target-mark-…`` at its ends, ``lags-…`` written on it, ``node-…``, ``name-…``, ``ring-i-j-lag``.
"""

from jaxcause.plot._matrices import plot_attention_panels as plot_attention_panels
from jaxcause.plot._score_heatmap import score_heatmap as score_heatmap
from jaxcause.plot._summary_graph import summary_graph as summary_graph
from jaxcause.plot._time_series_graph import time_series_graph as time_series_graph
from jaxcause.plot._token_arcs import plot_token_arcs as plot_token_arcs
