"""Orientation of edges: the rules, and the reachability that they need."""
