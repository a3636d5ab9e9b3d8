package ritmedge.core;

import java.io.Closeable;
import java.util.ArrayDeque;

/**
 * Runs edits one after the other on a thread of its own. Of taps that wait behind a running edit, only
 * the latest is kept; undo, redo and other commands all run, in order.
 */
public final class TapQueue implements Closeable {
    /** Told on the queue's thread; an app passes it on to its own. */
    public interface Listener {
        /** An edit ended; `error` is null where it succeeded. */
        void done(double milliseconds, RuntimeException error);
    }

    private static final class Entry {
        final Runnable edit;
        final boolean tap;
        boolean quiet;

        Entry(Runnable edit, boolean tap) {
            this.edit = edit;
            this.tap = tap;
        }
    }

    private final ArrayDeque<Entry> waiting = new ArrayDeque<>();
    private final Listener listener;
    private final Thread thread = new Thread(this::work, "edits");
    private Runnable refresh;
    private boolean closed;
    private int dropped;

    public TapQueue(Listener listener) {
        this.listener = listener;
        thread.setDaemon(true);
        thread.start();
    }

    /** A tap or a drag, which a later one replaces as long as it waits at the end of the queue. */
    public void tap(Runnable edit) {
        submit(new Entry(edit, true));
    }

    /** A command, which always runs. */
    public void command(Runnable edit) {
        submit(new Entry(edit, false));
    }

    /**
     * Work that only shows what is there, such as drawing masks for another part of the photo: run next,
     * and replaced by a later one. The listener hears of it only if it fails.
     */
    public synchronized void refresh(Runnable work) {
        refresh = work;
        notifyAll();
    }

    private synchronized void submit(Entry entry) {
        if (closed) return;
        if (entry.tap && !waiting.isEmpty() && waiting.peekLast().tap) {
            waiting.pollLast();
            dropped++;
        }
        waiting.add(entry);
        notifyAll();
    }

    /** How many taps were replaced so far. */
    public synchronized int dropped() {
        return dropped;
    }

    private synchronized Entry take() {
        while (waiting.isEmpty() && refresh == null && !closed) {
            try {
                wait();
            } catch (InterruptedException error) {
                return null;
            }
        }
        if (closed) return null;
        if (refresh == null) return waiting.poll();
        Entry entry = new Entry(refresh, true);
        refresh = null;
        entry.quiet = true;
        return entry;
    }

    private void work() {
        for (Entry entry = take(); entry != null; entry = take()) {
            long before = System.nanoTime();
            RuntimeException problem = null;
            try {
                entry.edit.run();
            } catch (RuntimeException error) {
                problem = error;
            } catch (OutOfMemoryError error) {
                problem = new RitmEdgeException.Memory(
                        "There was too little memory for that. Close other apps and try again.", error);
            }
            if (!entry.quiet || problem != null) listener.done((System.nanoTime() - before) / 1e6, problem);
        }
    }

    /** Drops what waits, and waits until what is running has ended. */
    @Override
    public void close() {
        synchronized (this) {
            closed = true;
            waiting.clear();
            notifyAll();
        }
        if (Thread.currentThread() == thread) return;
        try {
            thread.join();
        } catch (InterruptedException error) {
            Thread.currentThread().interrupt();
        }
    }
}
