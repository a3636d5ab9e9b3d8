package ritmedge.core;

import java.nio.ByteBuffer;
import java.util.List;

/** Everything that a click changes; a session never writes to one that it shows. */
public final class State {
    List<Click> clicks;
    /** The network's last output, rows × columns probabilities. */
    final ByteBuffer output;
    /** Where it is in the photo: first row, last row, first column, last column. */
    final ByteBuffer placed = Buffers.allocate(16);
    /** The stored crop, in the same order; −1 where there is none. */
    final ByteBuffer roi = Buffers.allocate(16);
    /** The mask that the session started from, as long as nothing was clicked. */
    GivenMask given;

    State(int bytes) {
        output = Buffers.allocate(bytes);
    }

    public List<Click> clicks() {
        return clicks;
    }

    /** Four numbers, or null where the first is negative: none. */
    static float[] rectangle(ByteBuffer four) {
        float[] values = new float[4];
        for (int i = 0; i < 4; i++) values[i] = four.getFloat(4 * i);
        return values[0] < 0 ? null : values;
    }

    static void set(ByteBuffer four, float a, float b, float c, float d) {
        four.putFloat(0, a).putFloat(4, b).putFloat(8, c).putFloat(12, d);
    }
}
