package ritmedge.core;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Replays golden traces (docs/golden-traces.md) with an engine's own session graphs. */
public final class GoldenTraces {
    /** Those of `ritm-edge verify` for float32 files, see docs/verify.md. */
    private static final double MOST_ERROR = 1e-4, LEAST_IOU = 0.999;
    private static final double MOST_CLICK_ERROR = 1e-3;

    /** Where the traces' files come from: a folder, or an app's assets. */
    public interface Files {
        byte[] read(String name) throws IOException;
    }

    /** What differed; it passed only if something was replayed. */
    public static final class Result {
        public int traces, skipped, steps, differingSteps, networkRuns;
        public long pixels, differingPixels;
        public double clickError, networkError, networkIou = 1;
        /** At most ten steps, in words. */
        public final List<String> differing = new ArrayList<>();

        /** Masks may differ by one pixel in 10,000; crops, places, boxes and clicks may not. */
        public boolean sessionPassed() {
            return steps > 0 && differingSteps == 0 && clickError <= MOST_CLICK_ERROR
                    && differingPixels <= pixels / 10_000;
        }

        /** Whether the network itself gave the recorded outputs. */
        public boolean networkPassed() {
            return networkRuns > 0 && networkError <= MOST_ERROR && networkIou >= LEAST_IOU;
        }

        public Map<String, Object> toMap() {
            Map<String, Object> map = new LinkedHashMap<>();
            map.put("session_passed", sessionPassed());
            map.put("network_passed", networkPassed());
            map.put("traces", traces);
            map.put("skipped", skipped);
            map.put("steps", steps);
            map.put("differing_steps", differingSteps);
            map.put("differing", differing);
            map.put("pixels", pixels);
            map.put("differing_pixels", differingPixels);
            map.put("max_click_error", clickError);
            map.put("network_runs", networkRuns);
            map.put("network_max_abs", networkError);
            map.put("network_min_mask_iou", networkIou);
            return map;
        }
    }

    private final Files files;
    private final Map<String, Object> document;

    /**
     * @param files the folder that `ritm-edge golden` wrote.
     * @throws RitmEdgeException.Document there are no traces, or of another version.
     */
    public GoldenTraces(Files files) {
        this.files = files;
        document = Json.object(Json.parse(new String(read("traces.json"), StandardCharsets.UTF_8)), "traces");
        if (!"ritm-edge golden traces".equals(document.get("kind"))
                || !Double.valueOf(1).equals(document.get("format_version")))
            throw new RitmEdgeException.Document("traces.json is no version 1 of ritm-edge golden traces.");
    }

    /** Replays every trace of the model's fit. */
    public Result replay(ModelFile model, Graphs graphs) {
        if (!model.sha256.equals(document.get("artifact_sha256")))
            throw new RitmEdgeException.Document("The golden traces are of another model file: write them "
                    + "for this one with ritm-edge golden.");
        Result result = new Result();
        Recorded recorded = new Recorded(graphs, result);
        SessionGraphs shared = new SessionGraphs(model, recorded);
        ByteBuffer pixels = Photo.allocate(model);
        List<Object> traces = Json.list(document.get("traces"), "traces");
        for (int number = 0; number < traces.size(); number++) {
            Map<String, Object> trace = Json.object(traces.get(number), "trace");
            if (!model.fit.equals(trace.get("fit"))) {
                result.skipped++;
                continue;
            }
            result.traces++;
            recorded.compares = "artifact".equals(trace.get("network"));
            replay(shared, trace, number, recorded, pixels);
        }
        return result;
    }

    private void replay(
            SessionGraphs graphs, Map<String, Object> trace, int number, Recorded recorded, ByteBuffer pixels) {
        int most = graphs.model.largestPhoto;
        int rows = Json.whole(trace.get("height"), 1, most, "height");
        int columns = Json.whole(trace.get("width"), 1, most / rows, "width");
        Buffers.whole(pixels);
        pixels.put(read(Json.as(String.class, trace.get("photo"), "photo")), 0, 3 * rows * columns);
        Buffers.whole(pixels);
        boolean flip = Boolean.TRUE.equals(trace.get("flip"));
        Session session = new Session(graphs, new Photo(pixels, rows, columns), flip);
        if (trace.get("start_mask") != null)
            session.setMask(new GivenMask(read((String) trace.get("start_mask")), rows, columns));
        Mask mask = new Mask(rows, columns);
        float[] allRows = PhotoFit.positions(rows, rows), allColumns = PhotoFit.positions(columns, columns);
        List<Object> steps = Json.list(trace.get("steps"), "steps");
        Result result = recorded.result;
        for (int index = 0; index < steps.size(); index++) {
            Map<String, Object> step = Json.object(steps.get(index), "step");
            recorded.runs = new ArrayList<>(Json.list(step.get("runs"), "runs"));
            act(session, step);
            String wrong = differences(session, step) + (recorded.runs.isEmpty() ? "" : " runs");
            result.steps++;
            if (!wrong.isEmpty() && ++result.differingSteps <= 10)
                result.differing.add("trace " + number + ", step " + index + ":" + wrong);
            session.maskAt(allRows, allColumns, mask);
            byte[] bits = read(Json.as(String.class, step.get("mask"), "mask"));
            result.pixels += mask.values.capacity();
            for (int i = 0; i < mask.values.capacity(); i++)
                if (mask.values.get(i) != (bits[i >> 3] >> 7 - (i & 7) & 1)) result.differingPixels++;
        }
    }

    private static void act(Session session, Map<String, Object> step) {
        String action = Json.as(String.class, step.get("action"), "action");
        int index = step.containsKey("index") ? Json.whole(step.get("index"), 0, 4096, "index") : 0;
        if (action.equals("click"))
            session.click(number(step, "row"), number(step, "column"), Boolean.TRUE.equals(step.get("positive")));
        else if (action.equals("move")) session.move(index, number(step, "row"), number(step, "column"));
        else if (action.equals("remove")) session.remove(index);
        else if (action.equals("undo")) session.undo();
        else if (action.equals("redo")) session.redo();
        else throw new RitmEdgeException.Document("traces.json has an unknown action: " + action);
    }

    private static float number(Map<String, Object> step, String name) {
        return Json.as(Double.class, step.get(name), name).floatValue();
    }

    private static String differences(Session session, Map<String, Object> step) {
        List<Object> clicks = new ArrayList<>();
        for (Click click : session.clicks()) {
            List<Object> each = new ArrayList<>();
            each.add((double) click.row());
            each.add((double) click.column());
            each.add(click.positive());
            clicks.add(each);
        }
        State state = session.state();
        boolean clicked = !clicks.isEmpty();
        return (clicks.equals(step.get("clicks")) ? "" : " clicks")
                + (same(State.rectangle(state.roi), step.get("crop")) ? "" : " crop")
                + (!clicked || same(State.rectangle(state.placed), step.get("placed")) ? "" : " placed")
                + (!clicked || same(session.box(), step.get("box")) ? "" : " box");
    }

    private static boolean same(float[] found, Object expected) {
        if (found == null || !(expected instanceof List)) return found == null && expected == null;
        List<?> values = (List<?>) expected;
        for (int i = 0; i < 4; i++) if (!Double.valueOf(found[i]).equals(values.get(i))) return false;
        return values.size() == 4;
    }

    private byte[] read(String name) {
        if (!name.matches("[A-Za-z0-9_][A-Za-z0-9_.-]*"))
            throw new RitmEdgeException.Document("traces.json names a file that is none: " + name);
        try {
            return files.read(name);
        } catch (IOException error) {
            throw new RitmEdgeException.Document(
                    "The golden traces lack " + name + ": write them with ritm-edge golden.");
        }
    }

    /** The engine's graphs with recorded answers of the network. */
    private final class Recorded implements Graphs {
        private final Graphs graphs;
        private final Result result;
        private List<Object> runs;
        private boolean compares;

        Recorded(Graphs graphs, Result result) {
            this.graphs = graphs;
            this.result = result;
        }

        @Override
        public void run(String graph, Map<String, ByteBuffer> inputs, Map<String, ByteBuffer> outputs) {
            if (!graph.equals(NETWORK)) {
                graphs.run(graph, inputs, outputs);
                return;
            }
            if (runs.isEmpty())
                throw new RitmEdgeException.Document("The network is run more often than was recorded.");
            Map<String, Object> run = Json.object(runs.remove(0), "run");
            List<Object> expected = Json.list(run.get("network_clicks"), "network_clicks");
            ByteBuffer clicks = inputs.get("clicks");
            for (int i = 0; i < clicks.capacity() / 4; i++)
                result.clickError = worse(result.clickError, clicks.getFloat(4 * i) - (Double) expected.get(i));
            ByteBuffer answer = ByteBuffer.wrap(read((String) run.get("output"))).order(ByteOrder.LITTLE_ENDIAN);
            ByteBuffer mask = outputs.get("mask");
            if (answer.capacity() != mask.capacity())
                throw new RitmEdgeException.Document("A recorded output has another size.");
            if (compares) {
                graphs.run(NETWORK, inputs, outputs);
                result.networkRuns++;
                Agreement found = Agreement.of(mask, answer);
                result.networkError = worse(result.networkError, found.maxAbs());
                result.networkIou = Math.min(result.networkIou, found.maskIou());
            }
            for (int i = 0; i < mask.capacity(); i += 4) mask.putFloat(i, answer.getFloat(i));
        }

        @Override
        public void photoChanged() {
            graphs.photoChanged();
        }

        @Override
        public String description() {
            return graphs.description();
        }

        @Override
        public void close() {}
    }

    private static double worse(double worst, double error) {
        return Double.isNaN(error) ? Double.POSITIVE_INFINITY : Math.max(worst, Math.abs(error));
    }
}
