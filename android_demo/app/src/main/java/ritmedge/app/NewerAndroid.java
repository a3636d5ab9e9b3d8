package ritmedge.app;

import android.content.Context;
import android.os.Build;
import android.os.PowerManager;

/**
 * What came after API 23, against which the build without an SDK compiles; by reflection, so that one
 * class alone knows of it.
 */
final class NewerAndroid {
    private static final String[] THERMAL = {
        "none", "light", "moderate", "severe", "critical", "emergency", "shutdown"
    };

    private NewerAndroid() {}

    /** PowerManager.getCurrentThermalStatus of API 29 in words, or null. */
    static String thermalStatus(Context context) {
        if (Build.VERSION.SDK_INT < 29) return null;
        try {
            PowerManager power = (PowerManager) context.getSystemService(Context.POWER_SERVICE);
            int status = (Integer) PowerManager.class.getMethod("getCurrentThermalStatus").invoke(power);
            return status >= 0 && status < THERMAL.length ? THERMAL[status] : String.valueOf(status);
        } catch (ReflectiveOperationException | RuntimeException error) {
            return null;
        }
    }

    /** Build.SOC_MANUFACTURER and SOC_MODEL of API 31, or the older name of the hardware. */
    static String processor() {
        if (Build.VERSION.SDK_INT < 31) return Build.HARDWARE;
        try {
            return Build.class.getField("SOC_MANUFACTURER").get(null) + " " + Build.class.getField("SOC_MODEL").get(null);
        } catch (ReflectiveOperationException error) {
            return Build.HARDWARE;
        }
    }
}
