package ritmedge.core;

import java.nio.ByteBuffer;

/**
 * How a photo of any size becomes the pixels of a session: decoded at a part of its size where it is
 * large, turned by its EXIF orientation, and reduced to what the graphs are declared for.
 */
public final class PhotoFit {
    /** Decoded pixels at most; with four bytes each, and the session's own three bytes. */
    private static final long MOST_DECODED = 25_200_000;
    private static final int MOST_SAMPLE = 64;

    /** Decode every n-th row and column, n a power of two. */
    public final int sample;
    private final int most;

    /**
     * @param rows of the file, before it is turned; `columns` likewise.
     * @param most pixels of the session's photo: `ModelFile.largestPhoto`.
     * @throws RitmEdgeException.Photo it has no pixels, or too many to be shown at all.
     */
    public PhotoFit(int rows, int columns, int most) {
        if (rows < 1 || columns < 1)
            throw new RitmEdgeException.Photo("The photo has " + rows + " × " + columns
                    + " pixels; it may be damaged. Choose another.");
        int sample = 1;
        while ((long) part(rows, sample) * part(columns, sample) > MOST_DECODED && sample < MOST_SAMPLE)
            sample *= 2;
        if ((long) part(rows, sample) * part(columns, sample) > MOST_DECODED)
            throw new RitmEdgeException.Photo("The photo has " + rows + " × " + columns
                    + " pixels, more than can be shown. Reduce it first.");
        this.sample = sample;
        this.most = most;
    }

    private static int part(int length, int sample) {
        return (length + sample - 1) / sample;
    }

    /** Source of decoded pixels: fills one row of 0xAARRGGBB. */
    public interface Rows {
        void read(int row, int[] argb);
    }

    /** The size to which a photo is reduced so that it has at most `most` pixels. */
    public static int[] fitted(int rows, int columns, int most) {
        if ((long) rows * columns <= most) return new int[] {rows, columns};
        double scale = Math.sqrt((double) most / rows / columns);
        int high = Math.max(1, (int) (rows * scale)), wide = Math.max(1, (int) (columns * scale));
        // A long strip: one side is held at a pixel, so that the other has to give way.
        if ((long) high * wide > most) {
            if (high > wide) high = most;
            else wide = most;
        }
        return new int[] {high, wide};
    }

    /**
     * Pixels for a session, on white where the photo is transparent.
     *
     * @param rows of the decoded picture, as the decoder made it; `columns` likewise.
     * @param orientation EXIF, 1 … 8.
     * @param into from `Photo.allocate`.
     */
    public Photo build(int rows, int columns, int orientation, Rows source, ByteBuffer into) {
        boolean turned = orientation > 4;
        int[] size = fitted(turned ? columns : rows, turned ? rows : columns, most);
        int high = size[0], wide = size[1], strideDown, strideAlong;
        int[] line = new int[columns], sum = new int[3 * (turned ? high : wide)];
        // In the decoder's order: `down` runs along its rows, `along` within one.
        int targetDown = turned ? wide : high, targetAlong = turned ? high : wide;
        boolean mirrorDown = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
        boolean mirrorAlong = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
        strideDown = turned ? 3 : 3 * wide;
        strideAlong = turned ? 3 * wide : 3;
        for (int down = 0; down < targetDown; down++) {
            int first = (int) ((long) down * rows / targetDown);
            int last = Math.max(first + 1, (int) ((long) (down + 1) * rows / targetDown));
            java.util.Arrays.fill(sum, 0);
            for (int row = first; row < last; row++) {
                source.read(row, line);
                for (int along = 0; along < targetAlong; along++)
                    average(line, columns, along, targetAlong, sum);
            }
            int there = (mirrorDown ? targetDown - 1 - down : down) * strideDown, lines = last - first;
            for (int along = 0; along < targetAlong; along++) {
                int at = there + (mirrorAlong ? targetAlong - 1 - along : along) * strideAlong;
                for (int c = 0; c < 3; c++)
                    into.put(at + c, (byte) ((sum[3 * along + c] + lines / 2) / lines));
            }
        }
        return new Photo(into, high, wide);
    }

    /** Adds the mean of the source pixels of one target pixel. */
    private static void average(int[] line, int columns, int along, int targets, int[] sum) {
        int first = (int) ((long) along * columns / targets);
        int last = Math.max(first + 1, (int) ((long) (along + 1) * columns / targets));
        int red = 0, green = 0, blue = 0, count = last - first;
        for (int i = first; i < last; i++) {
            int argb = line[i], alpha = argb >>> 24, white = 255 * (255 - alpha);
            red += alpha == 255 ? argb >> 16 & 255 : ((argb >> 16 & 255) * alpha + white + 127) / 255;
            green += alpha == 255 ? argb >> 8 & 255 : ((argb >> 8 & 255) * alpha + white + 127) / 255;
            blue += alpha == 255 ? argb & 255 : ((argb & 255) * alpha + white + 127) / 255;
        }
        sum[3 * along] += (red + count / 2) / count;
        sum[3 * along + 1] += (green + count / 2) / count;
        sum[3 * along + 2] += (blue + count / 2) / count;
    }

    /** Positions in the reduced photo of `count` rows or columns of the original one. */
    public static float[] positions(int count, int fitted) {
        float[] positions = new float[count];
        for (int i = 0; i < count; i++)
            positions[i] = count == fitted ? i : (float) ((double) i * (fitted - 1) / Math.max(count - 1, 1));
        return positions;
    }
}
