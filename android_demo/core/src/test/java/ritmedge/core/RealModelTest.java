package ritmedge.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.File;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The exported .tflite, run by LiteRT in a child process. */
@Tag("model")
class RealModelTest {
    private static ModelFile model;
    private static ChildGraphs graphs;

    @BeforeAll
    static void open() throws IOException {
        model = ModelFile.read(ByteBuffer.wrap(Files.readAllBytes(ChildGraphs.MODEL.toPath())));
        graphs = new ChildGraphs();
    }

    @AfterAll
    static void close() {
        graphs.close();
    }

    private static byte[] golden(String name) throws IOException {
        return Files.readAllBytes(new File(ChildGraphs.GOLDEN, name).toPath());
    }

    @Test
    void goldenTracesAreRepeated() {
        GoldenTraces.Result result = new GoldenTraces(RealModelTest::golden).replay(model, graphs);
        System.out.println("golden traces: " + Json.write(result.toMap()));
        assertEquals("[]", result.differing.toString());
        assertTrue(result.sessionPassed());
        assertTrue(result.networkPassed());
        assertEquals(6, result.traces); // of the model's fit, one of them with flip, one with a mask
        assertTrue(result.pixels > 1_000_000);
    }

    @Test
    void samplePhotoEndToEnd() throws IOException {
        ByteBuffer pixels = Photo.allocate(model);
        byte[] rgb = golden("sample.rgb");
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
