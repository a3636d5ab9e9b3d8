package ritmedge.core;

import java.io.File;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.util.List;
import java.util.Map;

/** The app's report, made on a JVM with LiteRT for Python. Usage: PrintReport MODEL TRACES */
final class PrintReport {
    private PrintReport() {}

    public static void main(String[] arguments) throws IOException {
        File file = new File(arguments[0]);
        byte[] bytes = Files.readAllBytes(file.toPath());
        GoldenTraces traces = new GoldenTraces(name -> Files.readAllBytes(new File(arguments[1], name).toPath()));
        Report.Device device = new Report.Device() {
            @Override
            public Report.Opened open(Report.Setting setting) {
                if (!setting.engine().equals("CPU"))
                    throw new RitmEdgeException.Engine("There is no " + setting.engine() + " here.", null);
                try {
                    return new Report.Opened(new ChildGraphs(file), null);
                } catch (IOException error) {
                    throw new RitmEdgeException.Engine("The child process cannot be started.", error);
                }
            }

            @Override
            public Map<String, Object> machine() {
                return Map.of("cpu", "a JVM", "usable_cores", Runtime.getRuntime().availableProcessors(),
                        "memory_bytes", Runtime.getRuntime().maxMemory(), "os", System.getProperty("os.name"));
            }

            @Override
            public Map<String, Object> versions() {
                return Map.of("java", System.getProperty("java.version"));
            }

            @Override
            public long peakMemoryBytes() {
                return Runtime.getRuntime().totalMemory();
            }

            @Override
            public String thermalStatus() {
                return null;
            }

            @Override
            public void progress(String what) {
                System.err.println(what);
            }
        };
        List<Report.Setting> settings = List.of(new Report.Setting("CPU", 1), new Report.Setting("GPU", 1));
        ModelFile model = ModelFile.read(ByteBuffer.wrap(bytes));
        System.out.println(Json.write(new Report(model, device, traces, 1, 5).run(file.getName(), bytes.length, settings)));
    }
}
