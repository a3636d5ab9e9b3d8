package ritmedge.core;

import java.io.Closeable;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The graphs of a model file with buffers that are made once, shared by the sessions of one engine.
 *
 * States that no session shows any more are used again, so a click allocates nothing but its state,
 * and not even that after an undo.
 */
public final class SessionGraphs implements Closeable {
    private static final float OUTSIDE = -9; // a position beside every photo: fills up a screen
    private static final int MOST_SPARE = 32;
    public final ModelFile model;
    public final Graphs graphs;
    private final Map<String, ByteBuffer> prepareIn = new HashMap<>(), prepareOut = new HashMap<>();
    private final Map<String, ByteBuffer> networkIn = new HashMap<>(), networkOut = new HashMap<>();
    private final Map<String, ByteBuffer> finishIn = new HashMap<>(), finishOut = new HashMap<>();
    private final Map<String, ByteBuffer> mirrorOut, mirroredIn, averageIn, averageOut;
    private final ByteBuffer block;
    private final ArrayDeque<State> spare = new ArrayDeque<>();
    private Photo last;
    private long networkNanoseconds;

    /** @throws RitmEdgeException.Memory there is too little. */
    public SessionGraphs(ModelFile model, Graphs graphs) {
        this.model = model;
        this.graphs = graphs;
        prepareIn.put("clicks", make(Graphs.PREPARE, "clicks"));
        for (String name : new String[] {"image", "clicks", "prev_mask"}) {
            if (name.equals("prev_mask") && !model.previousMask) continue;
            ByteBuffer buffer = make(Graphs.NETWORK, name);
            prepareOut.put("net_" + name, buffer);
            networkIn.put(name, buffer);
        }
        finishIn.put("rows", make(Graphs.FINISH, "rows"));
        finishIn.put("columns", make(Graphs.FINISH, "columns"));
        block = make(Graphs.FINISH, "mask");
        finishOut.put("box", Buffers.allocate(16));
        boolean flips = model.has(Graphs.MIRROR) && model.has(Graphs.AVERAGE);
        mirrorOut = flips ? new HashMap<>() : null;
        mirroredIn = flips ? new HashMap<>() : null;
        averageIn = flips ? new HashMap<>() : null;
        averageOut = flips ? new HashMap<>() : null;
        if (!flips) return;
        for (String name : networkIn.keySet()) {
            ByteBuffer buffer = make(Graphs.NETWORK, name);
            mirrorOut.put("net_" + name, buffer);
            mirroredIn.put(name, buffer);
        }
        averageIn.put("straight", make(Graphs.NETWORK, "mask"));
        averageIn.put("mirrored", make(Graphs.NETWORK, "mask"));
    }

    private ByteBuffer make(String graph, String tensor) {
        return Buffers.allocate(model.bytes(graph, tensor));
    }

    State take() {
        State state = spare.poll();
        return state == null ? new State(model.bytes(Graphs.NETWORK, "mask")) : state;
    }

    void give(State state) {
        state.clicks = null;
        state.given = null;
        if (spare.size() < MOST_SPARE) spare.push(state);
    }

    /** Frees what is kept for later clicks. */
    public void trim() {
        spare.clear();
    }

    /** Zeros as output, placed on the whole photo. */
    State start(Photo photo) {
        State state = take();
        for (int i = 0; i < state.output.capacity(); i += 4) state.output.putFloat(i, 0);
        State.set(state.placed, 0, photo.rows - 1, 0, photo.columns - 1);
        return started(state);
    }

    /** What the graph makes of an external mask. */
    State begin(Photo photo, GivenMask mask) {
        State state = take();
        float[] box = mask.box(model.threshold);
        ByteBuffer values = make(Graphs.BEGIN, "mask");
        values.put(mask.values);
        Map<String, ByteBuffer> in = new HashMap<>(), out = new HashMap<>();
        in.put("mask", values);
        in.put("size", photo.size);
        in.put("box", box == null ? Buffers.floats(-1, -1, -1, -1) : Buffers.floats(box));
        out.put("output", state.output);
        out.put("new_placed", state.placed);
        graphs.run(Graphs.BEGIN, in, out);
        state.given = mask;
        return started(state);
    }

    private static State started(State state) {
        State.set(state.roi, -1, -1, -1, -1);
        state.clicks = java.util.Collections.emptyList();
        return state;
    }

    /** The answer to all of `clicks`, given the answer to all but the last of them. */
    State answer(Photo photo, State before, List<Click> clicks, boolean flip) {
        pack(clicks);
        if (photo != last) graphs.photoChanged();
        last = photo;
        State state = take();
        try {
            prepareIn.put("pixels", photo.pixels);
            prepareIn.put("size", photo.size);
            prepareIn.put("output", before.output);
            prepareIn.put("placed", before.placed);
            prepareIn.put("roi", before.roi);
            prepareOut.put("new_placed", state.placed);
            prepareOut.put("new_roi", state.roi);
            graphs.run(Graphs.PREPARE, prepareIn, prepareOut);
            networkNanoseconds = 0;
            if (flip) flipped(state);
            else network(networkIn, state.output);
            requireProbabilities(state.output);
            state.clicks = clicks;
            return state;
        } catch (RuntimeException error) {
            give(state);
            throw error;
        }
    }

    private void flipped(State state) {
        if (mirrorOut == null)
            throw new RitmEdgeException.Model(
                    "The model has no graphs for flip averaging. Export it again with --session.");
        network(networkIn, averageIn.get("straight"));
        graphs.run(Graphs.MIRROR, networkIn, mirrorOut);
        network(mirroredIn, averageIn.get("mirrored"));
        averageOut.put("output", state.output);
        graphs.run(Graphs.AVERAGE, averageIn, averageOut);
    }

    private void network(Map<String, ByteBuffer> inputs, ByteBuffer mask) {
        networkOut.put("mask", mask);
        long before = System.nanoTime();
        graphs.run(Graphs.NETWORK, inputs, networkOut);
        networkNanoseconds += System.nanoTime() - before;
    }

    /** Milliseconds of the network in the last click. */
    public double networkMilliseconds() {
        return networkNanoseconds / 1e6;
    }

    /** A GPU that overflows gives NaN or zeros; NaN would look like an empty mask. */
    private static void requireProbabilities(ByteBuffer output) {
        float sum = 0;
        for (int i = 0; i < output.capacity(); i += 4) sum += output.getFloat(i);
        if (!(sum >= -1e-3f && sum <= output.capacity() / 4f * 1.001f))
            throw new RitmEdgeException.Engine("The network gave values that are no probabilities "
                    + "(their sum is " + sum + "). Choose the processor as the engine.", null);
    }

    private void pack(List<Click> clicks) {
        ByteBuffer packed = prepareIn.get("clicks");
        for (int i = 0; i < packed.capacity(); i += 4) packed.putFloat(i, -1);
        int positives = 0, negatives = model.slots;
        for (int order = 0; order < clicks.size(); order++) {
            Click click = clicks.get(order);
            int at = 12 * (click.positive() ? positives++ : negatives++);
            packed.putFloat(at, click.row()).putFloat(at + 4, click.column()).putFloat(at + 8, order);
        }
    }

    /** Fills `mask` with 0 and 1 at the photo's rows and columns, in as many blocks as it takes. */
    void finish(State state, float[] rows, float[] columns, Mask mask) {
        boolean direct = rows.length == model.screenRows && columns.length == model.screenColumns;
        for (int top = 0; top < rows.length; top += model.screenRows)
            for (int left = 0; left < columns.length; left += model.screenColumns) {
                int high = Math.min(model.screenRows, rows.length - top);
                int wide = Math.min(model.screenColumns, columns.length - left);
                fill(finishIn.get("rows"), rows, top, high);
                fill(finishIn.get("columns"), columns, left, wide);
                runFinish(state, direct ? mask.values : block);
                for (int i = 0; !direct && i < high; i++) {
                    int to = (top + i) * columns.length + left, from = i * model.screenColumns;
                    Buffers.range(block, from, from + wide);
                    Buffers.range(mask.values, to, to + wide);
                    mask.values.put(block);
                }
                Buffers.whole(block);
                Buffers.whole(mask.values);
            }
    }

    /** The rectangle around the object in a state's output, or null. */
    float[] box(State state) {
        fill(finishIn.get("rows"), NOTHING, 0, 0);
        fill(finishIn.get("columns"), NOTHING, 0, 0);
        runFinish(state, block);
        return State.rectangle(finishOut.get("box"));
    }

    private static final float[] NOTHING = {};

    private void runFinish(State state, ByteBuffer mask) {
        finishIn.put("output", state.output);
        finishIn.put("placed", state.placed);
        finishOut.put("mask", mask);
        graphs.run(Graphs.FINISH, finishIn, finishOut);
    }

    private static void fill(ByteBuffer to, float[] positions, int first, int count) {
        for (int i = 0; i < to.capacity() / 4; i++)
            to.putFloat(4 * i, i < count ? positions[first + i] : OUTSIDE);
    }

    @Override
    public void close() {
        graphs.close();
    }
}
