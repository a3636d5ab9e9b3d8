package ritmedge.core;

import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.Map;

/** How far two outputs of the network are apart. NaN anywhere counts as an infinite difference. */
public record Agreement(double maxAbs, double maskIou) {
    private static final float THRESHOLD = 0.49f;

    /** @param found float32 probabilities; `expected` likewise, as many. */
    public static Agreement of(ByteBuffer found, ByteBuffer expected) {
        double worst = 0;
        int both = 0, either = 0;
        for (int i = 0; i < expected.capacity(); i += 4) {
            float a = found.getFloat(i), b = expected.getFloat(i);
            double error = Math.abs(a - b);
            if (!(error <= worst)) worst = Double.isNaN(error) ? Double.POSITIVE_INFINITY : error;
            if (a > THRESHOLD && b > THRESHOLD) both++;
            if (a > THRESHOLD || b > THRESHOLD) either++;
        }
        return new Agreement(worst, either == 0 ? 1 : (double) both / either);
    }

    /**
     * Two engines on the same inputs: a made photo, two clicks and a made previous mask.
     *
     * An accelerator that overflows or computes in half precision shows it here, before it is used.
     */
    public static Agreement between(ModelFile model, Graphs accelerated, Graphs reference) {
        Map<String, ByteBuffer> inputs = inputs(model);
        ByteBuffer found = answer(model, accelerated, inputs), expected = answer(model, reference, inputs);
        return of(found, expected);
    }

    /** Whether masks stay the same: the limit of docs/verify.md for files below float32. */
    public boolean good() {
        return maskIou >= 0.98;
    }

    private static ByteBuffer answer(ModelFile model, Graphs graphs, Map<String, ByteBuffer> inputs) {
        Map<String, ByteBuffer> outputs = new HashMap<>();
        outputs.put("mask", Buffers.allocate(model.bytes(Graphs.NETWORK, "mask")));
        graphs.run(Graphs.NETWORK, inputs, outputs);
        return outputs.get("mask");
    }

    /** Inputs of the network by name: an object with an edge, clicked inside and outside. */
    static Map<String, ByteBuffer> inputs(ModelFile model) {
        Map<String, ByteBuffer> inputs = new HashMap<>();
        ByteBuffer image = Buffers.allocate(model.bytes(Graphs.NETWORK, "image"));
        ByteBuffer clicks = Buffers.allocate(model.bytes(Graphs.NETWORK, "clicks"));
        ByteBuffer previous = model.previousMask ? Buffers.allocate(model.bytes(Graphs.NETWORK, "prev_mask")) : null;
        int rows = model.rows, columns = model.columns;
        long noise = 1;
        for (int at = 0; at < rows * columns; at++) {
            double down = (double) (at / columns) / rows - 0.5, along = (double) (at % columns) / columns - 0.5;
            boolean inside = down * down + along * along < 0.08;
            for (int c = 0; c < 3; c++) {
                noise = noise * 6364136223846793005L + 1442695040888963407L;
                int value = (inside ? 190 - 50 * c : 60 + 40 * c) + (int) (noise >>> 59);
                image.putFloat(12 * at + 4 * c, value);
            }
            if (previous != null) previous.putFloat(4 * at, inside && down < 0 ? 0.9f : 0.02f);
        }
        for (int i = 0; i < clicks.capacity(); i += 4) clicks.putFloat(i, -1);
        int negative = 12 * model.slots;
        clicks.putFloat(0, rows / 2f).putFloat(4, columns / 2f).putFloat(8, 0);
        clicks.putFloat(negative, 2).putFloat(negative + 4, columns - 3f).putFloat(negative + 8, 1);
        inputs.put("image", image);
        inputs.put("clicks", clicks);
        if (previous != null) inputs.put("prev_mask", previous);
        return inputs;
    }
}
