package ritmedge.core;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/** What the first bytes of a file say, before a decoder is trusted with it. */
public final class PhotoFile {
    /** Enough for the EXIF entries that cameras write first. */
    public static final int HEAD_BYTES = 1 << 17;
    private static final int ORIENTATION = 0x0112;

    private PhotoFile() {}

    /**
     * The format of a photo.
     *
     * @param head the file's first bytes, or all of them.
     * @throws RitmEdgeException.Photo it is none that Android decodes; says what it looks like.
     */
    public static String format(byte[] head) {
        if (head.length == 0) throw new RitmEdgeException.Photo("The file is empty. Choose a photo.");
        if (starts(head, 0, "\u00ff\u00d8\u00ff")) return "JPEG";
        if (starts(head, 0, "\u0089PNG\r\n")) return "PNG";
        if (starts(head, 0, "RIFF") && starts(head, 8, "WEBP")) return "WebP";
        if (starts(head, 0, "GIF8")) return "GIF";
        if (starts(head, 0, "BM")) return "BMP";
        if (starts(head, 4, "ftyphe") || starts(head, 4, "ftypmif1") || starts(head, 4, "ftypmsf1"))
            return "HEIF";
        if (starts(head, 4, "ftypavif")) return "AVIF";
        boolean text = true;
        for (int i = 0; i < Math.min(head.length, 512); i++)
            text &= head[i] < 0 || head[i] >= 32 || "\t\r\n\f".indexOf(head[i]) >= 0;
        throw new RitmEdgeException.Photo("This is " + (text ? "a text file" : "no photo that can be read")
                + ". Choose a JPEG, PNG, WebP or HEIF photo.");
    }

    private static boolean starts(byte[] head, int at, String mark) {
        byte[] bytes = mark.getBytes(StandardCharsets.ISO_8859_1);
        if (head.length < at + bytes.length) return false;
        for (int i = 0; i < bytes.length; i++) if (head[at + i] != bytes[i]) return false;
        return true;
    }

    /** EXIF orientation 1 … 8 of a JPEG; 1 where it says nothing or nothing that can be read. */
    public static int orientation(byte[] head) {
        try {
            return starts(head, 0, "\u00ff\u00d8") ? jpegOrientation(ByteBuffer.wrap(head)) : 1;
        } catch (IndexOutOfBoundsException | IllegalArgumentException error) {
            return 1;
        }
    }

    private static int jpegOrientation(ByteBuffer bytes) {
        for (int at = 2; (bytes.get(at) & 255) == 0xff; ) {
            int marker = bytes.get(at + 1) & 255, length = bytes.getShort(at + 2) & 0xffff;
            if (marker == 0xda || length < 2) return 1;
            boolean exif = marker == 0xe1 && length >= 16 && bytes.getInt(at + 4) == 0x45786966;
            if (exif) return tiffOrientation(bytes, at + 10);
            at += 2 + length;
        }
        return 1;
    }

    private static int tiffOrientation(ByteBuffer all, int start) {
        ByteBuffer bytes = all.duplicate();
        Buffers.range(bytes, start, all.capacity());
        bytes = bytes.slice();
        bytes.order(bytes.getShort(0) == 0x4949 ? ByteOrder.LITTLE_ENDIAN : ByteOrder.BIG_ENDIAN);
        int directory = bytes.getInt(4);
        for (int i = 0; i < (bytes.getShort(directory) & 0xffff); i++) {
            int entry = directory + 2 + 12 * i;
            if ((bytes.getShort(entry) & 0xffff) != ORIENTATION) continue;
            int value = bytes.getShort(entry + 8) & 0xffff;
            return value >= 1 && value <= 8 ? value : 1;
        }
        return 1;
    }
}
