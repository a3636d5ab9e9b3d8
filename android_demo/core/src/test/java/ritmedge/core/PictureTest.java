package ritmedge.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Random;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Overlay, PNG, photos and the view. */
class PictureTest {
    @ParameterizedTest
    @CsvSource({"1,8,255", "1,16,0", "7,8,100", "40,64,128", "5,24,1"})
    void theOverlayIsThatOfEachPixelByItself(int rows, int columns, int opacity) {
        Random random = new Random(rows);
        Mask mask = new Mask(rows, columns);
        Overlay overlay = new Overlay(rows, columns);
        for (int share = 0; share <= 10; share++) {
            int inside = 0;
            for (int i = 0; i < rows * columns; i++) {
                mask.values.put(i, (byte) (random.nextInt(10) < share ? 1 : 0));
                inside += mask.values.get(i);
            }
            assertEquals(inside, overlay.draw(mask, opacity));
            for (int row = 0; row < rows; row++)
                for (int column = 0; column < columns; column++) {
                    boolean edge = row == 0 || row == rows - 1 || column == 0 || column == columns - 1
                            || !(mask.at(row - 1, column) && mask.at(row + 1, column)
                                    && mask.at(row, column - 1) && mask.at(row, column + 1));
                    int expected = !mask.at(row, column) ? 0 : edge ? 255 : opacity;
                    assertEquals(expected, overlay.alpha.get(row * columns + column) & 255);
                }
        }
        assertThrows(IllegalArgumentException.class, () -> overlay.draw(new Mask(rows, columns + 8), 0));
    }

    @ParameterizedTest
    @ValueSource(ints = {Png.GREY, Png.RGB, Png.RGBA})
    void aPngIsReadBackByAnotherReader(int channels) throws IOException {
        int rows = 70, columns = 333;
        byte[][] lines = new byte[rows][columns * channels];
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        Random random = new Random(3);
        try (Png png = new Png(out, rows, columns, channels)) {
            for (byte[] line : lines) {
                random.nextBytes(line);
                png.row(line);
            }
        }
        java.awt.image.Raster read = ImageIO.read(new ByteArrayInputStream(out.toByteArray())).getRaster();
        assertEquals(channels, read.getNumBands());
        for (int i = 0; i < rows * columns * channels; i++)
            assertEquals(lines[i / channels / columns][i % (columns * channels)] & 255,
                    read.getSample(i / channels % columns, i / channels / columns, i % channels));
    }

    @Test
    void aPngWithoutAllRowsIsAnError() {
        Png[] png = new Png[1];
        assertThrows(IOException.class, () -> {
            png[0] = new Png(new ByteArrayOutputStream(), 2, 1, Png.GREY);
            png[0].row(new byte[1]);
            png[0].close();
        });
    }

    @Test
    void onlyPhotosAreTakenForPhotos() {
        assertEquals("JPEG", PhotoFile.format(bytes("\u00ff\u00d8\u00ff\u00e0")));
        assertEquals("PNG", PhotoFile.format(bytes("\u0089PNG\r\n\u001a\n")));
        assertEquals("WebP", PhotoFile.format(bytes("RIFFxxxxWEBP")));
        assertEquals("HEIF", PhotoFile.format(bytes("\0\0\0\u0018ftypheic")));
        for (String text : new String[] {"", "\0\1\2\3", "%PDF-1.4", "RIFFxxxxWAVE", "\u00ff\u00d8"})
            assertThrows(RitmEdgeException.Photo.class, () -> PhotoFile.format(bytes(text)));
        String message = assertThrows(RitmEdgeException.Photo.class,
                () -> PhotoFile.format(bytes("shopping list:\n- milk"))).getMessage();
        assertTrue(message.contains("text file"), message);
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.ISO_8859_1);
    }

    @ParameterizedTest
    @CsvSource({"1", "2", "3", "4", "5", "6", "7", "8"})
    void orientationIsReadAndUndone(int orientation) {
        for (String order : new String[] {"II", "MM"}) {
            ByteBuffer file = ByteBuffer.allocate(60);
            if (order.equals("II")) file.order(java.nio.ByteOrder.BIG_ENDIAN);
            file.put(bytes("\u00ff\u00d8\u00ff\u00e1")).putShort((short) 50).put(bytes("Exif\0\0" + order));
            file.order(order.equals("II") ? java.nio.ByteOrder.LITTLE_ENDIAN : java.nio.ByteOrder.BIG_ENDIAN);
            file.putShort((short) 42).putInt(8).putShort((short) 1);
            file.putShort((short) 0x112).putShort((short) 3).putInt(1).putShort((short) orientation);
            assertEquals(orientation, PhotoFile.orientation(file.array()));
            for (int length = 0; length < 32; length++)
                assertEquals(1, PhotoFile.orientation(java.util.Arrays.copyOf(file.array(), length)));
        }
        // A photo of 2 × 3 pixels 1 … 6, stored as the orientation says, comes out upright.
        int[][] upright = {{1, 2, 3}, {4, 5, 6}};
        boolean turned = orientation > 4;
        int rows = turned ? 3 : 2, columns = turned ? 2 : 3;
        Photo photo = new PhotoFit(rows, columns, 100).build(rows, columns, orientation, (row, line) -> {
            for (int column = 0; column < columns; column++)
                line[column] = 0xff000000 | stored(upright, orientation, row, column);
        }, Buffers.allocate(300));
        assertEquals(2, photo.rows);
        for (int row = 0; row < 2; row++)
            for (int column = 0; column < 3; column++)
                assertEquals(upright[row][column], photo.rgb(row, column), row + ", " + column);
    }

    /** EXIF: what the 0th stored row and column are of the upright photo. */
    private static int stored(int[][] upright, int orientation, int row, int column) {
        int bottom = 1, right = 2;
        switch (orientation) {
            case 2: return upright[row][right - column];
            case 3: return upright[bottom - row][right - column];
            case 4: return upright[bottom - row][column];
            case 5: return upright[column][row];
            case 6: return upright[column][right - row];
            case 7: return upright[bottom - column][right - row];
            case 8: return upright[bottom - column][row];
            default: return upright[row][column];
        }
    }

    @ParameterizedTest
    @CsvSource({"1,1,1", "3024,4032,1", "6000,8000,2", "10000,10000,2", "12000,16000,4", "1,100000000,4", "65535,65535,16"})
    void photosOfAnySizeFitInTheMemoryBound(int rows, int columns, int sample) {
        int most = 4096 * 3072;
        assertEquals(sample, new PhotoFit(rows, columns, most).sample);
        int high = (rows + sample - 1) / sample, wide = (columns + sample - 1) / sample;
        assertTrue((long) high * wide <= 26_000_000);
        int[] fitted = PhotoFit.fitted(high, wide, most);
        assertTrue(fitted[0] >= 1 && fitted[1] >= 1 && (long) fitted[0] * fitted[1] <= most);
        assertTrue((long) fitted[0] * fitted[1] > 0.5 * Math.min(most, (long) high * wide));
    }

    @Test
    void photosThatCannotBeShownAreRefused() {
        assertThrows(RitmEdgeException.Photo.class, () -> new PhotoFit(0, 5, 100));
        assertThrows(RitmEdgeException.Photo.class, () -> new PhotoFit(1 << 30, 1 << 30, 100));
        assertThrows(RitmEdgeException.Photo.class, () -> new Photo(Buffers.allocate(12), 3, 2));
        assertThrows(RitmEdgeException.Photo.class, () -> new Photo(Buffers.allocate(12), 1 << 16, 1 << 16));
    }

    @Test
    void tooLittleMemoryIsAnErrorInWords() {
        java.util.List<ByteBuffer> held = new java.util.ArrayList<>();
        String message = assertThrows(RitmEdgeException.Memory.class, () -> {
            for (int i = 0; i < 64; i++) held.add(Buffers.allocate(1 << 30));
        }).getMessage();
        assertTrue(message.contains("1048576 KB"), message);
        held.clear();
        assertEquals(16, Buffers.allocate(16).capacity());
    }

    @Test
    void reducingAveragesAndTransparencyIsWhite() {
        Photo photo = new PhotoFit(4, 4, 4).build(4, 4, 1, (row, line) -> {
            for (int column = 0; column < 4; column++)
                line[column] = column < 2 ? 0xff000000 | (row % 2 == 0 ? 0x102030 : 0x304050) : 0;
        }, Buffers.allocate(12));
        assertEquals(2, photo.rows);
        assertEquals(0x203040, photo.rgb(0, 0));
        assertEquals(0xffffff, photo.rgb(1, 1));
    }

    @Test
    void aPixelOfTheViewComesBackToItself() {
        Viewport view = new Viewport();
        view.resize(1600, 1080);
        view.show(3024, 4032);
        assertEquals(-0.5f, view.toColumn(view.toX(-0.5f)), 1e-3);
        assertTrue(view.inside(view.toRow(800), view.toColumn(540)));
        assertFalse(view.inside(view.toRow(0), view.toColumn(540))); // above a lying photo
        Random random = new Random(5);
        for (int i = 0; i < 500; i++) {
            float y = random.nextFloat() * 1600, x = random.nextFloat() * 1080;
            float row = view.toRow(y), column = view.toColumn(x);
            view.zoom(0.5f + random.nextFloat() * 2, y, x);
            assertEquals(y, view.toY(view.toRow(y)), 0.01);
            if (view.scale() > 1.5f) {
                assertTrue(view.toRow(0) >= -0.51f && view.toRow(1600) <= 3023.51f, "no gap at the sides");
            }
            view.pan(random.nextInt(400) - 200, random.nextInt(400) - 200);
            if (i % 50 == 49) view.resize(800 + random.nextInt(1000), 600 + random.nextInt(1000));
            if (i % 50 == 49) view.resize(1600, 1080);
            assertTrue(row == row && column == column);
        }
        view.zoom(1e-6f, 0, 0);
        assertEquals(1080f / 4032, view.scale(), 1e-6);
        view.zoom(1e9f, 0, 0);
        assertEquals(16, view.scale(), 1e-6);
        view.zoom(Float.NaN, 0, 0);
        assertEquals(16, view.scale(), 1e-6);
    }

    @Test
    void rotationKeepsWhatIsInTheMiddle() {
        Viewport view = new Viewport();
        view.resize(1600, 1080);
        view.show(3000, 3000);
        view.zoom(8, 800, 540);
        view.pan(-300, 200);
        float row = view.toRow(800), column = view.toColumn(540);
        view.resize(1080, 1600);
        assertEquals(row, view.toRow(540), 0.1);
        assertEquals(column, view.toColumn(800), 0.1);
    }

    @Test
    void aMaskTakesAtMostTwoBlocks() {
        MadeModel made = new MadeModel();
        made.screenRows = 1080;
        made.screenColumns = 1440;
        ModelFile model = made.model();
        for (int[] size : new int[][] {{1080, 1440}, {1440, 1080}, {2200, 1080}, {3000, 1440}, {1600, 2560}, {1, 1}}) {
            Viewport view = new Viewport();
            view.resize(size[0], size[1]);
            int step = view.maskStep(model);
            int blocks = ((size[0] / step + 1079) / 1080) * ((size[1] / step + 1439) / 1440);
            assertTrue(blocks <= 2 && step <= 2, size[0] + " × " + size[1]);
        }
    }
}
