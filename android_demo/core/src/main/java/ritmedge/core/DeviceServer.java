package ritmedge.core;

import java.io.DataInputStream;
import java.io.EOFException;
import java.io.File;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The phone's side of docs/device-protocol.md: one connection, one request after the other. */
public final class DeviceServer {
    private static final int MAGIC = 0x4D544952; // "RITM", little-endian
    private static final int VERSION = 1, MOST_HEAD = 1 << 20, MOST_BODY = 1 << 30, MOST_IMAGES = 4;

    /** What the server needs of its device. */
    public interface Device {
        /** "Pixel 9, Android 16". */
        String name();

        /** Opens a file with so many threads, 0 for the device's choice. */
        Report.Opened open(File file, ModelFile model, int threads);

        /** Peak resident memory of this process so far; 0 where the system does not say. */
        long peakMemoryBytes();
    }

    /** A model and the buffers of its network. */
    private static final class Open {
        final ModelFile model;
        final Graphs graphs;
        final Map<String, ByteBuffer> inputs = new HashMap<>(), outputs = new HashMap<>();

        Open(ModelFile model, Graphs graphs) {
            this.model = model;
            this.graphs = graphs;
            for (String name : new String[] {"image", "clicks", "prev_mask"})
                if (model.previousMask || !name.equals("prev_mask"))
                    inputs.put(name, Buffers.allocate(model.bytes(Graphs.NETWORK, name)));
            outputs.put("mask", Buffers.allocate(model.bytes(Graphs.NETWORK, "mask")));
        }
    }

    /** What a message that brings a file or arrays has beside its head. */
    private static final class Message {
        final Map<String, Object> head = new LinkedHashMap<>();
        final Map<String, ByteBuffer> tensors = new LinkedHashMap<>();
        final Map<String, List<Object>> shapes = new HashMap<>();
    }

    private final Device device;
    private final File folder;
    private final Map<Integer, Open> opened = new HashMap<>();
    /** The last images that were sent, by their number. */
    private final Map<Integer, ByteBuffer> images = new LinkedHashMap<Integer, ByteBuffer>() {
        @Override
        protected boolean removeEldestEntry(Map.Entry<Integer, ByteBuffer> oldest) {
            return size() > MOST_IMAGES;
        }
    };
    private int count;

    /** @param folder that keeps the model files which are sent. */
    public DeviceServer(Device device, File folder) {
        this.device = device;
        this.folder = folder;
    }

    /** Serves until the other side leaves. @throws IOException it sends what is no message. */
    public void serve(InputStream in, OutputStream out) throws IOException {
        DataInputStream requests = new DataInputStream(in);
        try {
            for (Message request = read(requests); request != null; request = read(requests)) {
                Message answer = new Message();
                answer.head.put("id", request.head.get("id"));
                try {
                    answer(request, answer);
                } catch (RitmEdgeException error) {
                    answer.tensors.clear();
                    answer.head.put("error", error instanceof RitmEdgeException.Model ? "ArtifactError"
                            : error instanceof RitmEdgeException.Document ? "UsageError"
                            : error instanceof RitmEdgeException.Edit ? "ShapeError" : "DeviceError");
                    answer.head.put("message", error.getMessage());
                }
                write(out, answer);
            }
        } finally {
            for (Open each : opened.values()) each.graphs.close();
            opened.clear();
            images.clear();
        }
    }

    private void answer(Message request, Message answer) throws IOException {
        Map<String, Object> head = request.head, to = answer.head;
        String name = Json.as(String.class, head.get("do"), "do");
        if (name.equals("hello")) {
            to.put("device", device.name());
            List<Object> suffixes = new ArrayList<>();
            suffixes.add(".tflite");
            to.put("suffixes", suffixes);
        } else if (name.equals("put")) {
            put(request);
        } else if (name.equals("open")) {
            open(head, to);
        } else if (name.equals("run")) {
            run(request, answer);
        } else if (name.equals("close")) {
            openModel(head).graphs.close();
            opened.remove(((Double) head.get("model")).intValue());
        } else if (name.equals("memory")) {
            long bytes = device.peakMemoryBytes();
            to.put("bytes", bytes > 0 ? bytes : null);
        } else {
            throw new RitmEdgeException.Document("There is no request " + name + ": see docs/device-protocol.md.");
        }
    }

    private File kept(Map<String, Object> head) {
        String sha256 = Json.as(String.class, head.get("sha256"), "sha256");
        if (!sha256.matches("[0-9a-f]{64}") || !".tflite".equals(head.get("suffix")))
            throw new RitmEdgeException.Document("A file is named by its SHA-256 and the suffix .tflite.");
        return new File(folder, sha256 + ".tflite");
    }

    private void put(Message request) throws IOException {
        File file = kept(request.head), part = new File(folder, "arriving");
        ByteBuffer content = request.tensors.get("file");
        if (content == null || !(ModelFile.sha256(content) + ".tflite").equals(file.getName()))
            throw new RitmEdgeException.Model("The model file changed on its way: send it again.");
        try (FileOutputStream out = new FileOutputStream(part)) {
            Buffers.whole(content);
            while (content.hasRemaining()) out.getChannel().write(content);
        }
        if (!part.renameTo(file)) throw new RitmEdgeException.Model("The model file cannot be kept.");
    }

    private void open(Map<String, Object> head, Map<String, Object> answer) throws IOException {
        File file = kept(head);
        if (!file.exists()) {
            answer.put("missing", true);
            return;
        }
        int threads = head.get("threads") == null ? 0 : Json.whole(head.get("threads"), 1, 64, "threads");
        long before = System.nanoTime();
        ModelFile model;
        try (RandomAccessFile bytes = new RandomAccessFile(file, "r")) {
            model = ModelFile.readNetwork(bytes.getChannel().map(FileChannel.MapMode.READ_ONLY, 0, bytes.length()));
        }
        Report.Opened found = device.open(file, model, threads);
        opened.put(++count, new Open(model, found.graphs()));
        answer.put("model", count);
        answer.put("ms", (System.nanoTime() - before) / 1e6);
        answer.put("runtime", "tflite");
        answer.put("engine", found.graphs().description());
        answer.put("threads", threads == 0 ? null : threads);
        if (found.fallback() != null) answer.put("fallback", found.fallback());
    }

    private Open openModel(Map<String, Object> head) {
        Open found = opened.get(Json.whole(head.get("model"), 0, 1 << 30, "model"));
        if (found == null) throw new RitmEdgeException.Document("That model is not open: open it first.");
        return found;
    }

    private void run(Message request, Message answer) {
        Open open = openModel(request.head);
        int side = open.model.rows * open.model.columns;
        ByteBuffer image = request.tensors.get("image");
        if (request.head.get("image") != null) {
            int number = Json.whole(request.head.get("image"), 0, Integer.MAX_VALUE, "image");
            if (image != null) images.put(number, image);
            else image = images.get(number);
            if (image == null) {
                answer.head.put("missing", true);
                return;
            }
        }
        take(image, 3, open.inputs.get("image"), "image");
        take(request.tensors.get("clicks"), 1, open.inputs.get("clicks"), "clicks");
        ByteBuffer previous = open.inputs.get("prev_mask");
        if (previous != null && request.tensors.get("prev_mask") == null)
            for (int i = 0; i < previous.capacity(); i += 4) previous.putFloat(i, 0);
        else if (previous != null) take(request.tensors.get("prev_mask"), 1, previous, "prev_mask");
        long before = System.nanoTime();
        open.graphs.run(Graphs.NETWORK, open.inputs, open.outputs);
        answer.head.put("ms", (System.nanoTime() - before) / 1e6);
        ByteBuffer mask = open.outputs.get("mask"), values = ByteBuffer.allocate(4 * side).order(ByteOrder.LITTLE_ENDIAN);
        for (int i = 0; i < 4 * side; i += 4) values.putFloat(i, mask.getFloat(i));
        answer.tensors.put("mask", values);
        List<Object> shape = new ArrayList<>();
        for (int extent : new int[] {1, 1, open.model.rows, open.model.columns}) shape.add(extent);
        answer.shapes.put("mask", shape);
    }

    /** Arrays travel channel by channel; in a .tflite the channels of a pixel lie together. */
    private static void take(ByteBuffer from, int channels, ByteBuffer to, String name) {
        int values = to.capacity() / 4 / channels, bytes = from == null ? 0 : from.capacity() / values / channels;
        if (from == null || from.capacity() != bytes * values * channels || bytes != 4 && (bytes != 1 || channels != 3))
            throw new RitmEdgeException.Edit("The model takes " + values * channels + " numbers as " + name
                    + ": send the shape that it was exported for.");
        for (int c = 0; c < channels; c++)
            for (int i = 0; i < values; i++) {
                int at = c * values + i;
                to.putFloat(4 * (i * channels + c), bytes == 1 ? from.get(at) & 255 : from.getFloat(4 * at));
            }
    }

    /** The next message, or null where the other side left between two. */
    private static Message read(DataInputStream in) throws IOException {
        byte[] prologue = new byte[16];
        try {
            in.readFully(prologue);
        } catch (EOFException error) {
            return null;
        }
        ByteBuffer numbers = ByteBuffer.wrap(prologue).order(ByteOrder.LITTLE_ENDIAN);
        int headBytes = numbers.getInt(8), bodyBytes = numbers.getInt(12);
        if (numbers.getInt(0) != MAGIC || numbers.getInt(4) != VERSION)
            throw new IOException("the other side speaks no version " + VERSION + " of the protocol");
        if (headBytes < 0 || headBytes > MOST_HEAD || bodyBytes < 0 || bodyBytes > MOST_BODY)
            throw new IOException("the other side announces " + headBytes + " + " + bodyBytes + " bytes");
        byte[] text = new byte[headBytes];
        in.readFully(text);
        Message message = new Message();
        try {
            message.head.putAll(Json.object(Json.parse(new String(text, StandardCharsets.UTF_8)), "head"));
            Object tensors = message.head.remove("tensors");
            int left = bodyBytes;
            if (tensors != null)
                for (Object each : Json.list(tensors, "tensors")) {
                    Map<String, Object> entry = Json.object(each, "tensor");
                    long bytes = "float32".equals(entry.get("type")) ? 4 : 1;
                    for (Object extent : Json.list(entry.get("shape"), "shape"))
                        bytes = Math.min(bytes * Json.whole(extent, 0, MOST_BODY, "shape"), MOST_BODY + 1L);
                    if (bytes > left) throw new IOException("the other side announces larger arrays than it sends");
                    left -= (int) bytes;
                    message.tensors.put(Json.as(String.class, entry.get("name"), "name"), body(in, (int) bytes));
                }
            if (left != 0) throw new IOException("the other side sends more than it announces");
        } catch (RitmEdgeException.Document error) {
            throw new IOException("the other side sends a head that cannot be read", error);
        }
        return message;
    }

    private static ByteBuffer body(DataInputStream in, int bytes) throws IOException {
        ByteBuffer body = Buffers.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
        byte[] part = new byte[Math.min(bytes, 1 << 16)];
        while (body.hasRemaining()) {
            int count = Math.min(part.length, body.remaining());
            in.readFully(part, 0, count);
            body.put(part, 0, count);
        }
        Buffers.whole(body);
        return body;
    }

    private static void write(OutputStream out, Message message) throws IOException {
        List<Object> described = new ArrayList<>();
        int bodyBytes = 0;
        for (Map.Entry<String, ByteBuffer> tensor : message.tensors.entrySet()) {
            Map<String, Object> entry = new LinkedHashMap<>();
            entry.put("name", tensor.getKey());
            entry.put("type", "float32");
            entry.put("shape", message.shapes.get(tensor.getKey()));
            described.add(entry);
            bodyBytes += tensor.getValue().capacity();
        }
        message.head.put("tensors", described);
        StringBuilder text = new StringBuilder(Json.write(message.head));
        byte[] head = text.toString().getBytes(StandardCharsets.UTF_8);
        int padding = -head.length & 3; // numbers of the body lie at multiples of their size
        ByteBuffer prologue = ByteBuffer.allocate(16).order(ByteOrder.LITTLE_ENDIAN);
        prologue.putInt(0, MAGIC).putInt(4, VERSION).putInt(8, head.length + padding).putInt(12, bodyBytes);
        out.write(prologue.array());
        out.write(head);
        out.write("   ".getBytes(StandardCharsets.US_ASCII), 0, padding);
        for (ByteBuffer tensor : message.tensors.values()) out.write(tensor.array());
        out.flush();
    }
}
