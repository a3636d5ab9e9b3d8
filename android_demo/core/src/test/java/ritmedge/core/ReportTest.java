package ritmedge.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class ReportTest {
    @Test
    void everyEngineIsARowAndAFailureIsSaid() {
        ModelFile model = new MadeModel().model();
        Report.Device device = new Report.Device() {
            @Override
            public Report.Opened open(Report.Setting setting) {
                if (setting.engine().equals("NPU")) throw new RitmEdgeException.Engine("This device has none.", null);
                return new Report.Opened(new MadeGraphs(), setting.engine().equals("GPU") ? "too old" : null);
            }

            @Override
            public Map<String, Object> machine() {
                return Map.of("cpu", "made", "usable_cores", 8, "memory_bytes", 1, "os", "none");
            }

            @Override
            public Map<String, Object> versions() {
                return Map.of("litert", "0");
            }

            @Override
            public long peakMemoryBytes() {
                return 123;
            }

            @Override
            public String thermalStatus() {
                return "none";
            }

            @Override
            public void progress(String what) {}
        };
        List<Report.Setting> settings = List.of(new Report.Setting("CPU", 2), new Report.Setting("GPU", 1),
                new Report.Setting("NPU", 1));
        Map<String, Object> report = Json.object(Json.parse(Json.write(
                new Report(model, device, null, 2, 7).run("m.tflite", 9, settings))), "report");
        List<Object> rows = Json.list(report.get("rows"), "rows");
        assertEquals(2, rows.size());
        for (Object each : rows) {
            Map<String, Object> row = Json.object(each, "row");
            assertEquals(7, Json.list(row.get("samples_ms"), "samples").size());
            assertEquals(5, Json.list(row.get("clicks_to_mask_ms"), "clicks").size());
            assertTrue((Double) row.get("median_ms") > 0 && (Double) row.get("cold_start_ms") > 0);
            assertEquals(123.0, row.get("peak_memory_bytes"));
        }
        assertEquals("too old", Json.object(rows.get(1), "row").get("fallback"));
        assertTrue(Json.write(report.get("failed")).contains("This device has none."));
        assertEquals(List.of(4.0, 5.0), report.get("size"));
    }

    @Test
    void anAgreementSeesEveryDifference() {
        ByteBuffer a = Buffers.floats(0.9f, 0.1f, 0.6f), b = Buffers.floats(0.9f, 0.1f, 0.1f);
        assertEquals(new Agreement(0, 1), Agreement.of(a, a));
        assertEquals(0.5, Agreement.of(b, a).maskIou());
        assertEquals(0.5, Agreement.of(b, a).maxAbs(), 1e-6);
        assertEquals(Double.POSITIVE_INFINITY, Agreement.of(Buffers.floats(Float.NaN, 0, 0), a).maxAbs());
    }
}
