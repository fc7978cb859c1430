"""Marks: rules of orientation, and what they ask of a graph."""
