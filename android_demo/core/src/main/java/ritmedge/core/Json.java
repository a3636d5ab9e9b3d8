package ritmedge.core;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** JSON as maps, lists, strings, doubles, booleans and null; the text may come from anybody. */
public final class Json {
    private static final int MOST_DEPTH = 64;
    private static final String HEX = "0123456789abcdef";
    private final String text;
    private int at;

    private Json(String text) {
        this.text = text;
    }

    /** @throws RitmEdgeException.Document the text is no JSON. */
    public static Object parse(String text) {
        Json json = new Json(text);
        Object value = json.value(0);
        json.skipSpace();
        if (json.at != text.length()) throw json.wrong("something behind the end");
        return value;
    }

    /** The value as that type. @throws RitmEdgeException.Document it is of another one. */
    public static <T> T as(Class<T> type, Object value, String name) {
        if (type.isInstance(value)) return type.cast(value);
        throw new RitmEdgeException.Document(
                "The document has no " + type.getSimpleName().toLowerCase(java.util.Locale.ROOT)
                        + " as " + name + ": make it again.");
    }

    @SuppressWarnings("unchecked")
    public static Map<String, Object> object(Object value, String name) {
        return as(Map.class, value, name);
    }

    @SuppressWarnings("unchecked")
    public static List<Object> list(Object value, String name) {
        return as(List.class, value, name);
    }

    /** A whole number from `least` to `most`. @throws RitmEdgeException.Document it is none. */
    public static int whole(Object value, int least, int most, String name) {
        double number = as(Double.class, value, name);
        if (number != Math.rint(number) || number < least || number > most)
            throw new RitmEdgeException.Document("The document has " + number + " as " + name
                    + " where a whole number from " + least + " to " + most + " is expected.");
        return (int) number;
    }

    /** Text of maps, iterables, float arrays, strings, numbers, booleans and null. */
    public static String write(Object value) {
        StringBuilder out = new StringBuilder();
        append(out, value);
        return out.toString();
    }

    private static void append(StringBuilder out, Object value) {
        if (value instanceof Map) {
            String separator = "{";
            for (Map.Entry<?, ?> entry : ((Map<?, ?>) value).entrySet()) {
                out.append(separator);
                quote(out, String.valueOf(entry.getKey()));
                out.append(": ");
                append(out, entry.getValue());
                separator = ", ";
            }
            out.append(separator.equals("{") ? "{}" : "}");
        } else if (value instanceof Iterable) {
            String separator = "[";
            for (Object each : (Iterable<?>) value) {
                out.append(separator);
                append(out, each);
                separator = ", ";
            }
            out.append(separator.equals("[") ? "[]" : "]");
        } else if (value instanceof CharSequence) {
            quote(out, value.toString());
        } else if (value instanceof Number && !isFinite((Number) value)) {
            out.append("null"); // JSON has no infinity
        } else if (value instanceof Float || value instanceof Double) {
            double number = ((Number) value).doubleValue();
            if (number == Math.rint(number) && Math.abs(number) < 1e15) out.append((long) number);
            else out.append(number);
        } else {
            out.append(value);
        }
    }

    private static boolean isFinite(Number number) {
        double value = number.doubleValue();
        return !Double.isNaN(value) && !Double.isInfinite(value);
    }

    private static void quote(StringBuilder out, String value) {
        out.append('"');
        for (int i = 0; i < value.length(); i++) {
            char c = value.charAt(i);
            if (c == '"' || c == '\\') out.append('\\').append(c);
            else if (c < 32) out.append("\\u00").append(HEX.charAt(c >> 4)).append(HEX.charAt(c & 15));
            else out.append(c);
        }
        out.append('"');
    }

    private Object value(int depth) {
        if (depth > MOST_DEPTH) throw wrong("too many levels");
        skipSpace();
        char c = peek();
        if (c == '{') return members(depth);
        if (c == '[') return elements(depth);
        if (c == '"') return string();
        if (word("true")) return Boolean.TRUE;
        if (word("false")) return Boolean.FALSE;
        if (word("null")) return null;
        return number();
    }

    private Map<String, Object> members(int depth) {
        Map<String, Object> map = new LinkedHashMap<>();
        at++;
        skipSpace();
        if (taken('}')) return map;
        do {
            skipSpace();
            if (peek() != '"') throw wrong("a name is missing");
            String name = string();
            skipSpace();
            if (!taken(':')) throw wrong("a colon is missing");
            map.put(name, value(depth + 1));
            skipSpace();
        } while (taken(','));
        if (!taken('}')) throw wrong("} is missing");
        return map;
    }

    private List<Object> elements(int depth) {
        List<Object> list = new ArrayList<>();
        at++;
        skipSpace();
        if (taken(']')) return list;
        do {
            list.add(value(depth + 1));
            skipSpace();
        } while (taken(','));
        if (!taken(']')) throw wrong("] is missing");
        return list;
    }

    private String string() {
        StringBuilder out = new StringBuilder();
        for (at++; peek() != '"'; at++) {
            char c = peek();
            if (c < 32) throw wrong("a control character in a string");
            if (c != '\\') {
                out.append(c);
                continue;
            }
            at++;
            int known = "\"\\/bfnrt".indexOf(peek());
            if (known >= 0) out.append("\"\\/\b\f\n\r\t".charAt(known));
            else if (peek() == 'u' && at + 4 < text.length()) {
                int code = 0;
                for (int i = 0; i < 4; i++) code = code << 4 | digit(text.charAt(++at));
                out.append((char) code);
            } else throw wrong("an unknown escape");
        }
        at++;
        return out.toString();
    }

    private int digit(char c) {
        int value = Character.digit(c, 16);
        if (value < 0) throw wrong("an unknown escape");
        return value;
    }

    private Double number() {
        int start = at;
        while (at < text.length() && "+-.eE0123456789".indexOf(text.charAt(at)) >= 0) at++;
        try {
            return Double.valueOf(text.substring(start, at));
        } catch (NumberFormatException error) {
            throw wrong("no value");
        }
    }

    private boolean word(String word) {
        if (!text.startsWith(word, at)) return false;
        at += word.length();
        return true;
    }

    private boolean taken(char c) {
        if (peek() != c) return false;
        at++;
        return true;
    }

    private char peek() {
        if (at >= text.length()) throw wrong("it ends too early");
        return text.charAt(at);
    }

    private void skipSpace() {
        while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) at++;
    }

    private RitmEdgeException wrong(String what) {
        return new RitmEdgeException.Document(
                "This is no JSON (" + what + " at character " + at + "): make the file again.");
    }
}
