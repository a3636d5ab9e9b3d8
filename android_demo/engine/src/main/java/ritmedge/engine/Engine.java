package ritmedge.engine;

import com.google.ai.edge.litert.Accelerator;
import com.google.ai.edge.litert.Environment;
import com.google.ai.edge.litert.LiteRtException;
import java.io.File;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.util.Map;
import java.util.Set;
import ritmedge.core.Agreement;
import ritmedge.core.Graphs;
import ritmedge.core.ModelFile;
import ritmedge.core.RitmEdgeException;

/**
 * A model file in LiteRT: the network where it was wished for, everything else on the processor. What
 * does not work is replaced by the processor, and `fallback` says so.
 */
public final class Engine implements Graphs {
    /** The version in build.gradle. */
    public static final String LITERT = "2.3.2";

    public enum Choice {
        CPU,
        GPU,
        NPU,
        INTERPRETER
    }

    public final ModelFile model;
    /** Why the network runs on the processor although something else was chosen; else null. */
    public final String fallback;
    private final Graphs processor;
    private final Graphs network;

    /** What a file says of itself. @throws RitmEdgeException.Model it cannot be used. */
    public static ModelFile read(File file) {
        return ModelFile.read(map(file));
    }

    /**
     * @param file a .tflite of `ritm-edge export --target tflite`.
     * @param model what was read from it.
     * @param folder that the app may write to, for the network's own file.
     * @throws RitmEdgeException.Engine not even the processor runs it.
     */
    public static Engine open(File file, ModelFile model, File folder, Choice choice, int threads) {
        String fallback = null;
        Graphs processor;
        if (choice == Choice.INTERPRETER) {
            processor = new InterpreterGraphs(file, threads);
        } else {
            try {
                processor = new CompiledGraphs(file, Accelerator.CPU, threads);
            } catch (RitmEdgeException.Engine error) {
                processor = new InterpreterGraphs(file, threads);
                fallback = error.getMessage();
            }
        }
        Graphs network = processor;
        if (choice == Choice.GPU || choice == Choice.NPU) {
            try {
                network = accelerated(map(file), model, new File(folder, "network.tflite"),
                        choice == Choice.GPU ? Accelerator.GPU : Accelerator.NPU, processor);
            } catch (RitmEdgeException error) {
                fallback = error.getMessage();
            }
        }
        return new Engine(model, processor, network, fallback);
    }

    private Engine(ModelFile model, Graphs processor, Graphs network, String fallback) {
        this.model = model;
        this.processor = processor;
        this.network = network;
        this.fallback = fallback;
    }

    private static Graphs accelerated(
            ByteBuffer bytes, ModelFile model, File file, Accelerator accelerator, Graphs reference) {
        if (Boolean.FALSE.equals(model.safeInHalfPrecision))
            throw new RitmEdgeException.Engine("The model says that it is not safe in half precision, in which "
                    + "the " + accelerator + " computes.", null);
        try (Environment environment = Environment.create()) {
            Set<Accelerator> available = environment.getAvailableAccelerators();
            if (!available.contains(accelerator))
                throw new RitmEdgeException.Engine("This device offers no " + accelerator + " to LiteRT.", null);
        } catch (LiteRtException | LinkageError error) {
            throw new RitmEdgeException.Engine("LiteRT finds no " + accelerator + " (" + error.getMessage() + ").", error);
        }
        try (FileOutputStream out = new FileOutputStream(file)) {
            FileChannel channel = out.getChannel();
            ByteBuffer alone = ModelFile.networkOnly(bytes);
            while (alone.hasRemaining()) channel.write(alone);
        } catch (IOException error) {
            throw new RitmEdgeException.Engine("The network's file cannot be written (" + error.getMessage() + ").", error);
        }
        Graphs found = new CompiledGraphs(file, accelerator, 1);
        try {
            Agreement agreement = Agreement.between(model, found, reference);
            if (agreement.good()) return found;
            throw new RitmEdgeException.Engine("The " + accelerator + " gives other masks than the processor (IoU "
                    + agreement.maskIou() + ").", null);
        } catch (RuntimeException error) {
            found.close();
            throw error;
        }
    }

    private static ByteBuffer map(File file) {
        try (RandomAccessFile opened = new RandomAccessFile(file, "r")) {
            MappedByteBuffer bytes = opened.getChannel().map(FileChannel.MapMode.READ_ONLY, 0, opened.length());
            return bytes;
        } catch (IOException | IllegalArgumentException error) {
            throw new RitmEdgeException.Model("The model file cannot be read (" + error.getMessage() + "). Copy it again.");
        }
    }

    @Override
    public void run(String graph, Map<String, ByteBuffer> inputs, Map<String, ByteBuffer> outputs) {
        (graph.equals(NETWORK) ? network : processor).run(graph, inputs, outputs);
    }

    @Override
    public void photoChanged() {
        processor.photoChanged();
    }

    @Override
    public String description() {
        return network.description();
    }

    @Override
    public void close() {
        if (network != processor) network.close();
        processor.close();
    }
}
