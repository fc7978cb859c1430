"""Measurements: ``python -m benchmarks NAME`` writes JSON and a Markdown table."""
