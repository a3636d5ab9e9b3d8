package com.google.ai.edge.litert;

/** TensorBuffer.kt at 53d158179d0f; see stubs/README.md. */
public final class TensorBuffer extends JniHandle {
    private TensorBuffer() {}

    public void writeFloat(float[] data) throws LiteRtException {}

    public void writeInt8(byte[] data) throws LiteRtException {}

    public float[] readFloat() throws LiteRtException {
        throw new UnsupportedOperationException();
    }

    public byte[] readInt8() throws LiteRtException {
        throw new UnsupportedOperationException();
    }
}
