"""Helpers of the ONNX target."""
