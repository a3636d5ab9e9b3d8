package ritmedge.app;

import android.graphics.Bitmap;
import android.graphics.BitmapFactory;
import java.io.File;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import ritmedge.core.ModelFile;
import ritmedge.core.Photo;
import ritmedge.core.PhotoFile;
import ritmedge.core.PhotoFit;
import ritmedge.core.RitmEdgeException;

/** From a file to the pixels of a session and a picture for the screen. */
final class PhotoLoader {
    /** Above this, the graphics processor of an older phone cannot draw a picture in one piece. */
    private static final int MOST_SIDE = 4096;

    final Photo photo;
    final Bitmap shown;
    /** Rows and columns of the upright photo as it was taken; masks are saved at that size. */
    final int rows;
    final int columns;

    /**
     * @param pixels from `Photo.allocate`.
     * @throws RitmEdgeException.Photo it is no photo, or one that cannot be shown.
     */
    PhotoLoader(File file, ModelFile model, ByteBuffer pixels) {
        byte[] head = head(file);
        String format = PhotoFile.format(head);
        int orientation = PhotoFile.orientation(head);
        BitmapFactory.Options options = new BitmapFactory.Options();
        options.inJustDecodeBounds = true;
        BitmapFactory.decodeFile(file.getPath(), options);
        PhotoFit fit = new PhotoFit(options.outHeight, options.outWidth, model.largestPhoto);
        boolean turned = orientation > 4;
        rows = turned ? options.outWidth : options.outHeight;
        columns = turned ? options.outHeight : options.outWidth;
        options.inJustDecodeBounds = false;
        options.inSampleSize = fit.sample;
        options.inPreferredConfig = Bitmap.Config.ARGB_8888;
        options.inPremultiplied = true;
        Bitmap decoded = BitmapFactory.decodeFile(file.getPath(), options);
        if (decoded == null)
            throw new RitmEdgeException.Photo("This " + format + " photo cannot be decoded; it may be damaged, "
                    + "or of a kind that this Android does not know. Choose another.");
        int wide = decoded.getWidth();
        photo = fit.build(decoded.getHeight(), wide, orientation,
                (row, line) -> decoded.getPixels(line, 0, wide, 0, row, wide, 1), pixels);
        decoded.recycle();
        shown = picture(photo);
    }

    private static byte[] head(File file) {
        try (RandomAccessFile opened = new RandomAccessFile(file, "r")) {
            byte[] head = new byte[(int) Math.min(PhotoFile.HEAD_BYTES, opened.length())];
            opened.readFully(head);
            return head;
        } catch (IOException error) {
            throw new RitmEdgeException.Photo("The photo cannot be read (" + error.getMessage() + "). Choose another.");
        }
    }

    private static Bitmap picture(Photo photo) {
        int step = (Math.max(photo.rows, photo.columns) + MOST_SIDE - 1) / MOST_SIDE;
        int high = Math.max(1, photo.rows / step), wide = Math.max(1, photo.columns / step);
        Bitmap picture = Bitmap.createBitmap(wide, high, Bitmap.Config.ARGB_8888);
        int[] line = new int[wide];
        for (int row = 0; row < high; row++) {
            for (int column = 0; column < wide; column++)
                line[column] = 0xff000000 | photo.rgb(row * step, column * step);
            picture.setPixels(line, 0, wide, 0, row, wide, 1);
        }
        return picture;
    }

    /** Copies a stream that may be gone later, such as a shared photo. */
    static void copy(InputStream from, File to) throws IOException {
        File part = new File(to.getPath() + ".part");
        try (java.io.OutputStream out = new java.io.FileOutputStream(part)) {
            byte[] buffer = new byte[1 << 16];
            for (int count = from.read(buffer); count >= 0; count = from.read(buffer)) out.write(buffer, 0, count);
        }
        if (!part.renameTo(to)) throw new IOException("the file cannot be kept");
    }

    static void copy(File from, File to) throws IOException {
        try (InputStream in = new FileInputStream(from)) {
            copy(in, to);
        }
    }
}
