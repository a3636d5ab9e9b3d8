package ritmedge.core;

import java.io.Closeable;
import java.nio.ByteBuffer;
import java.util.Map;

/**
 * Runs the graphs of one model file (docs/session.md): the only thing that core asks of an engine.
 *
 * An instance belongs to one thread at a time.
 */
public interface Graphs extends Closeable {
    String PREPARE = "prepare";
    String NETWORK = "network";
    String FINISH = "finish";
    String BEGIN = "begin";
    String MIRROR = "mirror";
    String AVERAGE = "average";

    /**
     * Runs one graph.
     *
     * @param inputs direct buffers in native order by the file's tensor names; each is read whole,
     *     whatever its position.
     * @param outputs likewise, filled whole.
     * @throws RitmEdgeException.Engine the engine failed.
     * @throws RitmEdgeException.Memory it had too little memory.
     */
    void run(String graph, Map<String, ByteBuffer> inputs, Map<String, ByteBuffer> outputs);

    /** Tells that the contents of a photo's pixels, which stay the same for many runs, changed. */
    default void photoChanged() {}

    /** What runs the network, for people: "LiteRT GPU". */
    String description();

    @Override
    void close();
}
