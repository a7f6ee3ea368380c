"""Benchmarks that print curves; the tests beside them assert ratios within one run."""
