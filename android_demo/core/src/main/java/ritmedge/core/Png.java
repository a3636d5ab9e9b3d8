package ritmedge.core;

import java.io.Closeable;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.zip.CRC32;
import java.util.zip.Deflater;

/** Writes a PNG row by row, so that a mask of any photo needs little memory. */
public final class Png implements Closeable {
    public static final int GREY = 1;
    public static final int RGB = 3;
    public static final int RGBA = 4;
    private final OutputStream out;
    private final int rows;
    private final int rowBytes;
    private final Deflater deflater = new Deflater(6);
    private final byte[] chunk = new byte[1 << 15];
    private int written;

    /** @param channels GREY, RGB or RGBA, a byte each. The stream is not closed. */
    public Png(OutputStream out, int rows, int columns, int channels) throws IOException {
        this.out = out;
        this.rows = rows;
        rowBytes = columns * channels;
        out.write(new byte[] {(byte) 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'});
        byte[] head = new byte[13];
        for (int i = 0; i < 4; i++) {
            head[i] = (byte) (columns >>> 24 - 8 * i);
            head[4 + i] = (byte) (rows >>> 24 - 8 * i);
        }
        head[8] = 8;
        head[9] = (byte) (channels == GREY ? 0 : channels == RGB ? 2 : 6);
        write("IHDR", head, head.length);
    }

    public void row(byte[] values) throws IOException {
        if (written++ == rows) throw new IOException("more than " + rows + " rows");
        deflater.setInput(new byte[1]);
        drain();
        deflater.setInput(values, 0, rowBytes);
        drain();
    }

    private void drain() throws IOException {
        for (int count = deflater.deflate(chunk); count > 0; count = deflater.deflate(chunk))
            write("IDAT", chunk, count);
    }

    private void write(String type, byte[] content, int length) throws IOException {
        byte[] name = type.getBytes(StandardCharsets.US_ASCII);
        CRC32 crc = new CRC32();
        crc.update(name);
        crc.update(content, 0, length);
        number(length);
        out.write(name);
        out.write(content, 0, length);
        number((int) crc.getValue());
    }

    private void number(int value) throws IOException {
        for (int shift = 24; shift >= 0; shift -= 8) out.write(value >>> shift);
    }

    /** Ends the picture. @throws IOException rows are missing, so the file is of no use. */
    @Override
    public void close() throws IOException {
        try {
            if (written != rows) throw new IOException(written + " of " + rows + " rows were written");
            deflater.finish();
            drain();
            write("IEND", new byte[0], 0);
            out.flush();
        } finally {
            deflater.end();
        }
    }
}
