package ritmedge.core;

import java.nio.ByteBuffer;

/** 0 or 1 for each row and column of a screen or a photo, row by row; made once, filled often. */
public final class Mask {
    public final int rows;
    public final int columns;
    public final ByteBuffer values;

    /** @throws RitmEdgeException.Memory there is too little. */
    public Mask(int rows, int columns) {
        this.rows = rows;
        this.columns = columns;
        values = Buffers.allocate((int) Math.min((long) rows * columns, Integer.MAX_VALUE));
    }

    public boolean at(int row, int column) {
        return values.get(row * columns + column) != 0;
    }
}
