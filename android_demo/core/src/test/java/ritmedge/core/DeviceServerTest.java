package ritmedge.core;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The wire of docs/device-protocol.md, byte by byte. */
class DeviceServerTest {
    private static final int SIDE = 4 * 5;
    @TempDir
    private Path folder;
    private final List<Map<String, ByteBuffer>> seen = new ArrayList<>();

    private static byte[] message(String head, byte[]... tensors) {
        ByteArrayOutputStream body = new ByteArrayOutputStream();
        for (byte[] each : tensors) body.writeBytes(each);
        byte[] text = head.getBytes(StandardCharsets.UTF_8);
        ByteBuffer all = ByteBuffer.allocate(16 + text.length + body.size()).order(ByteOrder.LITTLE_ENDIAN);
        all.put("RITM".getBytes(StandardCharsets.US_ASCII)).putInt(1).putInt(text.length).putInt(body.size());
        return all.put(text).put(body.toByteArray()).array();
    }

    private static String tensor(String name, String type, String shape) {
        return "{\"name\": \"" + name + "\", \"type\": \"" + type + "\", \"shape\": " + shape + "}";
    }

    private static byte[] floats(int count, int seed) {
        ByteBuffer values = ByteBuffer.allocate(4 * count).order(ByteOrder.LITTLE_ENDIAN);
        Random random = new Random(seed);
        while (values.hasRemaining()) values.putFloat(random.nextFloat());
        return values.array();
    }

    private DeviceServer server() {
        return new DeviceServer(new DeviceServer.Device() {
            @Override
            public String name() {
                return "made, \"quoted\"";
            }

            @Override
            public Report.Opened open(File file, ModelFile model, int threads) {
                return new Report.Opened(new MadeGraphs() {
                    @Override
                    public void run(String graph, Map<String, ByteBuffer> in, Map<String, ByteBuffer> out) {
                        seen.add(in);
                        Buffers.copy(in.get("prev_mask"), out.get("mask"));
                    }
                }, threads == 3 ? "no GPU" : null);
            }

            @Override
            public long peakMemoryBytes() {
                return 77;
            }
        }, folder.toFile());
    }

    /** Heads and bodies of the answers to these messages. */
    private List<Map.Entry<Map<String, Object>, byte[]>> ask(byte[]... requests) throws IOException {
        ByteArrayOutputStream in = new ByteArrayOutputStream(), out = new ByteArrayOutputStream();
        for (byte[] each : requests) in.writeBytes(each);
        server().serve(new ByteArrayInputStream(in.toByteArray()), out);
        ByteBuffer answers = ByteBuffer.wrap(out.toByteArray()).order(ByteOrder.LITTLE_ENDIAN);
        List<Map.Entry<Map<String, Object>, byte[]>> found = new ArrayList<>();
        while (answers.hasRemaining()) {
            assertEquals(0x4D544952, answers.getInt());
            assertEquals(1, answers.getInt());
            byte[] head = new byte[answers.getInt()], body = new byte[answers.getInt()];
            assertEquals(0, head.length % 4);
            answers.get(head).get(body);
            found.add(Map.entry(Json.object(Json.parse(new String(head, StandardCharsets.UTF_8)), "head"), body));
        }
        return found;
    }

    private static byte[] put(byte[] model, String sha256) {
        return message("{\"do\": \"put\", \"id\": 1, \"sha256\": \"" + sha256 + "\", \"suffix\": \".tflite\", \"tensors\": ["
                + tensor("file", "uint8", "[" + model.length + "]") + "]}", model);
    }

    private static byte[] open(String sha256, String threads) {
        return message("{\"do\": \"open\", \"id\": 2, \"sha256\": \"" + sha256
                + "\", \"suffix\": \".tflite\", \"threads\": " + threads + ", \"allow_changed\": false}");
    }

    private static byte[] run(String more, String tensors, byte[]... bodies) {
        return message("{\"do\": \"run\", \"id\": 3, \"model\": 1" + more + ", \"tensors\": [" + tensors + "]}", bodies);
    }

    private static final String IMAGE = tensor("image", "float32", "[1, 3, 4, 5]"),
            BYTES = tensor("image", "uint8", "[1, 3, 4, 5]"), CLICKS = tensor("clicks", "float32", "[1, 6, 3]"),
            MASK = tensor("prev_mask", "float32", "[1, 1, 4, 5]");

    @Test
    void aModelIsSentOpenedAndRun() throws IOException {
        byte[] model = new MadeModel().bytes();
        String sha256 = ModelFile.sha256(ByteBuffer.wrap(model));
        byte[] image = floats(3 * SIDE, 1), clicks = floats(18, 2), mask = floats(SIDE, 3), bytes = new byte[3 * SIDE];
        for (int i = 0; i < bytes.length; i++) bytes[i] = (byte) (200 + i);
        List<Map.Entry<Map<String, Object>, byte[]>> found = ask(
                message("{\"do\": \"hello\", \"id\": 0}"), open(sha256, "null"), put(model, sha256), open(sha256, "3"),
                run("", IMAGE + "," + CLICKS + "," + MASK, image, clicks, mask),
                run(", \"image\": 8", CLICKS, clicks), run(", \"image\": 8", BYTES + "," + CLICKS, bytes, clicks),
                run(", \"image\": 8", CLICKS, clicks), message("{\"do\": \"memory\", \"id\": 4}"),
                message("{\"do\": \"close\", \"id\": 5, \"model\": 1}"), run("", IMAGE + "," + CLICKS, image, clicks));
        assertEquals("made, \"quoted\"", found.get(0).getKey().get("device"));
        assertEquals(List.of(".tflite"), found.get(0).getKey().get("suffixes"));
        assertEquals(true, found.get(1).getKey().get("missing"));
        Map<String, Object> opened = found.get(3).getKey();
        assertEquals(List.of(1.0, "tflite", 3.0, "no GPU"), List.of(opened.get("model"), opened.get("runtime"),
                opened.get("threads"), opened.get("fallback")));
        assertArrayEquals(mask, found.get(4).getValue());
        assertEquals(3.0, found.get(4).getKey().get("id"));
        assertEquals(true, found.get(5).getKey().get("missing"));
        assertArrayEquals(new byte[4 * SIDE], found.get(7).getValue()); // prev_mask was left out: zeros
        assertEquals(77.0, found.get(8).getKey().get("bytes"));
        assertEquals("UsageError", found.get(10).getKey().get("error"));
        assertEquals(3, seen.size());
        ByteBuffer last = seen.get(2).get("image"); // the kept bytes, channels last
        for (int c = 0; c < 3; c++)
            for (int i = 0; i < SIDE; i++)
                assertEquals(bytes[c * SIDE + i] & 255, last.getFloat(4 * (3 * i + c)));
    }

    @Test
    void whatCannotBeAnsweredIsAnErrorAndTheNextRequestIsAnswered() throws IOException {
        byte[] model = new MadeModel().bytes(), broken = model.clone();
        broken[broken.length - 9] ^= 1;
        String sha256 = ModelFile.sha256(ByteBuffer.wrap(model)), other = ModelFile.sha256(ByteBuffer.wrap(broken));
        byte[] image = floats(3 * SIDE, 1), clicks = floats(18, 2);
        List<Map.Entry<Map<String, Object>, byte[]>> found = ask(
                message("{\"do\": \"dance\", \"id\": 9}"), message("{\"id\": 9}"), put(model, other),
                message("{\"do\": \"open\", \"sha256\": \"../../etc\", \"suffix\": \".tflite\"}"),
                put(broken, other), open(other, "null"), put(model, sha256), open(sha256, "null"),
                run("", CLICKS, clicks), run("", tensor("image", "float32", "[1, 3, 2, 5]") + "," + CLICKS,
                        floats(30, 1), clicks), run(", \"model\": 7", IMAGE + "," + CLICKS, image, clicks),
                message("{\"do\": \"memory\", \"id\": 4}"));
        List<Object> errors = new ArrayList<>();
        for (Map.Entry<Map<String, Object>, byte[]> each : found)
            errors.add(String.valueOf(each.getKey().get("error")));
        assertEquals(List.of("UsageError", "UsageError", "ArtifactError", "UsageError", "null", "ArtifactError", "null",
                "null", "ShapeError", "ShapeError", "UsageError", "null"), errors);
    }

    @ParameterizedTest
    @ValueSource(strings = {"GET / HTTP/1.1\r\n\r\n", "RITM\2\0\0\0\0\0\0\0\0\0\0\0", "RITM\1\0\0\0\0\0\0\u007f\0\0\0\0",
        "RITM\1\0\0\0\2\0\0\0\0\0\0\u007f{}", "RITM\1\0\0\0\2\0\0\0\0\0\0\0{)", "RITM\1\0\0\0\2\0\0\0\1\0\0\0{}x",
        "RITM\1\0\0\0\4\0\0\0\0\0\0\0{}", "RITM\1\0\0\0\2\0\0\0\0\0\0\0[]"})
    void whatIsNoMessageEndsTheConnection(String text) {
        DeviceServer server = server();
        assertThrows(IOException.class, () -> server.serve(
                new ByteArrayInputStream(text.getBytes(StandardCharsets.ISO_8859_1)), new ByteArrayOutputStream()));
    }

    @Test
    void hugeShapesAreNoticedBeforeMemoryIsTaken() {
        String shape = "[1000000000, 1000000000, 1000000000]";
        byte[] huge = message("{\"do\": \"run\", \"tensors\": [" + tensor("image", "float32", shape) + "]}");
        assertThrows(IOException.class, () -> ask(huge));
        assertTrue(seen.isEmpty());
    }
}
