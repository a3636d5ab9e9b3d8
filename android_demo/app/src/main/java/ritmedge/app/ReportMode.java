package ritmedge.app;

import android.content.Context;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import ritmedge.core.GoldenTraces;
import ritmedge.core.Json;
import ritmedge.core.ModelFile;
import ritmedge.core.Report;
import ritmedge.core.RitmEdgeException;
import ritmedge.engine.Engine;

/**
 * The report of `adb shell am start … --es run report`: report.json in the app's external folder,
 * from where adb pull fetches it without a permission.
 */
final class ReportMode implements Report.Device {
    private static final int WARMUPS = 5, ROUNDS = 50;
    private static final String TRACES = "golden";

    interface Progress {
        void say(String what);
    }

    private final Context context;
    private final Progress progress;
    private final File file;

    ReportMode(Context context, Progress progress) {
        this.context = context;
        this.progress = progress;
        file = new File(context.getFilesDir(), Studio.MODEL);
    }

    /** @return the report's path. */
    String run() {
        byte[] bytes = new byte[0];
        ModelFile model;
        try {
            if (!file.exists())
                try (InputStream asset = context.getAssets().open(Studio.MODEL)) {
                    PhotoLoader.copy(asset, file);
                }
            try (InputStream in = new java.io.FileInputStream(file)) {
                bytes = read(in);
            }
            model = ModelFile.read(ByteBuffer.wrap(bytes));
            File to = new File(context.getExternalFilesDir(null), "report.json");
            String text = Json.write(new Report(model, this, traces(), WARMUPS, ROUNDS)
                    .run(Studio.MODEL, bytes.length, settings())) + "\n";
            File part = new File(to.getPath() + ".part");
            try (FileOutputStream out = new FileOutputStream(part)) {
                out.write(text.getBytes(StandardCharsets.UTF_8));
            }
            if (!part.renameTo(to)) throw new IOException("it cannot be kept");
            return to.getPath();
        } catch (IOException error) {
            throw new RitmEdgeException.Model("The report cannot be made (" + error.getMessage() + ").");
        }
    }

    private static List<Report.Setting> settings() {
        List<Report.Setting> settings = new ArrayList<>();
        int cores = Runtime.getRuntime().availableProcessors();
        for (int threads = 1; threads <= Math.min(4, cores); threads *= 2)
            settings.add(new Report.Setting(Engine.Choice.CPU.name(), threads));
        settings.add(new Report.Setting(Engine.Choice.GPU.name(), 1));
        settings.add(new Report.Setting(Engine.Choice.NPU.name(), 1));
        settings.add(new Report.Setting(Engine.Choice.INTERPRETER.name(), Math.min(4, cores)));
        return settings;
    }

    /** Those that ritm-edge export --android put beside the model, or null. */
    private GoldenTraces traces() {
        try {
            context.getAssets().open(TRACES + "/traces.json").close();
        } catch (IOException error) {
            return null;
        }
        return new GoldenTraces(name -> {
            try (InputStream in = context.getAssets().open(TRACES + "/" + name)) {
                return read(in);
            }
        });
    }

    private static byte[] read(InputStream in) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        byte[] buffer = new byte[1 << 16];
        for (int count = in.read(buffer); count >= 0; count = in.read(buffer)) out.write(buffer, 0, count);
        return out.toByteArray();
    }

    @Override
    public Report.Opened open(Report.Setting setting) {
        Engine engine = Engine.open(file, Engine.read(file), context.getCacheDir(), Engine.Choice.valueOf(setting.engine()), setting.threads());
        return new Report.Opened(engine, engine.fallback);
    }

    @Override
    public Map<String, Object> machine() {
        return Hardware.describe(context);
    }

    @Override
    public Map<String, Object> versions() {
        Map<String, Object> versions = new LinkedHashMap<>();
        versions.put("litert", Engine.LITERT);
        return versions;
    }

    @Override
    public long peakMemoryBytes() {
        return Hardware.peakMemoryBytes();
    }

    @Override
    public String thermalStatus() {
        return NewerAndroid.thermalStatus(context);
    }

    @Override
    public void progress(String what) {
        progress.say(what);
    }
}
