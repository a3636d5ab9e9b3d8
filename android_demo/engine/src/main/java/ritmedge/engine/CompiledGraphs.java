package ritmedge.engine;

import com.google.ai.edge.litert.Accelerator;
import com.google.ai.edge.litert.CompiledModel;
import com.google.ai.edge.litert.LiteRtException;
import com.google.ai.edge.litert.TensorBuffer;
import java.io.File;
import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.Map;
import ritmedge.core.Buffers;
import ritmedge.core.Graphs;
import ritmedge.core.ModelFile;
import ritmedge.core.RitmEdgeException;

/**
 * LiteRT's CompiledModel. Its tensor buffers are made at a graph's first run and kept; of the photo,
 * which every click needs again, only a new one is copied.
 */
final class CompiledGraphs implements Graphs {
    private static final String PIXELS = "pixels";

    /** One graph's tensor buffers and the arrays that LiteRT takes values from. */
    private static final class Bound {
        final Map<String, TensorBuffer> inputs = new HashMap<>(), outputs = new HashMap<>();
        final Map<String, float[]> floats = new HashMap<>();
    }

    private final CompiledModel model;
    private final String description;
    private final Map<String, Bound> bound = new HashMap<>();
    private boolean photoIsNew = true;

    /** @param threads for the processor. @throws RitmEdgeException.Engine it does not compile. */
    CompiledGraphs(File file, Accelerator accelerator, int threads) {
        try {
            // One accelerator alone: with the processor beside it, a GPU that is missing would be
            // replaced without a word.
            CompiledModel.Options options = new CompiledModel.Options(accelerator);
            if (accelerator == Accelerator.CPU)
                options.setCpuOptions(new CompiledModel.CpuOptions(threads, null, null));
            model = CompiledModel.create(file.getPath(), options, null);
        } catch (LiteRtException | RuntimeException | LinkageError error) {
            throw new RitmEdgeException.Engine("LiteRT cannot compile the model for the " + accelerator
                    + " (" + error.getMessage() + "). Choose another engine.", error);
        }
        description = "LiteRT " + Engine.LITERT + ", " + accelerator + (accelerator == Accelerator.CPU ? ", " + threads + " threads" : "");
    }

    @Override
    public void run(String graph, Map<String, ByteBuffer> inputs, Map<String, ByteBuffer> outputs) {
        try {
            Bound each = bound.get(graph);
            if (each == null) bound.put(graph, each = bind(graph, inputs, outputs));
            for (Map.Entry<String, ByteBuffer> input : inputs.entrySet())
                write(each, graph, input.getKey(), input.getValue());
            model.run(each.inputs, each.outputs, ModelFile.signature(graph));
            for (Map.Entry<String, ByteBuffer> output : outputs.entrySet())
                read(graph, output.getKey(), output.getValue(), each.outputs.get(output.getKey()));
        } catch (LiteRtException | IllegalStateException error) {
            throw new RitmEdgeException.Engine("LiteRT could not run " + graph + " (" + error.getMessage()
                    + "). Open the model again, or choose another engine.", error);
        }
    }

    private Bound bind(String graph, Map<String, ByteBuffer> inputs, Map<String, ByteBuffer> outputs)
            throws LiteRtException {
        Bound made = new Bound();
        String signature = ModelFile.signature(graph);
        for (Map.Entry<String, ByteBuffer> input : inputs.entrySet()) {
            made.inputs.put(input.getKey(), model.createInputBuffer(input.getKey(), signature));
            if (!bytes(graph, input.getKey(), true))
                made.floats.put(input.getKey(), new float[input.getValue().capacity() / 4]);
        }
        for (String name : outputs.keySet()) made.outputs.put(name, model.createOutputBuffer(name, signature));
        return made;
    }

    /** The uint8 tensors of the contract; all others are float32. */
    private static boolean bytes(String graph, String tensor, boolean input) {
        return tensor.equals(PIXELS) || tensor.equals("mask") && graph.equals(input ? BEGIN : FINISH);
    }

    private void write(Bound to, String graph, String name, ByteBuffer values) throws LiteRtException {
        boolean pixels = name.equals(PIXELS);
        if (pixels && !photoIsNew) return;
        Buffers.whole(values);
        float[] floats = to.floats.get(name);
        if (floats == null) {
            byte[] bytes = new byte[values.capacity()];
            values.get(bytes);
            to.inputs.get(name).writeInt8(bytes);
            Buffers.whole(values);
        } else {
            values.asFloatBuffer().get(floats);
            to.inputs.get(name).writeFloat(floats);
        }
        if (pixels) photoIsNew = false;
    }

    private static void read(String graph, String name, ByteBuffer into, TensorBuffer from) throws LiteRtException {
        Buffers.whole(into);
        if (bytes(graph, name, false)) into.put(from.readInt8());
        else into.asFloatBuffer().put(from.readFloat());
        Buffers.whole(into);
    }

    @Override
    public void photoChanged() {
        photoIsNew = true;
    }

    @Override
    public String description() {
        return description;
    }

    @Override
    public void close() {
        for (Bound each : bound.values()) {
            for (TensorBuffer buffer : each.inputs.values()) buffer.close();
            for (TensorBuffer buffer : each.outputs.values()) buffer.close();
        }
        bound.clear();
        model.close();
    }
}
