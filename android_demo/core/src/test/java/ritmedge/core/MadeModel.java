package ritmedge.core;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** A small .tflite of our form without operators: what it declares is real, nothing in it runs. */
final class MadeModel {
    int rows = 4, columns = 5, slots = 3, photo = 99, screenRows = 6, screenColumns = 8, contract = 1;
    boolean previousMask = true;
    String metadataKey = "ritm_edge";
    /** Changes of the description, by its top-level entry. */
    final Map<String, Object> changes = new LinkedHashMap<>();
    /** A tensor whose declared shape is another one. */
    String wrongTensor;
    String missingGraph;
    boolean stamped = true;

    static ModelFile read() {
        return new MadeModel().model();
    }

    ModelFile model() {
        return ModelFile.read(ByteBuffer.wrap(bytes()));
    }

    byte[] bytes() {
        Map<String, Object> info = new LinkedHashMap<>();
        info.put("contract", contract);
        info.put("content_sha256", "0".repeat(64));
        info.put("precision", "fp32");
        info.put("model", Map.of("name", "made"));
        info.put("io", Map.of("height", rows, "width", columns, "max_clicks", slots, "prev_mask", previousMask));
        info.put("session", Map.of("fit", "context", "threshold", 0.49, "expansion", 1.4, "min_crop", 200,
                "recompute_iou", 0.5, "largest_photo", photo, "screen_rows", screenRows,
                "screen_columns", screenColumns));
        info.putAll(changes);
        int side = rows * columns;
        List<Object> tensors = new ArrayList<>(), signatures = new ArrayList<>();
        String image = "image " + 3 * side + "f clicks " + 6 * slots + "f";
        String mask = previousMask ? " prev_mask " + side + "f" : "";
        String net = image.replace("image", "net_image").replace("clicks", "net_clicks")
                + mask.replace("prev", "net_prev");
        signature(signatures, tensors, "network", image + mask, "mask " + side + "f");
        signature(signatures, tensors, "prepare", "pixels " + 3 * photo + "u size 2f clicks " + 6 * slots
                + "f output " + side + "f placed 4f roi 4f", net + " new_placed 4f new_roi 4f");
        signature(signatures, tensors, "finish", "output " + side + "f placed 4f rows " + screenRows
                + "f columns " + screenColumns + "f", "mask " + screenRows * screenColumns + "u box 4f");
        signature(signatures, tensors, "mirror", image + mask, net);
        signature(signatures, tensors, "average", "straight " + side + "f mirrored " + side + "f",
                "output " + side + "f");
        if (previousMask)
            signature(signatures, tensors, "begin", "mask " + photo + "u size 2f box 4f",
                    "output " + side + "f new_placed 4f");
        Object[] graph = {tensors};
        List<Object> buffers = new ArrayList<>(List.of(new Object[] {null}, new Object[] {Json.write(info)}));
        List<Object> metadata = new ArrayList<>(List.of((Object) new Object[] {metadataKey, 1}));
        Object[] model = {3, null, new ArrayList<>(List.of((Object) graph)), null, buffers, null, metadata, signatures};
        Writer writer = new Writer();
        byte[] bytes = writer.file(model);
        return stamped ? stamp(bytes) : bytes;
    }

    private void signature(List<Object> into, List<Object> tensors, String graph, String inputs, String outputs) {
        if (graph.equals(missingGraph)) return;
        into.add(new Object[] {maps(inputs, tensors), maps(outputs, tensors), ModelFile.signature(graph), null, 0});
    }

    private List<Object> maps(String described, List<Object> tensors) {
        List<Object> maps = new ArrayList<>();
        String[] words = described.split(" ");
        for (int i = 0; i < words.length; i += 2) {
            String values = words[i + 1];
            int count = Integer.parseInt(values.substring(0, values.length() - 1));
            if (words[i].equals(wrongTensor)) count++;
            maps.add(new Object[] {words[i], tensors.size()});
            tensors.add(new Object[] {new int[] {1, count}, values.endsWith("u") ? 3 : null, 0, words[i]});
        }
        return maps;
    }

    private static byte[] stamp(byte[] bytes) {
        String text = new String(bytes, StandardCharsets.ISO_8859_1);
        int start = text.indexOf("0".repeat(64), text.lastIndexOf("\"content_sha256\""));
        ByteBuffer rest = ByteBuffer.allocate(bytes.length - 64);
        rest.put(bytes, 0, start).put(bytes, start + 64, bytes.length - start - 64).flip();
        byte[] digits = ModelFile.sha256(rest).getBytes(StandardCharsets.US_ASCII);
        System.arraycopy(digits, 0, bytes, start, 64);
        return bytes;
    }

    /** Tables (Object[]), vectors (List, int[]), strings and numbers as a flatbuffer. */
    private static final class Writer {
        private final ByteBuffer out = ByteBuffer.allocate(1 << 16).order(ByteOrder.LITTLE_ENDIAN);

        byte[] file(Object[] model) {
            out.putInt(0).putInt(0x334C4654);
            out.putInt(0, write(model));
            byte[] bytes = new byte[out.position()];
            out.flip().get(bytes);
            return bytes;
        }

        private int write(Object value) {
            while (out.position() % 4 != 0) out.put((byte) 0);
            if (value instanceof Object[] fields) return table(fields);
            int start = out.position();
            if (value instanceof String text) {
                byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
                out.putInt(bytes.length).put(bytes).put((byte) 0);
            } else if (value instanceof int[] numbers) {
                out.putInt(numbers.length);
                for (int number : numbers) out.putInt(number);
            } else {
                List<?> list = (List<?>) value;
                out.putInt(list.size());
                for (int i = 0; i < list.size(); i++) out.putInt(0);
                for (int i = 0; i < list.size(); i++) {
                    int at = start + 4 + 4 * i;
                    out.putInt(at, write(list.get(i)) - at);
                }
            }
            return start;
        }

        private int table(Object[] fields) {
            int vtable = out.position(), table = vtable + 4 + 2 * fields.length + fields.length % 2 * 2;
            out.putShort((short) (4 + 2 * fields.length)).putShort((short) (4 + 4 * fields.length));
            for (int i = 0; i < fields.length; i++)
                out.putShort((short) (fields[i] == null ? 0 : 4 + 4 * i));
            out.position(table);
            out.putInt(table - vtable);
            for (Object field : fields) out.putInt(field instanceof Integer number ? number : 0);
            for (int i = 0; i < fields.length; i++) {
                int at = table + 4 + 4 * i;
                if (fields[i] != null && !(fields[i] instanceof Integer)) out.putInt(at, write(fields[i]) - at);
            }
            return table;
        }
    }
}
