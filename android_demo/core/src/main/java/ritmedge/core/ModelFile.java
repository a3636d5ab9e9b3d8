package ritmedge.core;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * What a .tflite file of ritm-edge says about itself, and whether it is whole and fulfils the
 * contract; nothing is run for that, since an interpreter trusts the bytes that it gets.
 */
public final class ModelFile {
    private static final String KEY = "ritm_edge";
    private static final int CONTRACT = 1;
    private static final String CHECKSUM = "\"content_sha256\"";
    private static final int DIGITS = 64;
    /** Bounds against a description that would make an app allocate without end. */
    private static final int MOST_PIXELS = 1 << 25;
    private static final int MOST_SIDE = 1 << 13;
    private static final String AGAIN = " Export it again with ritm-edge export --target tflite --session.";

    /** The name of each graph's signature in the file. */
    public static String signature(String graph) {
        return graph.equals(Graphs.NETWORK) ? "serving_default" : graph;
    }

    public final String name;
    public final String precision;
    /** Rows and columns of the network's input. */
    public final int rows;
    public final int columns;
    /** Click slots of each sign. */
    public final int slots;
    public final boolean previousMask;
    /** The metadata entry `session`, or null; without it what follows is 0 or null. */
    public final Map<String, Object> session;
    public final float threshold;
    public final String fit;
    /** Pixels that `prepare` is declared for. */
    public final int largestPhoto;
    /** Rows and columns that `finish` is declared for. */
    public final int screenRows;
    public final int screenColumns;
    /** False where the file says that half precision gives other masks; null if it does not say. */
    public final Boolean safeInHalfPrecision;
    /** SHA-256 of the whole file. */
    public final String sha256;
    /** Inputs and outputs by signature and name. */
    final Map<String, Flatbuffer.Signature> signatures;

    /**
     * @param file the whole file, from 0 to its limit; it may be mapped.
     * @throws RitmEdgeException.Model it is foreign, damaged, cut off, or of another contract.
     */
    public static ModelFile read(ByteBuffer file) {
        ModelFile model = readNetwork(file);
        if (model.session == null)
            throw new RitmEdgeException.Model("The model has no session graphs." + AGAIN);
        return model;
    }

    /** As `read`, also for a file without session graphs, of which only the network can be run. */
    public static ModelFile readNetwork(ByteBuffer file) {
        ByteBuffer bytes = file.duplicate().order(ByteOrder.LITTLE_ENDIAN);
        if (bytes.limit() < 8 || bytes.getInt(4) != 0x334C4654) // "TFL3"
            throw new RitmEdgeException.Model("This is no TFLite file (" + bytes.limit()
                    + " bytes without its mark). Choose a .tflite made by ritm-edge export.");
        String text;
        Map<String, Flatbuffer.Signature> signatures;
        try {
            Flatbuffer model = new Flatbuffer(bytes);
            text = model.metadata(KEY);
            signatures = model.signatures();
        } catch (IndexOutOfBoundsException | IllegalArgumentException error) {
            throw new RitmEdgeException.Model(
                    "The model file is damaged or cut off. Copy or export it again.");
        }
        if (text == null)
            throw new RitmEdgeException.Model("The model was not made by ritm-edge." + AGAIN);
        requireUnchanged(bytes);
        try {
            return new ModelFile(Json.object(Json.parse(text), "metadata"), signatures, sha256(bytes));
        } catch (RitmEdgeException.Document error) {
            throw new RitmEdgeException.Model(
                    "The model's description cannot be used (" + error.getMessage() + ")." + AGAIN);
        }
    }

    /**
     * A file with the network alone, for an accelerator: a .tflite compiles whole or not at all.
     *
     * @param file as for `read`.
     * @throws RitmEdgeException.Model the network is not its first graph.
     */
    public static ByteBuffer networkOnly(ByteBuffer file) {
        ByteBuffer bytes = file.duplicate().order(ByteOrder.LITTLE_ENDIAN);
        try {
            return new Flatbuffer(bytes).firstGraphOnly(signature(Graphs.NETWORK));
        } catch (IndexOutOfBoundsException | IllegalArgumentException error) {
            throw new RitmEdgeException.Model("The network cannot be taken out of the model file." + AGAIN);
        }
    }

    private ModelFile(Map<String, Object> info, Map<String, Flatbuffer.Signature> signatures, String sha256) {
        Object contract = info.get("contract");
        if (!(contract instanceof Double) || (Double) contract < 1 || (Double) contract > CONTRACT)
            throw new RitmEdgeException.Model("The model follows version " + Json.write(contract)
                    + " of the graph's contract and this app knows version " + CONTRACT
                    + ". Use an app and a model of the same ritm-edge version.");
        Map<String, Object> io = Json.object(info.get("io"), "io");
        session = info.get("session") == null ? null : Json.object(info.get("session"), "session");
        Object model = info.get("model");
        name = model instanceof Map ? String.valueOf(((Map<?, ?>) model).get("name")) : "model";
        precision = String.valueOf(info.get("precision"));
        rows = Json.whole(io.get("height"), 1, MOST_SIDE, "height");
        columns = Json.whole(io.get("width"), 1, MOST_SIDE, "width");
        slots = Json.whole(io.get("max_clicks"), 1, 1024, "max_clicks");
        previousMask = Json.as(Boolean.class, io.get("prev_mask"), "prev_mask");
        if (session == null) {
            threshold = largestPhoto = screenRows = screenColumns = 0;
            fit = null;
        } else {
            threshold = Json.as(Double.class, session.get("threshold"), "threshold").floatValue();
            if (!(threshold > 0 && threshold < 1))
                throw new RitmEdgeException.Model("The model's threshold is " + threshold + "." + AGAIN);
            fit = Json.as(String.class, session.get("fit"), "fit");
            largestPhoto = Json.whole(session.get("largest_photo"), 1, MOST_PIXELS, "largest_photo");
            screenRows = Json.whole(session.get("screen_rows"), 1, MOST_SIDE, "screen_rows");
            screenColumns = Json.whole(session.get("screen_columns"), 1, MOST_SIDE, "screen_columns");
        }
        safeInHalfPrecision = halfPrecision(info.get("half_precision"));
        this.sha256 = sha256;
        this.signatures = signatures;
        requireTensors();
    }

    private static Boolean halfPrecision(Object entry) {
        Object safe = entry instanceof Map ? ((Map<?, ?>) entry).get("safe") : entry;
        return safe instanceof Boolean ? (Boolean) safe : null;
    }

    /** Bytes of an input or output of a graph. */
    public int bytes(String graph, String tensor) {
        Flatbuffer.Signature found = signatures.get(signature(graph));
        Flatbuffer.Tensor each = found.inputs.get(tensor);
        return (each == null ? found.outputs.get(tensor) : each).bytes();
    }

    /** Whether the file has a graph; `mirror` and `average` serve flip averaging. */
    public boolean has(String graph) {
        return signatures.containsKey(signature(graph));
    }

    private void requireTensors() {
        int side = rows * columns;
        String image = "image " + 3 * side + "f", clicks = "clicks " + 6 * slots + "f";
        String mask = previousMask ? " prev_mask " + side + "f" : "";
        String four = " 4f";
        require(Graphs.NETWORK, image + " " + clicks + mask, "mask " + side + "f");
        if (session == null) return;
        require(Graphs.PREPARE, "pixels " + 3 * largestPhoto + "u size 2f " + clicks + " output " + side
                + "f placed" + four + " roi" + four, "net_" + image + " net_" + clicks
                + mask.replace(" prev", " net_prev") + " new_placed" + four + " new_roi" + four);
        require(Graphs.FINISH, "output " + side + "f placed" + four + " rows " + screenRows + "f columns "
                + screenColumns + "f", "mask " + screenRows * screenColumns + "u box" + four);
        if (previousMask)
            require(Graphs.BEGIN, "mask " + largestPhoto + "u size 2f box" + four,
                    "output " + side + "f new_placed" + four);
    }

    /** @param inputs pairs of name, and number of values with f (float32) or u (uint8). */
    private void require(String graph, String inputs, String outputs) {
        Flatbuffer.Signature found = signatures.get(signature(graph));
        if (found == null)
            throw new RitmEdgeException.Model("The model has no graph " + graph + "." + AGAIN);
        compare(graph, "takes", found.inputs, inputs);
        compare(graph, "gives", found.outputs, outputs);
    }

    private static void compare(
            String graph, String does, Map<String, Flatbuffer.Tensor> found, String expected) {
        Map<String, String> wanted = new LinkedHashMap<>();
        String[] words = expected.split(" ");
        for (int i = 0; i < words.length; i += 2) wanted.put(words[i], words[i + 1]);
        for (Map.Entry<String, Flatbuffer.Tensor> entry : found.entrySet()) {
            String wants = wanted.remove(entry.getKey());
            if (!entry.getValue().values().equals(wants))
                throw new RitmEdgeException.Model("The model's graph " + graph + " " + does + " "
                        + entry.getValue().values() + " as " + entry.getKey()
                        + " and its description says " + wants + "." + AGAIN);
        }
        if (!wanted.isEmpty())
            throw new RitmEdgeException.Model("The model's graph " + graph + " " + does + " no "
                    + wanted.keySet().iterator().next() + "." + AGAIN);
    }

    /** The bytes without the last checksum's digits have the SHA-256 that the digits say. */
    private static void requireUnchanged(ByteBuffer bytes) {
        byte[] key = CHECKSUM.getBytes(StandardCharsets.US_ASCII);
        int start = -1;
        for (int at = bytes.limit() - key.length - DIGITS; at >= 0 && start < 0; at--)
            if (bytes.get(at) == '"' && matches(bytes, at, key)) start = at + key.length;
        while (start >= 0 && start < bytes.limit() && " :".indexOf(bytes.get(start)) >= 0) start++;
        if (start < 0 || start + DIGITS + 2 > bytes.limit() || bytes.get(start) != '"')
            throw new RitmEdgeException.Model("The model file has no checksum. Copy or export it again.");
        byte[] digits = new byte[DIGITS];
        for (int i = 0; i < DIGITS; i++) digits[i] = bytes.get(start + 1 + i);
        MessageDigest digest = digest();
        digest.update(range(bytes, 0, start + 1));
        digest.update(range(bytes, start + 1 + DIGITS, bytes.limit()));
        if (!hex(digest.digest()).equals(new String(digits, StandardCharsets.US_ASCII)))
            throw new RitmEdgeException.Model("The model file changed after it was exported, so its "
                    + "masks may be wrong. Copy or export it again.");
    }

    private static boolean matches(ByteBuffer bytes, int at, byte[] key) {
        for (int i = 0; i < key.length; i++) if (bytes.get(at + i) != key[i]) return false;
        return true;
    }

    /** SHA-256 of a buffer from 0 to its limit, in hexadecimal digits. */
    public static String sha256(ByteBuffer bytes) {
        MessageDigest digest = digest();
        digest.update(range(bytes, 0, bytes.limit()));
        return hex(digest.digest());
    }

    private static ByteBuffer range(ByteBuffer bytes, int from, int to) {
        ByteBuffer range = bytes.duplicate();
        Buffers.range(range, from, to);
        return range;
    }

    private static MessageDigest digest() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException error) {
            throw new AssertionError(error);
        }
    }

    private static String hex(byte[] bytes) {
        char[] digits = new char[2 * bytes.length];
        for (int i = 0; i < bytes.length; i++) {
            digits[2 * i] = Character.forDigit(bytes[i] >> 4 & 15, 16);
            digits[2 * i + 1] = Character.forDigit(bytes[i] & 15, 16);
        }
        return new String(digits);
    }
}
