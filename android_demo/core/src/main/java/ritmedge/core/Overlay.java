package ritmedge.core;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.LongBuffer;

/**
 * The opacity of a mask's colour at each pixel of the screen, to be drawn in one colour: that of the
 * object inside, full on its contour, none elsewhere. Eight pixels at a time.
 */
public final class Overlay {
    private static final long ONES = 0x0101010101010101L;
    public final int rows;
    public final int columns;
    /** 0 … 255 for each pixel, row by row; for Bitmap.Config.ALPHA_8. */
    public final ByteBuffer alpha;
    private final LongBuffer wide;
    private LongBuffer maskWide;
    private Mask seen;

    /** @param columns a multiple of 8. */
    public Overlay(int rows, int columns) {
        if (columns % 8 != 0 || columns < 8) throw new IllegalArgumentException("columns " + columns);
        this.rows = rows;
        this.columns = columns;
        alpha = Buffers.allocate(rows * columns);
        wide = little(alpha);
    }

    /** The bytes as words whose lowest byte is the leftmost pixel, on any machine. */
    private static LongBuffer little(ByteBuffer buffer) {
        ByteBuffer whole = buffer.duplicate();
        Buffers.whole(whole);
        return whole.order(ByteOrder.LITTLE_ENDIAN).asLongBuffer();
    }

    /**
     * @param mask of the same size.
     * @param opacity 0 … 255 inside.
     * @return number of pixels inside.
     */
    public int draw(Mask mask, int opacity) {
        if (mask.rows != rows || mask.columns != columns || opacity < 0 || opacity > 255)
            throw new IllegalArgumentException("another mask size, or opacity " + opacity);
        if (seen != mask) maskWide = little(mask.values);
        seen = mask;
        int words = columns / 8;
        long count = 0;
        for (int row = 0; row < rows; row++) {
            int start = row * words;
            long before = 0, here = maskWide.get(start);
            for (int i = 0; i < words; i++) {
                int at = start + i;
                long after = i + 1 < words ? maskWide.get(at + 1) : 0;
                long alphas = 0;
                if (here != 0) {
                    long above = row > 0 ? maskWide.get(at - words) : 0;
                    long below = row + 1 < rows ? maskWide.get(at + words) : 0;
                    long inner = above & below & (here << 8 | before >>> 56) & (here >>> 8 | after << 56);
                    long edge = here & ~inner & ONES;
                    alphas = here * opacity + edge * (255 - opacity);
                    count += here * ONES >>> 56;
                }
                wide.put(at, alphas);
                before = here;
                here = after;
            }
        }
        return (int) count;
    }
}
