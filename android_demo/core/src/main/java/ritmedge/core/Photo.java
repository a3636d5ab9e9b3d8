package ritmedge.core;

import java.nio.ByteBuffer;

/** Pixels that sessions work on: RGB, row by row, in a buffer as long as `prepare` is declared for. */
public final class Photo {
    public final int rows;
    public final int columns;
    final ByteBuffer pixels;
    final ByteBuffer size;

    /**
     * @param pixels from `allocate`, its first rows × columns × 3 bytes filled.
     * @throws RitmEdgeException.Photo the size is not positive, or the buffer too short.
     */
    public Photo(ByteBuffer pixels, int rows, int columns) {
        if (rows < 1 || columns < 1 || 3L * rows * columns > pixels.capacity())
            throw new RitmEdgeException.Photo("A photo of " + rows + " × " + columns
                    + " pixels does not fit in " + pixels.capacity() + " bytes: reduce it first.");
        this.pixels = pixels;
        this.rows = rows;
        this.columns = columns;
        size = Buffers.floats(rows, columns);
    }

    /** Memory for the pixels of any photo of that model. @throws RitmEdgeException.Memory */
    public static ByteBuffer allocate(ModelFile model) {
        return Buffers.allocate(3 * model.largestPhoto);
    }

    /** Red, green and blue of one pixel as 0xRRGGBB. */
    public int rgb(int row, int column) {
        int at = 3 * (row * columns + column);
        return (pixels.get(at) & 255) << 16 | (pixels.get(at + 1) & 255) << 8 | pixels.get(at + 2) & 255;
    }
}
