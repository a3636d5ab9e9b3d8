package ritmedge.core;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class SessionTest {
    private static final int ROWS = 9, COLUMNS = 11;
    private static final List<Click> CLICKS =
            List.of(new Click(1, 2, true), new Click(8.5f, 10.25f, false), new Click(0, 0, true));
    private final MadeGraphs made = new MadeGraphs();

    private static Photo photo(ModelFile model) {
        ByteBuffer pixels = Photo.allocate(model);
        for (int i = 0; i < 3 * ROWS * COLUMNS; i++) pixels.put(i, (byte) (i * 37));
        return new Photo(pixels, ROWS, COLUMNS);
    }

    private Session fresh(boolean flip) {
        ModelFile model = MadeModel.read();
        return new Session(new SessionGraphs(model, made), photo(model), flip);
    }

    private Session clicked(List<Click> clicks, boolean flip) {
        Session session = fresh(flip);
        for (Click each : clicks) session.click(each.row(), each.column(), each.positive());
        return session;
    }

    /** Everything of a state as text. */
    private static String text(Session session) {
        State state = session.state();
        StringBuilder text = new StringBuilder(state.clicks.toString());
        for (ByteBuffer each : List.of(state.output, state.placed, state.roi))
            for (int i = 0; i < each.capacity(); i += 4) text.append(' ').append(each.getFloat(i));
        return text.toString();
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void removedClickIsAsIfNeverMade(boolean flip) {
        for (int index = 0; index < CLICKS.size(); index++) {
            Session session = clicked(CLICKS, flip);
            String before = text(session);
            session.remove(index);
            List<Click> others = new ArrayList<>(CLICKS);
            others.remove(index);
            String expected = text(clicked(others, flip));
            assertEquals(expected, text(session));
            session.undo();
            assertEquals(before, text(session));
            session.redo();
            assertEquals(expected, text(session));
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void movedClickIsAsIfMadeThere(boolean flip) {
        for (int index = 0; index < CLICKS.size(); index++) {
            Session session = clicked(CLICKS, flip);
            session.move(index, 4, 5);
            List<Click> there = new ArrayList<>(CLICKS);
            there.set(index, CLICKS.get(index).at(4, 5));
            assertEquals(text(clicked(there, flip)), text(session));
        }
    }

    @Test
    void randomEditsAreThoseOfASessionThatForgetsNothing() {
        Random random = new Random(22);
        for (int round = 0; round < 60; round++) {
            Session session = fresh(false);
            List<List<Click>> versions = new ArrayList<>(List.of(List.of()));
            int shown = 0;
            for (int step = 0; step < 25; step++) {
                List<Click> clicks = new ArrayList<>(versions.get(shown));
                int action = random.nextInt(5), index = clicks.isEmpty() ? 0 : random.nextInt(clicks.size());
                float row = random.nextInt(ROWS), column = random.nextInt(COLUMNS);
                if (action == 3 && session.canUndo()) {
                    session.undo();
                    shown--;
                } else if (action == 4 && session.canRedo()) {
                    session.redo();
                    shown++;
                } else {
                    if (action == 1 && !clicks.isEmpty()) clicks.remove(index);
                    else if (action == 2 && !clicks.isEmpty()) clicks.set(index, clicks.get(index).at(row, column));
                    else if (clicks.size() < 3) clicks.add(new Click(row, column, random.nextBoolean()));
                    else continue;
                    if (action == 1 && !versions.get(shown).isEmpty()) session.remove(index);
                    else if (action == 2 && !versions.get(shown).isEmpty()) session.move(index, row, column);
                    else session.click(row, column, clicks.get(clicks.size() - 1).positive());
                    versions.subList(shown + 1, versions.size()).clear();
                    versions.add(clicks);
                    shown++;
                }
                assertEquals(text(clicked(versions.get(shown), false)), text(session));
            }
        }
    }

    @Test
    void onlyClicksBehindAnEditedOneRunTheNetworkAgain() {
        Session session = clicked(CLICKS, false);
        assertEquals(3, networkRuns());
        session.move(1, 3, 3);
        assertEquals(2, networkRuns());
        session.undo();
        session.undo();
        session.redo();
        assertEquals(0, networkRuns());
        session.remove(1);
        assertEquals(1, networkRuns());
    }

    private long networkRuns() {
        long count = made.names.stream().filter(Graphs.NETWORK::equals).count();
        made.names.clear();
        return count;
    }

    @Test
    void everyRefusalLeavesTheSessionAsItWas() {
        Session session = clicked(CLICKS, false);
        State before = session.state();
        List<Executable> refused = List.of(() -> session.click(9, 0, true), () -> session.click(-0.1f, 0, true),
                () -> session.click(0, 11, true), () -> session.click(Float.NaN, 0, true),
                () -> session.move(0, 0, 99), () -> session.move(3, 0, 0), () -> session.remove(-1),
                session::redo, () -> session.setMask(new GivenMask(new byte[4], 2, 2)));
        for (Executable each : refused) assertThrows(RitmEdgeException.Edit.class, each);
        assertSame(before, session.state());
        session.click(2, 2, true);
        String message = assertThrows(RitmEdgeException.Edit.class, () -> session.click(3, 3, true)).getMessage();
        assertTrue(message.contains("takes 3 positive clicks"), message);
        assertEquals(4, session.clicks().size());
    }

    @Test
    void aFailingEngineChangesNothing() {
        Session session = clicked(CLICKS, false);
        String before = text(session);
        for (RuntimeException failure : List.of(new RitmEdgeException.Engine("lost", null),
                new RitmEdgeException.Memory("little", null))) {
            made.failure = failure;
            assertSame(failure, assertThrows(RuntimeException.class, () -> session.click(2, 2, true)));
            assertEquals(before, text(session));
        }
        made.failure = null;
        session.click(2, 2, true);
        assertEquals(4, session.clicks().size());
    }

    @Test
    void aNetworkThatOverflowsIsNoticed() {
        ModelFile model = MadeModel.read();
        for (float value : new float[] {Float.NaN, Float.POSITIVE_INFINITY, -3, 7}) {
            MadeGraphs broken = new MadeGraphs() {
                @Override
                public void run(String graph, java.util.Map<String, ByteBuffer> in,
                        java.util.Map<String, ByteBuffer> out) {
                    super.run(graph, in, out);
                    ByteBuffer mask = out.get("mask");
                    for (int i = 0; graph.equals(NETWORK) && i < mask.capacity(); i += 4) mask.putFloat(i, value);
                }
            };
            Session session = new Session(new SessionGraphs(model, broken), photo(model), false);
            assertThrows(RitmEdgeException.Engine.class, () -> session.click(1, 1, true));
            assertTrue(session.clicks().isEmpty());
        }
    }

    @Test
    void editsWhileOneIsAnsweredAreRefused() {
        ModelFile model = MadeModel.read();
        Session[] session = new Session[1];
        List<Throwable> refused = new ArrayList<>();
        MadeGraphs nested = new MadeGraphs() {
            @Override
            public void run(String graph, java.util.Map<String, ByteBuffer> in,
                    java.util.Map<String, ByteBuffer> out) {
                super.run(graph, in, out);
                if (graph.equals(NETWORK))
                    for (Executable each : List.<Executable>of(() -> session[0].click(1, 1, true),
                            () -> session[0].undo(), () -> session[0].reset()))
                        refused.add(assertThrows(RitmEdgeException.Edit.class, each));
            }
        };
        session[0] = new Session(new SessionGraphs(model, nested), photo(model), false);
        session[0].click(2, 2, true);
        assertEquals(3, refused.size());
        assertEquals(List.of(new Click(2, 2, true)), session[0].clicks());
    }

    @ParameterizedTest
    @CsvSource({"1,1", "2,3", "4,11", "9,4", "20,30", "9,11"})
    void aMaskInBlocksOfAnyScreenIsTheMaskInOnePiece(int screenRows, int screenColumns) {
        Mask[] masks = new Mask[2];
        for (int i = 0; i < 2; i++) {
            MadeModel made = new MadeModel();
            made.screenRows = i == 0 ? ROWS : screenRows;
            made.screenColumns = i == 0 ? COLUMNS : screenColumns;
            ModelFile model = made.model();
            Session session = new Session(new SessionGraphs(model, this.made), photo(model), false);
            for (Click each : CLICKS) session.click(each.row(), each.column(), each.positive());
            masks[i] = all(session);
        }
        byte[] whole = bytes(masks[0]);
        assertArrayEquals(whole, bytes(masks[1]));
        int inside = 0;
        for (byte each : whole) inside += each;
        assertTrue(inside > 0 && inside < whole.length);
    }

    private static Mask all(Session session) {
        Mask mask = new Mask(ROWS, COLUMNS);
        for (int i = 0; i < ROWS * COLUMNS; i++) mask.values.put(i, (byte) 9);
        session.maskAt(PhotoFit.positions(ROWS, ROWS), PhotoFit.positions(COLUMNS, COLUMNS), mask);
        return mask;
    }

    private static byte[] bytes(Mask mask) {
        byte[] bytes = new byte[mask.values.capacity()];
        mask.values.duplicate().clear().get(bytes);
        return bytes;
    }

    @Test
    void anExternalMaskIsShownUntilTheFirstClickAndAfterUndo() {
        Session session = fresh(false);
        byte[] values = new byte[ROWS * COLUMNS], expected = new byte[values.length];
        for (int at : new int[] {12, 13, 24, 25}) {
            values[at] = (byte) 255;
            expected[at] = 1;
        }
        session.setMask(new GivenMask(values, ROWS, COLUMNS));
        assertArrayEquals(expected, bytes(all(session)));
        session.click(1, 1, true);
        assertTrue(made.names.contains(Graphs.BEGIN));
        session.undo();
        assertArrayEquals(expected, bytes(all(session)));
        assertFalse(session.canUndo());
        session.reset();
        assertArrayEquals(new byte[values.length], bytes(all(session)));
        MadeModel without = new MadeModel();
        without.previousMask = false;
        ModelFile model = without.model();
        Session other = new Session(new SessionGraphs(model, made), photo(model), false);
        assertThrows(RitmEdgeException.Edit.class, () -> other.setMask(new GivenMask(values, ROWS, COLUMNS)));
        other.click(1, 1, true);
    }

    @Test
    void lowMemoryForgetsTheHistoryAndKeepsWhatIsShown() {
        Session session = clicked(CLICKS, false);
        session.move(0, 3, 3);
        String shown = text(session);
        session.forgetHistory();
        assertEquals(shown, text(session));
        assertFalse(session.canUndo() || session.canRedo());
        session.remove(2);
        session.undo();
        assertEquals(shown, text(session));
    }

    @Test
    void aLongSessionUsesItsBuffersAgain() {
        ModelFile model = MadeModel.read();
        SessionGraphs graphs = new SessionGraphs(model, made);
        Session session = new Session(graphs, photo(model), false);
        session.click(1, 1, true);
        java.util.Set<ByteBuffer> outputs = java.util.Collections.newSetFromMap(new java.util.IdentityHashMap<>());
        for (int i = 0; i < 500; i++) {
            session.move(0, i % ROWS, i % COLUMNS);
            outputs.add(session.state().output);
            if (i % 3 == 0) session.undo();
        }
        assertTrue(outputs.size() < 340, outputs.size() + " buffers for 500 edits"); // those of undone edits again
    }

    @Test
    void undoKeepsABoundedNumberOfOutputs() {
        MadeModel large = new MadeModel(); // an output of 1 MB: 64 of them are kept
        large.rows = large.columns = 512;
        ModelFile model = large.model();
        java.util.Set<ByteBuffer> outputs = java.util.Collections.newSetFromMap(new java.util.IdentityHashMap<>());
        Graphs recording = new MadeGraphs() {
            @Override
            public void run(String graph, java.util.Map<String, ByteBuffer> in,
                    java.util.Map<String, ByteBuffer> out) {
                if (graph.equals(NETWORK)) outputs.add(out.get("mask"));
            }
        };
        Session session = new Session(new SessionGraphs(model, recording), photo(model), false);
        for (Click each : CLICKS) session.click(each.row(), each.column(), each.positive());
        for (int i = 0; i < 200; i++) session.move(0, i % ROWS, i % COLUMNS); // three outputs each
        assertTrue(outputs.size() < 64 + 40, outputs.size() + " outputs");
        int undone = 0;
        for (; session.canUndo(); undone++) session.undo();
        assertTrue(undone >= 15 && undone < 30, undone + " versions");
        assertEquals(3, session.clicks().size());
    }

    @Test
    void anObjectIsEditedWithoutChangingTheOthers() throws Exception {
        ModelFile model = MadeModel.read();
        PhotoObjects objects = new PhotoObjects(new SessionGraphs(model, made), photo(model));
        objects.next();
        assertEquals(1, objects.count()); // an empty object is not left behind
        objects.current().click(1, 1, true);
        String first = text(objects.current());
        objects.next();
        objects.current().click(5, 5, true);
        objects.next();
        assertEquals(3, objects.count());
        assertEquals(first, text(objects.session(0)));
        java.io.ByteArrayOutputStream out = new java.io.ByteArrayOutputStream();
        objects.saveMask(out, ROWS, COLUMNS);
        java.awt.image.BufferedImage image =
                javax.imageio.ImageIO.read(new java.io.ByteArrayInputStream(out.toByteArray()));
        Mask one = all(objects.session(0)), two = all(objects.session(1));
        for (int row = 0; row < ROWS; row++)
            for (int column = 0; column < COLUMNS; column++)
                assertEquals(two.at(row, column) ? 2 : one.at(row, column) ? 1 : 0,
                        image.getRaster().getSample(column, row, 0));
        objects.next();
        objects.remove();
        assertEquals(2, objects.count());
        assertThrows(RitmEdgeException.Edit.class, () -> {
            for (int i = 0; i < 300; i++) objects.add();
        });
        assertEquals(255, objects.count());
    }

    @Test
    void aClickLogComesBack() {
        ModelFile model = MadeModel.read();
        Photo photo = photo(model);
        String text = ClickLog.write(model, photo, CLICKS);
        assertEquals(CLICKS, ClickLog.read(text, model, photo));
        MadeModel other = new MadeModel();
        other.changes.put("precision", "int8");
        for (Executable each : List.<Executable>of(() -> ClickLog.read("{}", model, photo),
                () -> ClickLog.read(text.replace("\"height\": 9", "\"height\": 8"), model, photo),
                () -> ClickLog.read(text, other.model(), photo), () -> ClickLog.read("no", model, photo)))
            assertThrows(RitmEdgeException.Document.class, each);
        Session session = fresh(false);
        session.replaceAll(ClickLog.read(text, model, photo));
        assertEquals(text(clicked(CLICKS, false)), text(session));
    }

    @Test
    void theArraysOfAViewAreMadeOnce() {
        Viewport view = new Viewport();
        view.resize(100, 80);
        view.show(50, 60);
        assertSame(view.rows(100, 1), view.rows(100, 1));
        assertEquals(Arrays.toString(view.rows(100, 1)), Arrays.toString(view.rows(100, 1)));
    }
}
