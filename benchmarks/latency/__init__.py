"""Times and memory of single forward passes."""
