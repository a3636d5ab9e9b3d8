package ritmedge.app;

import android.content.ContentProvider;
import android.content.ContentValues;
import android.content.Context;
import android.database.Cursor;
import android.database.MatrixCursor;
import android.net.Uri;
import android.os.ParcelFileDescriptor;
import android.provider.OpenableColumns;
import java.io.File;
import java.io.FileNotFoundException;

/** Two files of the cache for other apps, each only with a permission for its address. */
public final class CacheProvider extends ContentProvider {
    static final String PHOTO = "photo.jpg";
    static final String RESULT = "cut-out.png";

    static File file(Context context, String name) {
        return new File(context.getCacheDir(), name);
    }

    static Uri uri(String name) {
        return new Uri.Builder().scheme("content").authority("ritmedge.app.cache").appendPath(name).build();
    }

    private File file(Uri uri) throws FileNotFoundException {
        String name = uri.getLastPathSegment();
        if (!PHOTO.equals(name) && !RESULT.equals(name)) throw new FileNotFoundException(String.valueOf(name));
        return file(getContext(), name);
    }

    @Override
    public ParcelFileDescriptor openFile(Uri uri, String mode) throws FileNotFoundException {
        boolean writes = mode.contains("w") && PHOTO.equals(uri.getLastPathSegment());
        return ParcelFileDescriptor.open(file(uri), writes
                ? ParcelFileDescriptor.MODE_READ_WRITE | ParcelFileDescriptor.MODE_CREATE
                        | ParcelFileDescriptor.MODE_TRUNCATE
                : ParcelFileDescriptor.MODE_READ_ONLY);
    }

    @Override
    public Cursor query(Uri uri, String[] columns, String selection, String[] arguments, String order) {
        MatrixCursor cursor = new MatrixCursor(new String[] {OpenableColumns.DISPLAY_NAME, OpenableColumns.SIZE});
        try {
            cursor.addRow(new Object[] {uri.getLastPathSegment(), file(uri).length()});
        } catch (FileNotFoundException error) {
            return cursor;
        }
        return cursor;
    }

    @Override
    public String getType(Uri uri) {
        return PHOTO.equals(uri.getLastPathSegment()) ? "image/jpeg" : "image/png";
    }

    @Override
    public boolean onCreate() {
        return true;
    }

    @Override
    public Uri insert(Uri uri, ContentValues values) {
        throw new UnsupportedOperationException();
    }

    @Override
    public int delete(Uri uri, String selection, String[] arguments) {
        throw new UnsupportedOperationException();
    }

    @Override
    public int update(Uri uri, ContentValues values, String selection, String[] arguments) {
        throw new UnsupportedOperationException();
    }
}
