package ritmedge.core;

import java.io.IOException;
import java.io.OutputStream;
import java.util.ArrayList;
import java.util.List;

/** Several objects of one photo, each with a session of its own; one of them is edited. */
public final class PhotoObjects {
    private static final int MOST = 255; // ids of a label map of 8 bits
    private static final int BAND = 64; // rows that are saved at once
    public final Photo photo;
    private final SessionGraphs graphs;
    private final List<Session> sessions = new ArrayList<>();
    private int current;

    public PhotoObjects(SessionGraphs graphs, Photo photo) {
        this.graphs = graphs;
        this.photo = photo;
        sessions.add(new Session(graphs, photo, false));
    }

    public Session current() {
        return sessions.get(current);
    }

    public int currentIndex() {
        return current;
    }

    public int count() {
        return sessions.size();
    }

    public Session session(int index) {
        return sessions.get(index);
    }

    /** Goes to the next object; a new one behind the last, if that has clicks. */
    public void next() {
        if (current + 1 < sessions.size()) current++;
        else if (current().clicks().isEmpty()) current = 0;
        else add();
    }

    /** A new object behind the others, which is edited from now on. */
    public Session add() {
        if (sessions.size() == MOST)
            throw new RitmEdgeException.Edit("There are " + MOST
                    + " objects, as many as a label map holds: remove one.");
        sessions.add(new Session(graphs, photo, false));
        current = sessions.size() - 1;
        return current();
    }

    /** Forgets the object that is edited; those behind it move up. */
    public void remove() {
        sessions.remove(current).reset();
        if (sessions.isEmpty()) sessions.add(new Session(graphs, photo, false));
        current = Math.min(current, sessions.size() - 1);
    }

    /** Frees what only undo needs. */
    public void forgetHistory() {
        for (Session session : sessions) session.forgetHistory();
    }

    /**
     * Saves object ids as a grey PNG: 0 where there is none, later ones on top; with one object, 255.
     *
     * @param rows of the picture, whose pixels cover the photo; `columns` likewise.
     */
    public void saveMask(OutputStream out, int rows, int columns) throws IOException {
        save(out, rows, columns, Png.GREY);
    }

    /** Saves the photo with everything but the objects transparent. */
    public void saveCutOut(OutputStream out) throws IOException {
        save(out, photo.rows, photo.columns, Png.RGBA);
    }

    private void save(OutputStream out, int rows, int columns, int channels) throws IOException {
        float[] down = PhotoFit.positions(rows, photo.rows), along = PhotoFit.positions(columns, photo.columns);
        byte[] line = new byte[columns * channels];
        try (Png png = new Png(out, rows, columns, channels)) {
            Mask band = null;
            byte[] ids = new byte[BAND * columns];
            for (int top = 0; top < rows; top += BAND) {
                float[] part = java.util.Arrays.copyOfRange(down, top, Math.min(rows, top + BAND));
                if (band == null || band.rows != part.length) band = new Mask(part.length, columns);
                java.util.Arrays.fill(ids, (byte) 0);
                for (int index = 0; index < sessions.size(); index++) {
                    if (sessions.get(index).state().clicks.isEmpty()) continue;
                    sessions.get(index).maskAt(part, along, band);
                    for (int i = 0; i < part.length * columns; i++)
                        if (band.values.get(i) != 0) ids[i] = (byte) (index + 1);
                }
                for (int row = 0; row < part.length; row++) {
                    if (channels == Png.GREY) grey(ids, row * columns, line);
                    else colour(ids, row * columns, top + row, line);
                    png.row(line);
                }
            }
        }
    }

    private void grey(byte[] ids, int from, byte[] line) {
        for (int i = 0; i < line.length; i++)
            line[i] = ids[from + i] == 0 ? 0 : sessions.size() == 1 ? (byte) 255 : ids[from + i];
    }

    private void colour(byte[] ids, int from, int row, byte[] line) {
        for (int column = 0; column < photo.columns; column++) {
            int rgb = ids[from + column] == 0 ? 0 : photo.rgb(row, column);
            line[4 * column] = (byte) (rgb >> 16);
            line[4 * column + 1] = (byte) (rgb >> 8);
            line[4 * column + 2] = (byte) rgb;
            line[4 * column + 3] = (byte) (ids[from + column] == 0 ? 0 : 255);
        }
    }
}
