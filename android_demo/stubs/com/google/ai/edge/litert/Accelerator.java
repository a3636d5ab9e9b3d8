package com.google.ai.edge.litert;

/** Common.kt at 4312fd6509bb; see stubs/README.md. */
public enum Accelerator {
    NONE,
    CPU,
    GPU,
    NPU
}
