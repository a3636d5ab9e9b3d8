package ritmedge.app;

import android.content.Context;
import android.net.LocalServerSocket;
import android.net.LocalSocket;
import java.io.BufferedOutputStream;
import java.io.Closeable;
import java.io.File;
import java.io.IOException;
import ritmedge.core.DeviceServer;
import ritmedge.core.ModelFile;
import ritmedge.core.Report;
import ritmedge.core.RitmEdgeException;
import ritmedge.engine.Engine;

/**
 * Serves `ritm-edge … --on adb` on a local socket, which no network reaches, while the screen shows so.
 *
 * Only adb, and root, may talk to it: another app could otherwise have files written here.
 */
final class DeviceMode implements DeviceServer.Device, Closeable {
    private static final String SOCKET = "ritm-edge";
    private static final int SHELL = 2000, ROOT = 0; // Android's user ids
    private final Context context;
    private final ReportMode.Progress progress;
    private volatile LocalServerSocket socket;
    private volatile LocalSocket connection;

    DeviceMode(Context context, ReportMode.Progress progress) {
        this.context = context;
        this.progress = progress;
        try {
            socket = new LocalServerSocket(SOCKET);
        } catch (IOException error) {
            progress.say(String.valueOf(error.getMessage()));
            return;
        }
        LocalServerSocket listening = socket;
        Thread thread = new Thread(() -> serve(listening), "device mode");
        thread.setDaemon(true);
        thread.start();
    }

    private void serve(LocalServerSocket listening) {
        while (socket == listening) {
            try (LocalSocket client = listening.accept()) {
                int user = client.getPeerCredentials().getUid();
                if (user != SHELL && user != ROOT) continue;
                connection = client;
                progress.say(context.getString(R.string.device_mode));
                new DeviceServer(this, context.getCacheDir())
                        .serve(client.getInputStream(), new BufferedOutputStream(client.getOutputStream()));
            } catch (IOException | RitmEdgeException error) {
                if (socket != null) progress.say(String.valueOf(error.getMessage()));
            }
        }
    }

    @Override
    public String name() {
        return Hardware.name();
    }

    @Override
    public Report.Opened open(File file, ModelFile model, int threads) {
        Engine.Choice choice = Studio.of(context).choice();
        Engine engine = Engine.open(file, model, context.getCacheDir(), choice, threads == 0 ? 4 : threads);
        return new Report.Opened(engine, engine.fallback);
    }

    @Override
    public long peakMemoryBytes() {
        return Hardware.peakMemoryBytes();
    }

    @Override
    public void close() {
        LocalServerSocket listening = socket;
        LocalSocket client = connection;
        socket = null;
        try {
            if (listening != null) listening.close();
            if (client != null) client.close();
        } catch (IOException error) {
            progress.say(String.valueOf(error.getMessage()));
        }
    }
}
