package ritmedge.core;

/**
 * What part of a photo a view shows: zoom, pan, and the photo positions of the view's pixels.
 *
 * View coordinates are pixels from its upper left corner; photo coordinates are pixel centres.
 */
public final class Viewport {
    private static final float MOST_ZOOM = 16; // screen pixels for one of the photo
    private static final float[] NONE = {};
    private int photoRows = 1;
    private int photoColumns = 1;
    private int height = 1;
    private int width = 1;
    private float scale = 1;
    private float top;
    private float left;
    private float[] rows = NONE;
    private float[] columns = NONE;

    public Viewport() {}

    /** A copy, for another thread. */
    public Viewport(Viewport other) {
        photoRows = other.photoRows;
        photoColumns = other.photoColumns;
        height = other.height;
        width = other.width;
        scale = other.scale;
        top = other.top;
        left = other.left;
    }

    /** Shows a photo whole. */
    public void show(int photoRows, int photoColumns) {
        this.photoRows = photoRows;
        this.photoColumns = photoColumns;
        scale = least();
        centre();
    }

    /** The view got another size, for example by rotation; what is in its middle stays there. */
    public void resize(int height, int width) {
        boolean whole = scale <= least() * 1.001f;
        float row = toRow(this.height / 2f), column = toColumn(this.width / 2f);
        this.height = Math.max(1, height);
        this.width = Math.max(1, width);
        scale = whole ? least() : clamp(scale, least(), most());
        top = this.height / 2f - (row + 0.5f) * scale;
        left = this.width / 2f - (column + 0.5f) * scale;
        centre();
    }

    /** Zooms by a factor around a point of the view. */
    public void zoom(float factor, float y, float x) {
        if (!(factor > 0)) return;
        float wanted = clamp(scale * factor, least(), most()), real = wanted / scale;
        top = y - (y - top) * real;
        left = x - (x - left) * real;
        scale = wanted;
        centre();
    }

    public void pan(float down, float along) {
        top += down;
        left += along;
        centre();
    }

    public float toRow(float y) {
        return (y - top) / scale - 0.5f;
    }

    public float toColumn(float x) {
        return (x - left) / scale - 0.5f;
    }

    public float toY(float row) {
        return (row + 0.5f) * scale + top;
    }

    public float toX(float column) {
        return (column + 0.5f) * scale + left;
    }

    /** Whether a photo position is inside the photo, where clicks may be. */
    public boolean inside(float row, float column) {
        return row >= 0 && row < photoRows && column >= 0 && column < photoColumns;
    }

    /** A position in the outer half of the first row or column counts as its centre. */
    public static float nearest(float position) {
        return position < 0 && position >= -0.5f ? 0 : position;
    }

    public float scale() {
        return scale;
    }

    /**
     * Pixels of the view for each value of its mask: 1, or more where the view is larger than two
     * blocks of the graph that makes it.
     */
    public int maskStep(ModelFile model) {
        int step = 1;
        while (blocks(height / step, model.screenRows) * blocks(width / step, model.screenColumns) > 2) step++;
        return step;
    }

    private static int blocks(int length, int most) {
        return (length + most - 1) / most;
    }

    /** Photo rows of the mask's rows; the array is the same at each call while its length is. */
    public float[] rows(int count, int step) {
        if (rows.length != count) rows = new float[count];
        for (int i = 0; i < count; i++) rows[i] = toRow((i + 0.5f) * step);
        return rows;
    }

    public float[] columns(int count, int step) {
        if (columns.length != count) columns = new float[count];
        for (int i = 0; i < count; i++) columns[i] = toColumn((i + 0.5f) * step);
        return columns;
    }

    private float least() {
        return Math.min((float) height / photoRows, (float) width / photoColumns);
    }

    private float most() {
        return Math.max(MOST_ZOOM, least());
    }

    /** A photo smaller than the view lies in its middle; a larger one has no gap at its sides. */
    private void centre() {
        float high = photoRows * scale, wide = photoColumns * scale;
        top = high <= height ? (height - high) / 2 : clamp(top, height - high, 0);
        left = wide <= width ? (width - wide) / 2 : clamp(left, width - wide, 0);
    }

    private static float clamp(float value, float least, float most) {
        return Math.min(Math.max(value, least), most);
    }
}
