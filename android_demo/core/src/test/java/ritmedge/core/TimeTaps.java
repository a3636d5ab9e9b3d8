package ritmedge.core;

import java.nio.ByteBuffer;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * What core itself costs for a tap, beside the graphs: 12 megapixels, a mask and overlay of 1080 × 1440.
 *
 * The graphs are made up and answer without computing, so what is measured is packing, checks, history,
 * screen positions and the overlay. Prints JSON.
 */
final class TimeTaps {
    private static final int ROWS = 3000, COLUMNS = 4000, WARMUPS = 400, ROUNDS = 400;

    private TimeTaps() {}

    public static void main(String[] arguments) {
        MadeModel made = new MadeModel();
        made.rows = made.columns = 400;
        made.slots = 24;
        made.photo = ROWS * COLUMNS;
        made.screenRows = 1080;
        made.screenColumns = 1440;
        ModelFile model = made.model();
        long[] outside = {0};
        Graphs graphs = new Graphs() {
            @Override
            public void run(String graph, Map<String, ByteBuffer> inputs, Map<String, ByteBuffer> outputs) {
                long before = System.nanoTime();
                if (graph.equals(FINISH)) disk(outputs.get("mask"));
                outside[0] += System.nanoTime() - before;
            }

            @Override
            public String description() {
                return "none";
            }

            @Override
            public void close() {}
        };
        Photo photo = new Photo(Photo.allocate(model), ROWS, COLUMNS);
        Session session = new Session(new SessionGraphs(model, graphs), photo, false);
        Viewport view = new Viewport();
        view.resize(made.screenRows, made.screenColumns);
        view.show(ROWS, COLUMNS);
        Mask mask = new Mask(made.screenRows, made.screenColumns);
        Overlay overlay = new Overlay(mask.rows, mask.columns);
        double[] samples = new double[ROUNDS];
        com.sun.management.ThreadMXBean threads =
                (com.sun.management.ThreadMXBean) java.lang.management.ManagementFactory.getThreadMXBean();
        long allocated = 0;
        for (int i = -WARMUPS; i < ROUNDS; i++) {
            if ((i + WARMUPS) % 20 == 0) session.reset(); // a session of twenty taps, and the next
            outside[0] = 0;
            long bytes = threads.getThreadAllocatedBytes(Thread.currentThread().getId());
            long before = System.nanoTime();
            session.click(1500 + i % 20, 2000 - i % 20, i % 2 == 0);
            session.maskAt(view.rows(mask.rows, 1), view.columns(mask.columns, 1), mask);
            int inside = overlay.draw(mask, 128);
            long nanoseconds = System.nanoTime() - before - outside[0];
            allocated = Math.max(allocated, i < 0 ? 0
                    : threads.getThreadAllocatedBytes(Thread.currentThread().getId()) - bytes);
            if (inside == 0) throw new AssertionError("nothing was drawn");
            if (i >= 0) samples[i] = nanoseconds / 1e6;
        }
        Map<String, Object> result = new LinkedHashMap<>();
        result.put("kind", "ritm-edge taps");
        result.put("jvm", System.getProperty("java.vm.name") + " " + System.getProperty("java.version"));
        result.put("processors", Runtime.getRuntime().availableProcessors());
        result.put("photo", ROWS + " x " + COLUMNS);
        result.put("screen", mask.rows + " x " + mask.columns);
        result.put("network", model.rows + " x " + model.columns);
        result.put("warmups", WARMUPS);
        result.put("core", Statistics.summary(samples));
        result.put("most_java_heap_bytes_for_a_tap", allocated);
        System.out.println(Json.write(result));
    }

    /** An object that covers a third of the screen. */
    private static void disk(ByteBuffer mask) {
        if (mask.get(540 * 1440 + 720) != 0) return;
        for (int row = 0; row < 1080; row++)
            for (int column = 0; column < 1440; column++) {
                int down = row - 540, along = column - 720;
                mask.put(row * 1440 + column, (byte) (down * down + along * along < 400 * 400 ? 1 : 0));
            }
    }
}
