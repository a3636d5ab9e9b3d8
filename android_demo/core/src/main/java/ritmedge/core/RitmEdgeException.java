package ritmedge.core;

/** Something that a user or a file can cause; the message says what, which value, what to do. */
public abstract class RitmEdgeException extends RuntimeException {
    private RitmEdgeException(String message, Throwable cause) {
        super(message, cause);
    }

    /** A model file that cannot be used. */
    public static final class Model extends RitmEdgeException {
        public Model(String message) {
            super(message, null);
        }
    }

    /** A file that is no photo, or one that cannot be shown. */
    public static final class Photo extends RitmEdgeException {
        public Photo(String message) {
            super(message, null);
        }
    }

    /** An edit that a session refuses; the session is as it was before. */
    public static final class Edit extends RitmEdgeException {
        public Edit(String message) {
            super(message, null);
        }
    }

    /** Too little memory; what was open before still is. */
    public static final class Memory extends RitmEdgeException {
        public Memory(String message, Throwable cause) {
            super(message, cause);
        }
    }

    /** The engine failed, or gave what cannot be right. */
    public static final class Engine extends RitmEdgeException {
        public Engine(String message, Throwable cause) {
            super(message, cause);
        }
    }

    /** A document (golden traces, click log) of another form. */
    public static final class Document extends RitmEdgeException {
        public Document(String message) {
            super(message, null);
        }
    }
}
