package ritmedge.core;

import java.io.DataInputStream;
import java.io.File;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.WritableByteChannel;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.TreeMap;

/** The real .tflite in LiteRT's Python interpreter, in a child process; see serve_graphs.py. */
final class ChildGraphs implements Graphs {
    private final Process process;
    private final OutputStream requests;
    private final WritableByteChannel channel;
    private final DataInputStream answers;
    private boolean fresh = true;

    /** The system properties are set by build.sh. */
    ChildGraphs(File model) throws IOException {
        process = new ProcessBuilder(System.getProperty("ritmedge.python"),
                System.getProperty("ritmedge.server"), model.getPath())
                .redirectError(ProcessBuilder.Redirect.INHERIT).start();
        requests = process.getOutputStream();
        channel = Channels.newChannel(requests);
        answers = new DataInputStream(process.getInputStream());
    }

    @Override
    public void run(String graph, Map<String, ByteBuffer> inputs, Map<String, ByteBuffer> outputs) {
        boolean sends = graph.equals(PREPARE) && fresh;
        try {
            String line = ModelFile.signature(graph) + (sends ? " pixels" : "") + "\n";
            requests.write(line.getBytes(StandardCharsets.UTF_8));
            for (Map.Entry<String, ByteBuffer> input : new TreeMap<>(inputs).entrySet())
                if (sends || !input.getKey().equals("pixels")) {
                    ByteBuffer whole = input.getValue().duplicate();
                    whole.clear();
                    while (whole.hasRemaining()) channel.write(whole);
                }
            requests.flush();
            for (ByteBuffer output : new TreeMap<>(outputs).values()) {
                byte[] bytes = new byte[output.capacity()];
                answers.readFully(bytes);
                output.duplicate().clear().put(bytes);
            }
        } catch (IOException error) {
            throw new RitmEdgeException.Engine("The child process ended.", error);
        }
        if (sends) fresh = false;
    }

    @Override
    public void photoChanged() {
        fresh = true;
    }

    @Override
    public String description() {
        return "LiteRT for Python, 1 thread";
    }

    @Override
    public void close() {
        process.destroy();
    }
}
