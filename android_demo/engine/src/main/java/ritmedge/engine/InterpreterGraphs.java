package ritmedge.engine;

import java.io.File;
import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.Map;
import org.tensorflow.lite.Interpreter;
import ritmedge.core.Buffers;
import ritmedge.core.Graphs;
import ritmedge.core.ModelFile;
import ritmedge.core.RitmEdgeException;

/** LiteRT's Interpreter on the processor, for devices on which CompiledModel does not work. */
final class InterpreterGraphs implements Graphs {
    private final Interpreter interpreter;
    private final int threads;
    private final Map<String, Object> inputs = new HashMap<>(), outputs = new HashMap<>();

    /** @throws RitmEdgeException.Engine the file cannot be loaded. */
    InterpreterGraphs(File file, int threads) {
        this.threads = threads;
        try {
            interpreter = new Interpreter(file, new Interpreter.Options().setNumThreads(threads));
        } catch (RuntimeException | LinkageError error) {
            throw new RitmEdgeException.Engine("LiteRT cannot load the model (" + error.getMessage()
                    + "). Export it again, or update the app.", error);
        }
    }

    @Override
    public void run(String graph, Map<String, ByteBuffer> from, Map<String, ByteBuffer> into) {
        inputs.clear();
        outputs.clear();
        inputs.putAll(from);
        outputs.putAll(into);
        for (ByteBuffer each : from.values()) Buffers.whole(each);
        for (ByteBuffer each : into.values()) Buffers.whole(each);
        try {
            interpreter.runSignature(inputs, outputs, ModelFile.signature(graph));
        } catch (IllegalArgumentException | IllegalStateException error) {
            throw new RitmEdgeException.Engine("LiteRT could not run " + graph + " (" + error.getMessage()
                    + "). Open the model again.", error);
        }
        for (ByteBuffer each : from.values()) Buffers.whole(each);
        for (ByteBuffer each : into.values()) Buffers.whole(each);
    }

    @Override
    public String description() {
        return "LiteRT " + Engine.LITERT + " Interpreter, CPU, " + threads + " threads";
    }

    @Override
    public void close() {
        interpreter.close();
    }
}
