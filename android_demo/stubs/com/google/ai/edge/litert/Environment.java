package com.google.ai.edge.litert;

import java.util.Set;

/** Environment.kt at 23dd4f7d240f; see stubs/README.md. */
public final class Environment extends JniHandle {
    private Environment() {}

    public static Environment create() throws LiteRtException {
        throw new UnsupportedOperationException();
    }

    public Set<Accelerator> getAvailableAccelerators() throws LiteRtException {
        throw new UnsupportedOperationException();
    }
}
