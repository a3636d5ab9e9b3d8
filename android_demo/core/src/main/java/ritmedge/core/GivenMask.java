package ritmedge.core;

/** An external mask that a session starts from. */
public final class GivenMask {
    public final int rows;
    public final int columns;
    final byte[] values;

    /**
     * @param values one byte for each photo pixel, row by row: 0 … 255 for probability 0 … 1.
     * @throws RitmEdgeException.Edit another number of bytes.
     */
    public GivenMask(byte[] values, int rows, int columns) {
        if (values.length != (long) rows * columns)
            throw new RitmEdgeException.Edit(values.length + " bytes are no mask of " + rows + " × "
                    + columns + " pixels: pass one byte for each.");
        this.values = values;
        this.rows = rows;
        this.columns = columns;
    }

    /** First and last row, first and last column above the threshold; null without any. */
    float[] box(float threshold) {
        int top = rows, bottom = -1, left = columns, right = -1;
        for (int row = 0; row < rows; row++)
            for (int column = 0; column < columns; column++) {
                if (!((values[row * columns + column] & 255) / 255f > threshold)) continue;
                if (row < top) top = row;
                bottom = row;
                if (column < left) left = column;
                if (column > right) right = column;
            }
        return bottom < 0 ? null : new float[] {top, bottom, left, right};
    }

    /** As `Session.maskAt`: interpolated between pixels. */
    void at(float[] atRows, float[] atColumns, float threshold, Mask mask) {
        for (int i = 0; i < atRows.length; i++)
            for (int j = 0; j < atColumns.length; j++)
                mask.values.put(i * atColumns.length + j,
                        (byte) (share(atRows[i], atColumns[j]) / 255 > threshold ? 1 : 0));
    }

    private double share(float row, float column) {
        if (!(row >= 0 && row <= rows - 1 && column >= 0 && column <= columns - 1)) return 0;
        int top = (int) row, left = (int) column;
        double down = row - top, along = column - left;
        int below = Math.min(top + 1, rows - 1);
        return line(top, left, along) * (1 - down) + line(below, left, along) * down;
    }

    private double line(int row, int left, double along) {
        int right = Math.min(left + 1, columns - 1);
        return (values[row * columns + left] & 255) * (1 - along) + (values[row * columns + right] & 255) * along;
    }
}
