package com.google.ai.edge.litert;

import java.util.Map;

/** Model.kt at b057fa3c3327; see stubs/README.md. */
public final class CompiledModel extends JniHandle {
    private CompiledModel() {}

    public static final class CpuOptions {
        public CpuOptions(Integer numThreads, Integer xnnPackFlags, String xnnPackWeightCachePath) {}
    }

    public static final class Options {
        public Options(Accelerator... accelerators) {}

        public void setCpuOptions(CpuOptions options) {}
    }

    public static CompiledModel create(String filePath, Options options, Environment optionalEnv)
            throws LiteRtException {
        throw new UnsupportedOperationException();
    }

    public TensorBuffer createInputBuffer(String inputName, String signature) throws LiteRtException {
        throw new UnsupportedOperationException();
    }

    public TensorBuffer createOutputBuffer(String outputName, String signature) throws LiteRtException {
        throw new UnsupportedOperationException();
    }

    public void run(Map<String, TensorBuffer> inputs, Map<String, TensorBuffer> outputs, String signature)
            throws LiteRtException {}
}
