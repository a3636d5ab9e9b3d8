package ritmedge.app;

import android.content.Context;
import android.graphics.Bitmap;
import android.graphics.Canvas;
import android.graphics.Paint;
import android.graphics.RectF;
import android.util.AttributeSet;
import android.view.GestureDetector;
import android.view.MotionEvent;
import android.view.ScaleGestureDetector;
import android.view.View;
import java.util.List;
import ritmedge.core.Click;
import ritmedge.core.Viewport;

/** The photo with masks and clicks, and what fingers do on it. */
public final class PhotoView extends View {
    static final int[] COLOURS = {0xff4cc2ff, 0xffffb000, 0xff78d64b, 0xffff6f91, 0xffb388ff, 0xff00d1b2};
    private static final float REACH_DP = 20, DOT_DP = 6;

    interface Actions {
        void click(float row, float column, boolean positive);

        void move(int index, float row, float column);

        void remove(int index);

        /** Another part of the photo is shown, or at another size. */
        void shown();
    }

    final Viewport viewport = new Viewport();
    private final Paint paint = new Paint(Paint.FILTER_BITMAP_FLAG | Paint.ANTI_ALIAS_FLAG);
    private final RectF place = new RectF();
    private final GestureDetector gestures;
    private final ScaleGestureDetector pinch;
    private final float density = getResources().getDisplayMetrics().density;
    private Studio studio;
    private Actions actions;
    private Bitmap seen;
    private boolean removes;
    private int dragged = -1;
    private boolean moved;
    private float dragX, dragY;

    public PhotoView(Context context, AttributeSet attributes) {
        super(context, attributes);
        gestures = new GestureDetector(context, new Fingers());
        pinch = new ScaleGestureDetector(context, new ScaleGestureDetector.SimpleOnScaleGestureListener() {
            @Override
            public boolean onScale(ScaleGestureDetector detector) {
                viewport.zoom(detector.getScaleFactor(), detector.getFocusY(), detector.getFocusX());
                viewChanged();
                return true;
            }
        });
    }

    void bind(Studio studio, Actions actions) {
        this.studio = studio;
        this.actions = actions;
        changed();
    }

    /** Whether a tap removes instead of adding. */
    void setRemoves(boolean removes) {
        this.removes = removes;
    }

    /** Studio's scene or layers were replaced. */
    void changed() {
        Studio.Scene scene = studio.scene;
        if (scene.picture != seen) {
            seen = scene.picture;
            viewport.show(scene.rows, scene.columns);
            actions.shown();
        }
        invalidate();
    }

    private void viewChanged() {
        invalidate();
        actions.shown();
    }

    @Override
    protected void onSizeChanged(int width, int height, int oldWidth, int oldHeight) {
        viewport.resize(height, width);
        if (actions != null) viewChanged();
    }

    @Override
    protected void onDraw(Canvas canvas) {
        if (studio == null || studio.scene.picture == null) return;
        Studio.Scene scene = studio.scene;
        paint.setColor(0xffffffff);
        put(-0.5f, -0.5f, scene.rows - 0.5f, scene.columns - 0.5f);
        canvas.drawBitmap(scene.picture, null, place, paint);
        for (Studio.Layer layer : studio.layers) {
            paint.setColor(COLOURS[layer.object % COLOURS.length]);
            put(layer.top, layer.left, layer.bottom, layer.right);
            canvas.drawBitmap(layer.alpha, null, place, paint);
        }
        for (int i = 0; i < scene.clicks.size(); i++) {
            Click click = scene.clicks.get(i);
            float x = i == dragged && moved ? dragX : viewport.toX(click.column());
            float y = i == dragged && moved ? dragY : viewport.toY(click.row());
            paint.setColor(0xffffffff);
            canvas.drawCircle(x, y, (DOT_DP + 2) * density, paint);
            paint.setColor(click.positive() ? 0xff1b8a3a : 0xffc62828);
            canvas.drawCircle(x, y, DOT_DP * density, paint);
        }
    }

    private void put(float top, float left, float bottom, float right) {
        place.set(viewport.toX(left), viewport.toY(top), viewport.toX(right), viewport.toY(bottom));
    }

    /** The click under a finger, or −1. */
    private int clickAt(float y, float x) {
        List<Click> clicks = studio.scene.clicks;
        float nearest = REACH_DP * density;
        int found = -1;
        for (int i = 0; i < clicks.size(); i++) {
            float along = viewport.toX(clicks.get(i).column()) - x, down = viewport.toY(clicks.get(i).row()) - y;
            float distance = (float) Math.sqrt(along * along + down * down);
            if (distance < nearest) {
                nearest = distance;
                found = i;
            }
        }
        return found;
    }

    @Override
    public boolean onTouchEvent(MotionEvent event) {
        if (studio == null || !studio.hasPhoto()) return false;
        pinch.onTouchEvent(event);
        if (event.getPointerCount() > 1) dragged = -1; // two fingers zoom and move the photo
        gestures.onTouchEvent(event);
        boolean ends = event.getActionMasked() == MotionEvent.ACTION_UP;
        if (ends && dragged >= 0 && moved) drop(event.getY(), event.getX());
        if (ends || event.getActionMasked() == MotionEvent.ACTION_CANCEL) dragged = -1;
        return true;
    }

    private void drop(float y, float x) {
        float row = row(y), column = column(x);
        if (viewport.inside(row, column)) actions.move(dragged, row, column);
        else actions.remove(dragged);
        invalidate();
    }

    /** The outer half of the outermost pixels counts as their centre. */
    private float row(float y) {
        return Viewport.nearest(viewport.toRow(y));
    }

    private float column(float x) {
        return Viewport.nearest(viewport.toColumn(x));
    }

    private void tap(MotionEvent event, boolean positive) {
        float row = row(event.getY()), column = column(event.getX());
        if (viewport.inside(row, column)) actions.click(row, column, positive);
        if (positive) performClick();
    }

    @Override
    public boolean performClick() {
        return super.performClick();
    }

    private final class Fingers extends GestureDetector.SimpleOnGestureListener {
        @Override
        public boolean onDown(MotionEvent event) {
            dragged = clickAt(event.getY(), event.getX());
            moved = false;
            return true;
        }

        @Override
        public boolean onSingleTapUp(MotionEvent event) {
            tap(event, !removes);
            return true;
        }

        @Override
        public void onLongPress(MotionEvent event) {
            if (dragged >= 0) return;
            tap(event, removes);
            performHapticFeedback(android.view.HapticFeedbackConstants.LONG_PRESS);
        }

        @Override
        public boolean onScroll(MotionEvent first, MotionEvent event, float along, float down) {
            if (dragged >= 0) {
                moved = true;
                dragX = event.getX();
                dragY = event.getY();
                invalidate();
            } else {
                viewport.pan(-down, -along);
                viewChanged();
            }
            return true;
        }
    }
}
