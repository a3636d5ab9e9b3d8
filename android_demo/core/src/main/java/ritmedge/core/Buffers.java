package ritmedge.core;

import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * Direct buffers in native order.
 *
 * Positions are set through `Buffer`, whose methods have the same signature in every Java and
 * Android version; those of its subclasses do not.
 */
public final class Buffers {
    private Buffers() {}

    /** @throws RitmEdgeException.Memory there is not as much memory. */
    public static ByteBuffer allocate(int bytes) {
        try {
            return ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder());
        } catch (OutOfMemoryError error) {
            throw new RitmEdgeException.Memory("There is too little memory for " + (bytes >> 10)
                    + " KB more. Close other apps, or open a smaller photo.", error);
        }
    }

    public static ByteBuffer floats(float... values) {
        ByteBuffer buffer = allocate(4 * values.length);
        for (int i = 0; i < values.length; i++) buffer.putFloat(4 * i, values[i]);
        return buffer;
    }

    public static void range(Buffer buffer, int from, int to) {
        if (from < 0 || from > to || to > buffer.capacity())
            throw new IndexOutOfBoundsException(from + " to " + to + " of " + buffer.capacity());
        buffer.limit(to);
        buffer.position(from);
    }

    public static void whole(Buffer buffer) {
        buffer.clear();
    }

    /** All of one buffer into another of the same size. */
    public static void copy(ByteBuffer from, ByteBuffer to) {
        whole(from);
        whole(to);
        to.put(from);
        whole(from);
        whole(to);
    }
}
