"""Whether an artifact gives the masks of the PyTorch model."""
