package org.tensorflow.lite;

import java.io.File;
import java.util.Map;

/** Interpreter.java at 2a8e74ca5bda; see stubs/README.md. */
public final class Interpreter implements InterpreterApi {
    public static class Options extends InterpreterApi.Options {
        @Override
        public Options setNumThreads(int numThreads) {
            return this;
        }
    }

    public Interpreter(File modelFile, Options options) {}

    @Override
    public void runSignature(Map<String, Object> inputs, Map<String, Object> outputs, String signatureKey) {}

    @Override
    public void close() {}
}
