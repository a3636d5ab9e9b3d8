package com.google.ai.edge.litert;

/** LiteRtException.kt at 173ea62ee641; a checked exception for Java. See stubs/README.md. */
public final class LiteRtException extends Exception {
    public LiteRtException(int code, String message) {
        super(message);
    }
}
