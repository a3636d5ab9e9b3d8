package ritmedge.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class JsonTest {
    @ParameterizedTest
    @ValueSource(strings = {"{}", "[]", "null", "[1, -2.5, 1.0E-9, true, false, null]",
        "{\"a\": {\"b\": [\"\\u000a \\\" \\\\\"]}}"})
    void whatWasWrittenIsReadAgain(String text) {
        assertEquals(text, Json.write(Json.parse(text)));
    }

    @Test
    void escapesAndNumbersAreThoseOfTheStandard() {
        assertEquals("a\n\t/\u00e9", Json.parse(" \"a\\n\\t\\/\\u00e9\" "));
        assertEquals(-12.5e3, Json.parse("-12.5e3"));
        assertEquals("[null, 3]", Json.write(java.util.Arrays.asList(Double.NaN, 3f)));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "{", "[1,", "{\"a\"}", "{\"a\":}", "nul", "1 2", "\"\\x\"", "\"", "{a:1}",
        "\"\n\"", "[}", "--1", "\"\\u12g4\""})
    void whatIsNoJsonIsRefused(String text) {
        assertThrows(RitmEdgeException.Document.class, () -> Json.parse(text));
    }

    @Test
    void depthIsBounded() {
        assertThrows(RitmEdgeException.Document.class, () -> Json.parse("[".repeat(100_000)));
    }

    @Test
    void quantilesAreThoseOfNumPy() {
        double[] samples = {4, 1, 3, 2};
        assertEquals(2.5, Statistics.quantile(samples, 0.5));
        assertEquals(3.7, Statistics.quantile(samples, 0.9), 1e-12);
        assertEquals(4.0, Statistics.summary(samples).get("max_ms"));
    }
}
