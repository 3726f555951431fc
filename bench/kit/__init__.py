"""What the benchmarks share: a network of real processes, load from others, tables."""
