package ritmedge.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.File;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Exported .tflite files, run by LiteRT in a child process. */
@Tag("model")
class RealModelTest {
    /** A folder for each fit, with NAME.tflite and its golden traces in golden/. */
    private static final File FOLDER = new File(System.getProperty("ritmedge.models"));
    private static ModelFile model;
    private static ChildGraphs graphs;

    private static File modelOf(String fit) {
        return new File(FOLDER, fit).listFiles((folder, name) -> name.endsWith(".tflite"))[0];
    }

    private static ByteBuffer bytes(File file) throws IOException {
        return ByteBuffer.wrap(Files.readAllBytes(file.toPath()));
    }

    @BeforeAll
    static void open() throws IOException {
        model = ModelFile.read(bytes(modelOf("context")));
        graphs = new ChildGraphs(modelOf("context"));
    }

    @AfterAll
    static void close() {
        graphs.close();
    }

    private static byte[] golden(String fit, String name) throws IOException {
        return Files.readAllBytes(new File(new File(new File(FOLDER, fit), "golden"), name).toPath());
    }

    @ParameterizedTest
    @ValueSource(strings = {"context", "stretch", "letterbox"})
    void goldenTracesAreRepeated(String fit) throws IOException {
        ModelFile ofFit = ModelFile.read(bytes(modelOf(fit)));
        assertEquals(fit, ofFit.fit);
        try (Graphs child = new ChildGraphs(modelOf(fit))) {
            GoldenTraces.Result result = new GoldenTraces(name -> golden(fit, name)).replay(ofFit, child);
            System.out.println("golden traces, " + fit + ": " + Json.write(result.toMap()));
            assertEquals("[]", result.differing.toString());
            assertTrue(result.sessionPassed());
            assertTrue(result.networkPassed());
            assertEquals(6, result.traces); // one of them with flip, one with a mask
            assertTrue(result.pixels > 1_000_000);
        }
    }

    @Test
    void anotherFilesTracesAreRefused() {
        assertThrows(RitmEdgeException.Document.class,
                () -> new GoldenTraces(name -> golden("stretch", name)).replay(model, graphs));
    }

    @Test
    void aWrongCropIsNoticed() {
        GoldenTraces.Files changed = name -> {
            byte[] bytes = golden("context", name);
            if (!name.equals("traces.json")) return bytes;
            return new String(bytes, StandardCharsets.UTF_8).replaceAll("\"crop\": \\[\\s*56,", "\"crop\": [57,")
                    .getBytes(StandardCharsets.UTF_8);
        };
        GoldenTraces.Result result = new GoldenTraces(changed).replay(model, graphs);
        assertTrue(result.differing.toString().contains("crop"), result.differing.toString());
        assertFalse(result.sessionPassed());
    }

    @Test
    void theNetworkAloneGivesWhatTheWholeFileGives() throws IOException {
        File file = File.createTempFile("network", ".tflite");
        ByteBuffer alone = ModelFile.networkOnly(bytes(modelOf("context")));
        byte[] content = new byte[alone.capacity()];
        alone.get(content);
        Files.write(file.toPath(), content);
        try (ChildGraphs network = new ChildGraphs(file)) {
            assertEquals(new Agreement(0, 1), Agreement.between(model, network, graphs));
            assertThrows(RitmEdgeException.class, () -> {
                Session session = new Session(new SessionGraphs(model, network), new Photo(Photo.allocate(model), 9, 9), false);
                session.click(1, 1, true); // it has no prepare any more
            });
        } finally {
            Files.delete(file.toPath());
        }
    }

    @Test
    void theRealFileCutOffIsRefused() throws IOException {
        ByteBuffer whole = bytes(modelOf("context"));
        for (int part = 0; part < 16; part++) {
            whole.limit((int) ((long) whole.capacity() * part / 16));
            ByteBuffer cut = whole.slice();
            assertThrows(RitmEdgeException.Model.class, () -> ModelFile.read(cut), part + "/16");
        }
    }

    @Test
    void samplePhotoEndToEnd() throws IOException {
        ByteBuffer pixels = Photo.allocate(model);
        byte[] rgb = golden("context", "sample.rgb");
        pixels.put(rgb);
        int columns = 512, rows = rgb.length / 3 / columns;
        PhotoObjects objects = new PhotoObjects(new SessionGraphs(model, graphs), new Photo(pixels, rows, columns));
        objects.current().click(100, 225, true);
        objects.current().click(225, 225, false);
        Mask mask = new Mask(rows, columns);
        objects.current().maskAt(PhotoFit.positions(rows, rows), PhotoFit.positions(columns, columns), mask);
        int inside = 0;
        for (int i = 0; i < rows * columns; i++) inside += mask.values.get(i);
        assertTrue(mask.at(100, 225), "the first click is inside");
        assertTrue(inside > 1000 && inside < rows * columns / 2, inside + " pixels");
        assertEquals(4, objects.current().box().length);
    }

    @Test
    void agreesWithItself() {
        Agreement same = Agreement.between(model, graphs, graphs);
        assertEquals(new Agreement(0, 1), same);
        Graphs broken = new Graphs() {
            @Override
            public void run(String graph, Map<String, ByteBuffer> inputs, Map<String, ByteBuffer> outputs) {
                graphs.run(graph, inputs, outputs);
                ByteBuffer mask = outputs.get("mask");
                for (int i = 0; i < mask.capacity(); i += 4) mask.putFloat(i, Float.NaN);
            }

            @Override
            public String description() {
                return "overflowing";
            }

            @Override
            public void close() {}
        };
        assertTrue(!Agreement.between(model, broken, graphs).good());
    }
}
