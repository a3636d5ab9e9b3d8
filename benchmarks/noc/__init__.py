"""Numbers of clicks on benchmarks."""
