package ritmedge.core;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What a device does with a model: times, parity and memory of each engine, as the JSON that
 * `ritm-edge report` reads, with more entries than a report of `bench latency`.
 */
public final class Report {
    private static final int CLICKS = 5;

    /** An opened engine; `fallback` says why it is not the one that was asked for, or is null. */
    public record Opened(Graphs graphs, String fallback) {}

    /** One row of the report. */
    public record Setting(String engine, int threads) {}

    /** The device, as far as core cannot know it. */
    public interface Device {
        /** @throws RitmEdgeException it cannot be opened. */
        Opened open(Setting setting);

        /** `cpu`, `usable_cores`, `memory_bytes`, `os`. */
        Map<String, Object> machine();

        /** Of engine and app. */
        Map<String, Object> versions();

        /** Peak resident memory of this process so far; 0 where the system does not say. */
        long peakMemoryBytes();

        /** As the system names it, or null where it does not say. */
        String thermalStatus();

        void progress(String what);
    }

    private final ModelFile model;
    private final Device device;
    private final GoldenTraces traces;
    private final int warmups;
    private final int rounds;

    /** @param traces of this model, or null. @param rounds timed runs, behind `warmups`. */
    public Report(ModelFile model, Device device, GoldenTraces traces, int warmups, int rounds) {
        this.model = model;
        this.device = device;
        this.traces = traces;
        this.warmups = warmups;
        this.rounds = rounds;
    }

    /** @param path of the model file, for people; `bytes` its length. */
    public Map<String, Object> run(String path, long bytes, List<Setting> settings) {
        Map<String, Object> report = new LinkedHashMap<>(), common = new LinkedHashMap<>();
        report.put("made_by", "the ritm-edge app");
        report.put("machine", device.machine());
        report.put("versions", device.versions());
        report.put("artifact_sha256", model.sha256);
        report.put("size", pair(model.rows, model.columns));
        common.put("runs", rounds);
        common.put("warmup", warmups);
        common.put("threads", null);
        report.put("settings", common);
        report.put("thermal_status_before", device.thermalStatus());
        List<Object> rows = new ArrayList<>(), failed = new ArrayList<>();
        for (Setting setting : settings) {
            device.progress(setting.engine() + ", " + setting.threads() + " threads");
            try {
                rows.add(row(path, bytes, setting));
            } catch (RitmEdgeException error) {
                Map<String, Object> failure = new LinkedHashMap<>();
                failure.put("engine", setting.engine());
                failure.put("threads", setting.threads());
                failure.put("error", error.getMessage());
                failed.add(failure);
            }
        }
        report.put("rows", rows);
        report.put("failed", failed);
        report.put("thermal_status_after", device.thermalStatus());
        return report;
    }

    private Map<String, Object> row(String path, long bytes, Setting setting) {
        long start = System.nanoTime();
        Opened opened = device.open(setting);
        try (Graphs graphs = opened.graphs()) {
            Map<String, ByteBuffer> inputs = Agreement.inputs(model), outputs = new HashMap<>();
            outputs.put("mask", Buffers.allocate(model.bytes(Graphs.NETWORK, "mask")));
            graphs.run(Graphs.NETWORK, inputs, outputs);
            double cold = (System.nanoTime() - start) / 1e6;
            double[] samples = new double[rounds];
            for (int i = -warmups; i < rounds; i++) {
                long before = System.nanoTime();
                graphs.run(Graphs.NETWORK, inputs, outputs);
                if (i >= 0) samples[i] = (System.nanoTime() - before) / 1e6;
            }
            Map<String, Object> row = new LinkedHashMap<>();
            row.put("path", path);
            row.put("runtime", "tflite");
            row.put("engine", graphs.description());
            row.put("threads", setting.threads());
            row.put("fallback", opened.fallback());
            row.put("baseline", false);
            row.put("precision", model.precision);
            List<Object> list = new ArrayList<>();
            for (double each : samples) list.add(each);
            row.put("samples_ms", list);
            row.put("median_ms", Statistics.quantile(samples, 0.5));
            row.put("p90_ms", Statistics.quantile(samples, 0.9));
            row.put("ratio_to_pytorch", null);
            row.put("cold_start_ms", cold);
            row.put("clicks_to_mask_ms", clicks(graphs));
            long peak = device.peakMemoryBytes();
            row.put("peak_memory_bytes", peak > 0 ? peak : null);
            row.put("file_bytes", bytes);
            row.put("is_device_time", true);
            row.put("parity", null); // that of the export; the device's own is the next entry
            row.put("golden_traces", traces == null ? null : traces.replay(model, graphs).toMap());
            return row;
        }
    }

    /** Milliseconds from each of the first clicks to its mask of the screen, on a made photo. */
    private List<Object> clicks(Graphs graphs) {
        SessionGraphs shared = new SessionGraphs(model, graphs);
        int side = (int) Math.min(1024, Math.sqrt(model.largestPhoto));
        ByteBuffer pixels = Photo.allocate(model);
        for (int i = 0; i < 3 * side * side; i++) pixels.put(i, (byte) (i * 31 >> 3));
        Session session = new Session(shared, new Photo(pixels, side, side), false);
        Mask mask = new Mask(model.screenRows, model.screenColumns);
        float[] rows = PhotoFit.positions(mask.rows, side), columns = PhotoFit.positions(mask.columns, side);
        List<Object> times = new ArrayList<>();
        for (int i = 0; i < Math.min(CLICKS, 2 * model.slots); i++) {
            long before = System.nanoTime();
            session.click(side * (0.5f + 0.05f * i), side * (0.5f - 0.06f * i), i % 2 == 0);
            session.maskAt(rows, columns, mask);
            times.add((System.nanoTime() - before) / 1e6);
        }
        return times;
    }

    private static List<Object> pair(int first, int second) {
        List<Object> pair = new ArrayList<>();
        pair.add(first);
        pair.add(second);
        return pair;
    }
}
