package ritmedge.core;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;

/** Order statistics of times. */
public final class Statistics {
    private Statistics() {}

    /** The value below which a share 0 … 1 of the samples lies, interpolated as NumPy does. */
    public static double quantile(double[] samples, double share) {
        if (samples.length == 0) return Double.NaN;
        double[] sorted = samples.clone();
        Arrays.sort(sorted);
        double position = share * (sorted.length - 1);
        int low = (int) position;
        int high = Math.min(low + 1, sorted.length - 1);
        return sorted[low] + (position - low) * (sorted[high] - sorted[low]);
    }

    /** Smallest, median, ninth tenth and largest. */
    public static Map<String, Object> summary(double[] samples) {
        Map<String, Object> summary = new LinkedHashMap<>();
        summary.put("runs", samples.length);
        summary.put("min_ms", quantile(samples, 0));
        summary.put("median_ms", quantile(samples, 0.5));
        summary.put("p90_ms", quantile(samples, 0.9));
        summary.put("max_ms", quantile(samples, 1));
        return summary;
    }
}
