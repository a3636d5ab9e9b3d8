"""The step of an app session as graphs beside the network."""
