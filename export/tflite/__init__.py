"""Helpers of the TFLite target."""
