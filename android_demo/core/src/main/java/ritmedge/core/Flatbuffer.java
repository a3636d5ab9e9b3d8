package ritmedge.core;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The parts of a TFLite flatbuffer that describe it. Every offset is one of an outsider: what leads
 * outside throws IndexOutOfBoundsException or IllegalArgumentException.
 */
final class Flatbuffer {
    private static final int MOST = 1 << 16; // entries of any list
    private static final int MOST_TEXT = 1 << 22;
    private static final int FLOAT32 = 0, UINT8 = 3; // TensorType of the TFLite schema

    /** Inputs and outputs by name. */
    static final class Signature {
        final Map<String, Tensor> inputs = new LinkedHashMap<>();
        final Map<String, Tensor> outputs = new LinkedHashMap<>();
    }

    static final class Tensor {
        final int type;
        final long count;

        Tensor(int type, long count) {
            this.type = type;
            this.count = count;
        }

        int bytes() {
            return (int) (type == FLOAT32 ? 4 * count : count);
        }

        /** Number of values, with f for float32 and u for uint8. */
        String values() {
            return count + (type == FLOAT32 ? "f" : type == UINT8 ? "u" : " values of type " + type);
        }
    }

    private final ByteBuffer bytes;
    private final int model;

    /** @param bytes of a whole file, little-endian. */
    Flatbuffer(ByteBuffer bytes) {
        this.bytes = bytes;
        model = follow(0);
    }

    /** The text of a metadata entry, or null. */
    String metadata(String key) {
        int buffers = field(model, 4), entries = field(model, 6);
        if (buffers == 0 || entries == 0) return null;
        int list = follow(entries);
        for (int i = 0; i < length(list); i++) {
            int entry = element(list, i);
            if (field(entry, 0) == 0 || !text(field(entry, 0)).equals(key)) continue;
            int number = field(entry, 1) == 0 ? 0 : bytes.getInt(field(entry, 1));
            int all = follow(buffers);
            if (number < 0 || number >= length(all)) throw new IndexOutOfBoundsException("buffer");
            int data = field(element(all, number), 0);
            return data == 0 ? null : text(data);
        }
        return null;
    }

    /** Signatures by their key. */
    Map<String, Signature> signatures() {
        Map<String, Signature> found = new LinkedHashMap<>();
        if (field(model, 7) == 0 || field(model, 2) == 0) return found;
        int list = follow(field(model, 7)), graphs = follow(field(model, 2));
        for (int i = 0; i < length(list); i++) {
            int entry = element(list, i);
            int number = field(entry, 4) == 0 ? 0 : bytes.getInt(field(entry, 4));
            if (number < 0 || number >= length(graphs)) throw new IndexOutOfBoundsException("graph");
            int tensors = field(element(graphs, number), 0);
            Signature signature = new Signature();
            collect(signature.inputs, field(entry, 0), tensors);
            collect(signature.outputs, field(entry, 1), tensors);
            if (field(entry, 2) != 0) found.put(text(field(entry, 2)), signature);
        }
        return found;
    }

    /**
     * The same file with its first graph and first signature alone, so that an accelerator does not
     * compile the others too. The bytes of the others stay where they are; nothing refers to them.
     *
     * @throws IllegalArgumentException the first signature is not the network's, on the first graph.
     */
    ByteBuffer firstGraphOnly(String key) {
        int list = follow(field(model, 7)), graphs = follow(field(model, 2)), first = element(list, 0);
        boolean fits = field(first, 2) != 0 && text(field(first, 2)).equals(key)
                && (field(first, 4) == 0 || bytes.getInt(field(first, 4)) == 0);
        if (!fits) throw new IllegalArgumentException("the network is not the file's first graph");
        ByteBuffer copy = Buffers.allocate(bytes.limit()).order(bytes.order());
        ByteBuffer whole = bytes.duplicate();
        Buffers.range(whole, 0, bytes.limit());
        copy.put(whole);
        copy.putInt(list, 1).putInt(graphs, 1);
        Buffers.whole(copy);
        return copy;
    }

    private void collect(Map<String, Tensor> into, int names, int tensors) {
        if (names == 0 || tensors == 0) return;
        int list = follow(names), all = follow(tensors);
        for (int i = 0; i < length(list); i++) {
            int entry = element(list, i);
            int number = field(entry, 1) == 0 ? 0 : bytes.getInt(field(entry, 1));
            if (number < 0 || number >= bytes.getInt(all)) throw new IndexOutOfBoundsException("tensor");
            int tensor = element(all, number);
            long count = 1;
            if (field(tensor, 0) != 0) {
                int shape = follow(field(tensor, 0));
                for (int axis = 0; axis < length(shape); axis++) {
                    int extent = bytes.getInt(shape + 4 + 4 * axis);
                    if (extent < 0 || (count *= extent) > Integer.MAX_VALUE / 4)
                        throw new IllegalArgumentException("a shape is too large");
                }
            }
            int type = field(tensor, 1) == 0 ? FLOAT32 : bytes.get(field(tensor, 1));
            if (field(entry, 0) != 0) into.put(text(field(entry, 0)), new Tensor(type, count));
        }
    }

    private int follow(int at) {
        return at + bytes.getInt(at); // a sum that wraps is negative and leads outside
    }

    private int element(int list, int index) {
        return follow(list + 4 + 4 * index);
    }

    private int length(int list) {
        int length = bytes.getInt(list);
        if (length < 0 || length > MOST) throw new IllegalArgumentException("a list is too long");
        return length;
    }

    /** Where a table's field is, or 0. */
    private int field(int table, int index) {
        int vtable = table - bytes.getInt(table);
        int entry = 4 + 2 * index;
        int offset = entry < bytes.getShort(vtable) ? bytes.getShort(vtable + entry) : 0;
        return offset == 0 ? 0 : table + offset;
    }

    private String text(int at) {
        int vector = follow(at);
        int length = bytes.getInt(vector);
        if (length < 0 || length > MOST_TEXT) throw new IllegalArgumentException("a text is too long");
        byte[] content = new byte[length];
        ByteBuffer from = bytes.duplicate();
        Buffers.range(from, vector + 4, vector + 4 + length);
        from.get(content);
        return new String(content, StandardCharsets.UTF_8);
    }
}
