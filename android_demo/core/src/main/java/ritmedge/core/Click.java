package ritmedge.core;

/** In pixels of the photo, fractions allowed; pixel centres are at whole numbers. */
public record Click(float row, float column, boolean positive) {
    /** The same click elsewhere. */
    public Click at(float row, float column) {
        return new Click(row, column, positive);
    }
}
