package ritmedge.app;

import android.app.Activity;
import android.app.AlertDialog;
import android.content.ActivityNotFoundException;
import android.content.Intent;
import android.net.Uri;
import android.os.Bundle;
import android.provider.MediaStore;
import android.view.View;
import android.view.WindowManager;
import android.widget.SeekBar;
import android.widget.TextView;
import android.widget.Toast;
import android.widget.ToggleButton;
import java.io.FileOutputStream;
import java.io.IOException;
import java.util.ArrayList;
import ritmedge.core.RitmEdgeException;
import ritmedge.engine.Engine;

/** The screen. What it shows and does is Studio's; this binds it to buttons and other apps. */
public final class MainActivity extends Activity implements Studio.Listener, PhotoView.Actions {
    private static final int OPEN = 1, CAMERA = 2, MODEL = 3, SAVE_MASK = 4, SAVE_CUT_OUT = 5;
    private static final String LOGS = "logs";
    private Studio studio;
    private PhotoView view;
    private TextView status;
    private SeekBar opacity;
    private DeviceMode deviceMode;
    private boolean reporting;

    @Override
    protected void onCreate(Bundle saved) {
        super.onCreate(saved);
        setContentView(R.layout.main);
        studio = Studio.of(this);
        view = (PhotoView) findViewById(R.id.photo);
        status = (TextView) findViewById(R.id.status);
        opacity = (SeekBar) findViewById(R.id.opacity);
        view.bind(studio, this);
        on(R.id.open, v -> pick(OPEN, "image/*"));
        on(R.id.camera, v -> takePhoto());
        on(R.id.next, v -> edit(() -> studio.requirePhoto().next()));
        on(R.id.undo, v -> edit(() -> studio.requirePhoto().current().undo()));
        on(R.id.redo, v -> edit(() -> studio.requirePhoto().current().redo()));
        on(R.id.reset, v -> edit(() -> studio.requirePhoto().current().reset()));
        on(R.id.menu, this::menu);
        ToggleButton sign = (ToggleButton) findViewById(R.id.sign);
        sign.setChecked(false);
        sign.setOnCheckedChangeListener((button, removes) -> view.setRemoves(removes));
        opacity.setOnSeekBarChangeListener(new SeekBar.OnSeekBarChangeListener() {
            @Override
            public void onProgressChanged(SeekBar bar, int value, boolean fromUser) {
                shown();
            }

            @Override
            public void onStartTrackingTouch(SeekBar bar) {}

            @Override
            public void onStopTrackingTouch(SeekBar bar) {}
        });
        // After the app's process was ended, the photo and its clicks come back from here.
        ArrayList<String> logs = saved == null ? null : saved.getStringArrayList(LOGS);
        if (logs != null && !logs.isEmpty() && !studio.hasPhoto()) edit(() -> studio.openPhoto(logs));
        else if (saved == null) handle(getIntent());
    }

    private void on(int id, View.OnClickListener action) {
        findViewById(id).setOnClickListener(action);
    }

    @Override
    protected void onStart() {
        super.onStart();
        studio.listener = this;
        changed();
    }

    @Override
    protected void onStop() {
        studio.listener = null;
        super.onStop();
    }

    @Override
    protected void onDestroy() {
        leaveDeviceMode();
        super.onDestroy();
    }

    @Override
    protected void onSaveInstanceState(Bundle out) {
        super.onSaveInstanceState(out);
        out.putStringArrayList(LOGS, studio.logs);
    }

    @Override
    public void onTrimMemory(int level) {
        super.onTrimMemory(level);
        if (level == TRIM_MEMORY_RUNNING_CRITICAL || level >= TRIM_MEMORY_COMPLETE)
            edit(studio::forgetHistory);
    }

    @Override
    protected void onNewIntent(Intent intent) {
        super.onNewIntent(intent);
        handle(intent);
    }

    /** A shared photo, or `adb shell am start … --es run report`. */
    private void handle(Intent intent) {
        Uri shared = Intent.ACTION_SEND.equals(intent.getAction())
                ? (Uri) intent.getParcelableExtra(Intent.EXTRA_STREAM) : null;
        String run = intent.getStringExtra("run");
        if (shared != null && "content".equals(shared.getScheme())) open(shared);
        else if ("report".equals(run)) report();
        else if ("device".equals(run)) enterDeviceMode();
    }

    private void open(Uri uri) {
        status.setText(R.string.loading);
        edit(() -> studio.openPhoto(uri));
    }

    private void edit(Runnable command) {
        studio.edits.command(command);
    }

    @Override
    public void click(float row, float column, boolean positive) {
        studio.edits.tap(() -> studio.requirePhoto().current().click(row, column, positive));
    }

    @Override
    public void move(int index, float row, float column) {
        studio.edits.tap(() -> studio.requirePhoto().current().move(index, row, column));
    }

    @Override
    public void remove(int index) {
        edit(() -> studio.requirePhoto().current().remove(index));
    }

    @Override
    public void shown() {
        studio.show(new Studio.View(view.viewport, view.getHeight(), view.getWidth(), opacity.getProgress()));
    }

    @Override
    public void changed() {
        Studio.Scene scene = studio.scene;
        view.changed();
        findViewById(R.id.undo).setEnabled(scene.canUndo);
        findViewById(R.id.redo).setEnabled(scene.canRedo);
        if (reporting || deviceMode != null || scene.picture == null) return;
        String engine = getString(R.string.engine_line, scene.engine, scene.milliseconds, scene.networkMilliseconds);
        if (scene.fallback != null) engine = getString(R.string.engine_fallback, engine, scene.fallback);
        status.setText(engine + "\n"
                + getString(R.string.object_count, scene.object + 1, scene.objects, scene.clicks.size()));
    }

    @Override
    public void problem(String message) {
        Toast.makeText(this, message, Toast.LENGTH_LONG).show();
        status.setText(message);
    }

    private void menu(View anchor) {
        int[] items = {R.string.save_mask, R.string.save_cut_out, R.string.share, R.string.remove_object,
            R.string.engine, R.string.model, R.string.report, R.string.device_mode};
        Runnable[] actions = {() -> save(SAVE_MASK, "mask.png"), () -> save(SAVE_CUT_OUT, "cut-out.png"),
            this::share, () -> edit(() -> studio.requirePhoto().remove()), this::chooseEngine,
            () -> pick(MODEL, "*/*"), this::report, this::enterDeviceMode};
        String[] names = new String[items.length];
        for (int i = 0; i < items.length; i++) names[i] = getString(items[i]);
        new AlertDialog.Builder(this).setItems(names, (dialog, which) -> actions[which].run()).show();
    }

    private void chooseEngine() {
        Engine.Choice[] choices = Engine.Choice.values();
        String[] names = new String[choices.length];
        for (int i = 0; i < choices.length; i++) names[i] = choices[i].name();
        new AlertDialog.Builder(this).setTitle(R.string.engine)
                .setSingleChoiceItems(names, studio.choice().ordinal(), (dialog, which) -> {
                    dialog.dismiss();
                    status.setText(R.string.loading);
                    edit(() -> studio.choose(choices[which]));
                }).show();
    }

    private void pick(int request, String type) {
        start(new Intent(Intent.ACTION_OPEN_DOCUMENT).addCategory(Intent.CATEGORY_OPENABLE).setType(type), request);
    }

    private void takePhoto() {
        Intent intent = new Intent(MediaStore.ACTION_IMAGE_CAPTURE);
        intent.putExtra(MediaStore.EXTRA_OUTPUT, CacheProvider.uri(CacheProvider.PHOTO));
        intent.setClipData(android.content.ClipData.newRawUri(null, CacheProvider.uri(CacheProvider.PHOTO)));
        intent.addFlags(Intent.FLAG_GRANT_WRITE_URI_PERMISSION | Intent.FLAG_GRANT_READ_URI_PERMISSION);
        start(intent, CAMERA);
    }

    private void save(int request, String name) {
        if (!studio.hasPhoto()) problem(getString(R.string.no_photo));
        else start(new Intent(Intent.ACTION_CREATE_DOCUMENT).addCategory(Intent.CATEGORY_OPENABLE)
                .setType("image/png").putExtra(Intent.EXTRA_TITLE, name), request);
    }

    private void start(Intent intent, int request) {
        try {
            startActivityForResult(intent, request);
        } catch (ActivityNotFoundException error) {
            problem(getString(R.string.no_camera));
        }
    }

    @Override
    protected void onActivityResult(int request, int result, Intent data) {
        if (result != RESULT_OK) return;
        Uri uri = data == null ? null : data.getData();
        if (request == CAMERA) open(CacheProvider.uri(CacheProvider.PHOTO));
        else if (uri == null) return;
        else if (request == OPEN) open(uri);
        else if (request == MODEL) edit(() -> studio.openModel(uri));
        else edit(() -> {
            studio.save(uri, request == SAVE_CUT_OUT);
            runOnUiThread(() -> Toast.makeText(this, R.string.saved, Toast.LENGTH_SHORT).show());
        });
    }

    private void share() {
        edit(() -> {
            try (FileOutputStream out = new FileOutputStream(CacheProvider.file(this, CacheProvider.RESULT))) {
                studio.write(out, true);
            } catch (IOException error) {
                throw new RitmEdgeException.Photo("The cut-out cannot be written (" + error.getMessage() + ").");
            }
            Uri uri = CacheProvider.uri(CacheProvider.RESULT);
            Intent send = new Intent(Intent.ACTION_SEND).setType("image/png").putExtra(Intent.EXTRA_STREAM, uri)
                    .addFlags(Intent.FLAG_GRANT_READ_URI_PERMISSION);
            send.setClipData(android.content.ClipData.newRawUri(null, uri));
            runOnUiThread(() -> startActivity(Intent.createChooser(send, null)));
        });
    }

    private void report() {
        if (reporting) return;
        reporting = true;
        getWindow().addFlags(WindowManager.LayoutParams.FLAG_KEEP_SCREEN_ON);
        edit(() -> {
            String said;
            try {
                studio.release();
                said = getString(R.string.report_saved, new ReportMode(this, this::progress).run());
            } catch (RuntimeException error) {
                said = studio.said(error);
            }
            progress(said);
            runOnUiThread(() -> {
                reporting = false;
                getWindow().clearFlags(WindowManager.LayoutParams.FLAG_KEEP_SCREEN_ON);
            });
        });
    }

    private void progress(String what) {
        runOnUiThread(() -> status.setText(what));
    }

    private void enterDeviceMode() {
        if (deviceMode != null) return;
        deviceMode = new DeviceMode(this, this::progress);
        getWindow().addFlags(WindowManager.LayoutParams.FLAG_KEEP_SCREEN_ON);
        new AlertDialog.Builder(this).setMessage(R.string.device_mode_on)
                .setOnDismissListener(dialog -> leaveDeviceMode()).show();
    }

    private void leaveDeviceMode() {
        if (deviceMode != null) deviceMode.close();
        deviceMode = null;
        changed();
        getWindow().clearFlags(WindowManager.LayoutParams.FLAG_KEEP_SCREEN_ON);
    }
}
