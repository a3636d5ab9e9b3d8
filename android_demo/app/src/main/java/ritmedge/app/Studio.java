package ritmedge.app;

import android.content.Context;
import android.content.SharedPreferences;
import android.graphics.Bitmap;
import android.net.Uri;
import android.os.Handler;
import android.os.Looper;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import ritmedge.core.Click;
import ritmedge.core.ClickLog;
import ritmedge.core.Mask;
import ritmedge.core.Overlay;
import ritmedge.core.Photo;
import ritmedge.core.PhotoObjects;
import ritmedge.core.RitmEdgeException;
import ritmedge.core.Session;
import ritmedge.core.TapQueue;
import ritmedge.core.Viewport;
import ritmedge.engine.Engine;

/**
 * Model, photo and sessions of the app, kept while its process lives: a rotation changes nothing here.
 * The engine works on the thread of `edits` alone; what views read is replaced on the main thread.
 */
final class Studio {
    static final String MODEL = "model.tflite";

    /** What a view shows; replaced as a whole. */
    static final class Scene {
        Bitmap picture;
        int rows = 1, columns = 1;
        List<Click> clicks = new ArrayList<>();
        int object, objects = 1;
        boolean canUndo, canRedo;
        String engine = "", fallback;
        double milliseconds, networkMilliseconds;
    }

    /** An object's mask, where it lies in the photo, and its number. */
    static final class Layer {
        Bitmap alpha;
        float top, left, bottom, right;
        int object;
    }

    /** A copy of what a view shows. */
    static final class View {
        final Viewport viewport;
        final int height, width, opacity;

        View(Viewport viewport, int height, int width, int opacity) {
            this.viewport = new Viewport(viewport);
            this.height = height;
            this.width = width;
            this.opacity = opacity;
        }
    }

    interface Listener {
        void changed();

        void problem(String message);
    }

    private static Studio studio;
    private final Context context;
    private final Handler main = new Handler(Looper.getMainLooper());
    final TapQueue edits = new TapQueue(this::done);
    Scene scene = new Scene();
    List<Layer> layers = new ArrayList<>();
    /** The clicks of every object, for when the process is ended. */
    ArrayList<String> logs = new ArrayList<>();
    Listener listener;
    private Engine engine;
    private ritmedge.core.SessionGraphs graphs;
    private ByteBuffer pixels;
    private PhotoObjects objects;
    private PhotoLoader loaded;
    private volatile View shown;
    private Mask mask;
    private Overlay overlay;

    static Studio of(Context context) {
        if (studio == null) studio = new Studio(context.getApplicationContext());
        return studio;
    }

    private Studio(Context context) {
        this.context = context;
    }

    boolean hasPhoto() {
        return scene.picture != null;
    }

    /** What is shown from now on; masks are drawn for it, and after each edit. */
    void show(View view) {
        shown = view;
        edits.refresh(() -> draw(shown));
    }

    private void done(double milliseconds, RuntimeException error) {
        Scene next = describe();
        next.milliseconds = milliseconds;
        ArrayList<String> saved = save();
        String problem = error == null ? null : said(error);
        try {
            draw(shown);
        } catch (RuntimeException | OutOfMemoryError drawing) {
            if (problem == null) problem = String.valueOf(drawing.getMessage());
        }
        String told = problem;
        main.post(() -> {
            scene = next;
            logs = saved;
            if (listener == null) return;
            listener.changed();
            if (told != null) listener.problem(told);
        });
    }

    String said(RuntimeException error) {
        return error instanceof RitmEdgeException ? error.getMessage()
                : context.getString(R.string.problem, String.valueOf(error));
    }

    private Scene describe() {
        Scene next = new Scene();
        if (engine != null) {
            next.engine = engine.description();
            next.fallback = engine.fallback;
        }
        if (objects == null) return next;
        Session session = objects.current();
        next.picture = loaded.shown;
        next.rows = objects.photo.rows;
        next.columns = objects.photo.columns;
        next.clicks = session.clicks();
        next.object = objects.currentIndex();
        next.objects = objects.count();
        next.canUndo = session.canUndo();
        next.canRedo = session.canRedo();
        next.networkMilliseconds = graphs.networkMilliseconds();
        return next;
    }

    // What follows runs on the thread of `edits`.

    /** Opens the engine unless it is open. */
    private void requireEngine() {
        if (engine != null) return;
        File file = new File(context.getFilesDir(), MODEL);
        if (!file.exists()) {
            try (InputStream asset = context.getAssets().open(MODEL)) {
                PhotoLoader.copy(asset, file);
            } catch (IOException error) {
                throw new RitmEdgeException.Model(context.getString(R.string.no_model));
            }
        }
        Engine.Choice choice = choice();
        int threads = Math.max(1, Math.min(4, Runtime.getRuntime().availableProcessors()));
        engine = Engine.open(file, Engine.read(file), context.getCacheDir(), choice, threads);
        graphs = new ritmedge.core.SessionGraphs(engine.model, engine);
        pixels = Photo.allocate(engine.model);
    }

    private SharedPreferences settings() {
        return context.getSharedPreferences("settings", Context.MODE_PRIVATE);
    }

    Engine.Choice choice() {
        return Engine.Choice.valueOf(settings().getString("engine", Engine.Choice.GPU.name()));
    }

    /** Another engine; clicks are made again with it. */
    void choose(Engine.Choice choice) {
        settings().edit().putString("engine", choice.name()).apply();
        reopen(save());
    }

    private void reopen(ArrayList<String> logs) {
        objects = null;
        if (engine != null) engine.close();
        engine = null;
        requireEngine();
        if (loaded != null) openPhoto(logs);
    }

    /** Takes another model file, if it can be used. */
    void openModel(Uri uri) {
        File arriving = new File(context.getCacheDir(), MODEL);
        copy(uri, arriving);
        Engine.open(arriving, Engine.read(arriving), context.getCacheDir(), Engine.Choice.CPU, 1).close(); // throws if it cannot
        if (!arriving.renameTo(new File(context.getFilesDir(), MODEL)))
            throw new RitmEdgeException.Model("The model file cannot be kept. Free some space and try again.");
        reopen(new ArrayList<>());
    }

    private void copy(Uri uri, File to) {
        try (InputStream in = context.getContentResolver().openInputStream(uri)) {
            if (in == null) throw new IOException("no content");
            PhotoLoader.copy(in, to);
        } catch (IOException | SecurityException error) {
            throw new RitmEdgeException.Photo("The file cannot be read (" + error.getMessage() + "). Choose another.");
        }
    }

    /** Opens a photo; it is copied first, since a shared one may be gone after the app was ended. */
    void openPhoto(Uri uri) {
        File arriving = new File(context.getCacheDir(), "arriving");
        copy(uri, arriving);
        requireEngine();
        File kept = CacheProvider.file(context, "opened");
        PhotoLoader before = loaded;
        PhotoObjects objectsBefore = objects;
        try {
            objects = null; // its pixels are overwritten
            loaded = new PhotoLoader(arriving, engine.model, pixels);
        } catch (RitmEdgeException | OutOfMemoryError error) {
            loaded = before;
            if (before != null && kept.exists()) restorePixels(kept);
            objects = objectsBefore;
            throw error;
        }
        if (!arriving.renameTo(kept)) throw new RitmEdgeException.Photo("The photo cannot be kept. Free some space.");
        objects = new PhotoObjects(graphs, loaded.photo);
    }

    private void restorePixels(File kept) {
        loaded = new PhotoLoader(kept, engine.model, pixels);
        engine.photoChanged();
    }

    /** Opens the last photo again with these click logs, one for each object. */
    void openPhoto(ArrayList<String> logs) {
        requireEngine();
        loaded = new PhotoLoader(CacheProvider.file(context, "opened"), engine.model, pixels);
        objects = new PhotoObjects(graphs, loaded.photo);
        for (int i = 0; i < logs.size(); i++) {
            Session session = i == 0 ? objects.current() : objects.add();
            List<Click> clicks = ClickLog.read(logs.get(i), engine.model, loaded.photo);
            if (!clicks.isEmpty()) session.replaceAll(clicks);
        }
    }

    /** The clicks of every object. */
    ArrayList<String> save() {
        ArrayList<String> logs = new ArrayList<>();
        for (int i = 0; objects != null && i < objects.count(); i++)
            logs.add(ClickLog.write(engine.model, objects.photo, objects.session(i).clicks()));
        return logs;
    }

    PhotoObjects requirePhoto() {
        if (objects == null) throw new RitmEdgeException.Edit(context.getString(R.string.no_photo));
        return objects;
    }

    /** Draws every object's mask for what a view shows. */
    private void draw(View wanted) {
        if (objects == null || wanted == null) return;
        Viewport view = wanted.viewport;
        int height = wanted.height, width = wanted.width;
        int step = view.maskStep(engine.model), high = height / step, wide = width / step / 8 * 8;
        if (high < 1 || wide < 8) return;
        if (mask == null || mask.rows != high || mask.columns != wide) {
            mask = new Mask(high, wide);
            overlay = new Overlay(high, wide);
        }
        float[] rows = view.rows(high, step), columns = view.columns(wide, step);
        List<Layer> drawn = new ArrayList<>();
        for (int i = 0; i < objects.count(); i++) {
            if (objects.session(i).clicks().isEmpty()) continue;
            objects.session(i).maskAt(rows, columns, mask);
            if (overlay.draw(mask, wanted.opacity) == 0) continue;
            Layer layer = new Layer();
            layer.alpha = Bitmap.createBitmap(wide, high, Bitmap.Config.ALPHA_8);
            layer.alpha.copyPixelsFromBuffer(overlay.alpha);
            ritmedge.core.Buffers.whole(overlay.alpha);
            layer.object = i;
            layer.top = view.toRow(0);
            layer.left = view.toColumn(0);
            layer.bottom = view.toRow(high * step);
            layer.right = view.toColumn(wide * step);
            drawn.add(layer);
        }
        main.post(() -> {
            layers = drawn;
            if (listener != null) listener.changed();
        });
    }

    /** @param cutOut the photo where the objects are; else their mask, of the photo's own size. */
    void save(Uri uri, boolean cutOut) {
        try (OutputStream out = context.getContentResolver().openOutputStream(uri)) {
            write(out, cutOut);
        } catch (IOException error) {
            throw new RitmEdgeException.Photo("The picture cannot be saved (" + error.getMessage() + ").");
        }
    }

    void write(OutputStream out, boolean cutOut) throws IOException {
        java.io.BufferedOutputStream buffered = new java.io.BufferedOutputStream(out);
        if (cutOut) requirePhoto().saveCutOut(buffered);
        else requirePhoto().saveMask(buffered, loaded.rows, loaded.columns);
        buffered.flush();
    }

    void forgetHistory() {
        if (objects != null) objects.forgetHistory();
    }

    /** Frees engine and photo for a report; they are opened again when they are needed. */
    void release() {
        ArrayList<String> logs = save();
        objects = null;
        if (engine != null) engine.close();
        engine = null;
        edits.command(() -> {
            if (loaded != null) openPhoto(logs);
        });
    }
}
