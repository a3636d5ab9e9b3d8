package ritmedge.core;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;

/** Graphs made up so that every input changes the answer. */
class MadeGraphs implements Graphs {
    final List<String> names = new ArrayList<>();
    RuntimeException failure;

    @Override
    public void run(String graph, Map<String, ByteBuffer> inputs, Map<String, ByteBuffer> outputs) {
        if (failure != null) throw failure;
        names.add(graph);
        for (ByteBuffer each : inputs.values()) if (!each.isDirect()) throw new AssertionError("not direct");
        if (graph.equals(FINISH)) {
            finish(inputs, outputs);
            return;
        }
        int seed = 1;
        for (ByteBuffer each : new TreeMap<>(inputs).values())
            for (int i = 0; i < each.capacity(); i++) seed = 31 * seed + each.get(i);
        Random random = new Random(seed);
        for (ByteBuffer each : new TreeMap<>(outputs).values())
            for (int i = 0; i + 4 <= each.capacity(); i += 4) each.putFloat(i, random.nextFloat());
        if (outputs.containsKey("net_clicks")) Buffers.copy(inputs.get("clicks"), outputs.get("net_clicks"));
    }

    /** The selection depends on output and position alone, as that of the real graph. */
    private static void finish(Map<String, ByteBuffer> inputs, Map<String, ByteBuffer> outputs) {
        ByteBuffer rows = inputs.get("rows"), columns = inputs.get("columns"), mask = outputs.get("mask");
        ByteBuffer output = inputs.get("output");
        int wide = columns.capacity() / 4;
        for (int i = 0; i < mask.capacity(); i++) {
            float row = rows.getFloat(i / wide * 4), column = columns.getFloat(i % wide * 4);
            boolean inside = row >= 0 && column >= 0;
            int at = inside ? (int) (row * 3 + column * 5) % (output.capacity() / 4) : 0;
            mask.put(i, (byte) (inside && output.getFloat(4 * at) > 0.5f ? 1 : 0));
        }
        State.set(outputs.get("box"), -1, -1, -1, -1);
    }

    @Override
    public String description() {
        return "made";
    }

    @Override
    public void close() {}
}
