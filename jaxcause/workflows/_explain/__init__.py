"""From a text to the causal graph over its tokens, stage by stage."""
