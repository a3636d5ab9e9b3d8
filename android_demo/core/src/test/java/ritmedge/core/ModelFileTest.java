package ritmedge.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Map;
import java.util.Random;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class ModelFileTest {
    @Test
    void aWholeFileIsRead() {
        ModelFile model = MadeModel.read();
        assertEquals("made", model.name);
        assertEquals(5, model.columns);
        assertEquals(99, model.largestPhoto);
        assertEquals(4 * 18, model.bytes(Graphs.NETWORK, "clicks"));
        assertEquals(48, model.bytes(Graphs.FINISH, "mask"));
        assertEquals(null, model.safeInHalfPrecision);
    }

    private static Arguments refused(String words, Consumer<MadeModel> change) {
        return Arguments.of(words, change);
    }

    static Stream<Arguments> refusals() {
        return Stream.of(
                refused("version 2 of the graph's contract", m -> m.contract = 2),
                refused("version 0 of the graph's contract", m -> m.contract = 0),
                refused("not made by ritm-edge", m -> m.metadataKey = "somebody_else"),
                refused("no session graphs", m -> m.changes.put("session", null)),
                refused("no map as session", m -> m.changes.put("session", 3)),
                refused("no map as io", m -> m.changes.put("io", 3)),
                refused("height", m -> m.changes.put("io", Map.of("height", 1e9, "width", 4))),
                refused("no graph finish", m -> m.missingGraph = "finish"),
                refused("no graph begin", m -> m.missingGraph = "begin"),
                refused("graph network takes 61f as image", m -> m.wrongTensor = "image"),
                refused("as new_roi", m -> m.wrongTensor = "new_roi"),
                refused("as columns", m -> m.wrongTensor = "columns"),
                refused("changed after it was exported", m -> m.stamped = false));
    }

    @ParameterizedTest
    @MethodSource("refusals")
    void everyOtherFileIsRefusedInWords(String words, Consumer<MadeModel> change) {
        MadeModel made = new MadeModel();
        change.accept(made);
        String message = assertThrows(RitmEdgeException.Model.class, made::model).getMessage();
        assertTrue(message.contains(words), message);
    }

    @Test
    void foreignBytesAreRefused() {
        for (String text : new String[] {"", "TFL3", "hello world, this is text", "\u0018\0\0\0TFL3", "PK\3\4aaaaaaaa"})
            assertThrows(RitmEdgeException.Model.class,
                    () -> ModelFile.read(ByteBuffer.wrap(text.getBytes(StandardCharsets.ISO_8859_1))));
    }

    @Test
    void aFileCutOffAnywhereIsRefused() {
        byte[] bytes = new MadeModel().bytes();
        for (int length = 0; length < bytes.length - 1; length++) {
            ByteBuffer cut = ByteBuffer.wrap(Arrays.copyOf(bytes, length));
            assertThrows(RitmEdgeException.Model.class, () -> ModelFile.read(cut), length + " bytes");
        }
    }

    @Test
    void aChangedByteIsNoticedAndNothingElseIsThrown() {
        byte[] bytes = new MadeModel().bytes();
        Random random = new Random(1);
        for (int round = 0; round < 20_000; round++) {
            byte[] changed = bytes.clone();
            for (int i = 0; i <= round % 3; i++)
                changed[random.nextInt(bytes.length)] ^= (byte) (1 + random.nextInt(255));
            if (Arrays.equals(bytes, changed)) continue;
            assertThrows(RitmEdgeException.Model.class, () -> ModelFile.read(ByteBuffer.wrap(changed)));
        }
    }

    @Test
    void whatIsSaidOfHalfPrecisionIsKept() {
        MadeModel made = new MadeModel();
        made.changes.put("half_precision", Map.of("safe", false));
        assertEquals(false, made.model().safeInHalfPrecision);
    }
}
