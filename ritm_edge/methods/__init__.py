"""Ways to answer clicks other than one pass of the network, for comparison on the same photos."""
