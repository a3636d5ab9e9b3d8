package ritmedge.app;

import android.app.ActivityManager;
import android.content.Context;
import android.os.Build;
import java.io.BufferedReader;
import java.io.FileReader;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;

/** What the device says of itself. */
final class Hardware {
    private Hardware() {}

    static String name() {
        return Build.MANUFACTURER + " " + Build.MODEL + ", Android " + Build.VERSION.RELEASE;
    }

    static Map<String, Object> describe(Context context) {
        ActivityManager.MemoryInfo memory = new ActivityManager.MemoryInfo();
        ((ActivityManager) context.getSystemService(Context.ACTIVITY_SERVICE)).getMemoryInfo(memory);
        Map<String, Object> machine = new LinkedHashMap<>();
        machine.put("cpu", NewerAndroid.processor());
        machine.put("usable_cores", Runtime.getRuntime().availableProcessors());
        machine.put("memory_bytes", memory.totalMem);
        machine.put("os", name());
        machine.put("build", Build.FINGERPRINT);
        return machine;
    }

    /** High-water mark of this process's resident memory, or 0 where the system does not say. */
    static long peakMemoryBytes() {
        try (BufferedReader status = new BufferedReader(new FileReader("/proc/self/status"))) {
            for (String line = status.readLine(); line != null; line = status.readLine())
                if (line.startsWith("VmHWM:")) return Long.parseLong(line.replaceAll("[^0-9]", "")) * 1024;
        } catch (IOException | NumberFormatException error) {
            return 0;
        }
        return 0;
    }
}
