package org.tensorflow.lite;

import java.util.Map;

/** InterpreterApi.java at 2a8e74ca5bda; see stubs/README.md. */
public interface InterpreterApi extends AutoCloseable {
    class Options {
        public Options setNumThreads(int numThreads) {
            return this;
        }
    }

    void runSignature(Map<String, Object> inputs, Map<String, Object> outputs, String signatureKey);

    @Override
    void close();
}
