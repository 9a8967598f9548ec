"""Benchmarks: the lesson's Spark job chain, our pipeline and DuckDB by hand, on one data set in one run."""
