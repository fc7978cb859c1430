"""From a series to its lagged causal graph, stage by stage."""
