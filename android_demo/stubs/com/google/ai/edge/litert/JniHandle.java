package com.google.ai.edge.litert;

/** Common.kt at 4312fd6509bb; see stubs/README.md. */
public abstract class JniHandle implements AutoCloseable {
    JniHandle() {}

    @Override
    public final void close() {}
}
