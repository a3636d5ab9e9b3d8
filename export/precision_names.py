"""What `--precision` takes."""

FP32 = "fp32"
FP16 = "fp16"
INT8 = "int8"
INT8_DYNAMIC = "int8-dynamic"
PRECISIONS = (FP32, FP16, INT8, INT8_DYNAMIC)
