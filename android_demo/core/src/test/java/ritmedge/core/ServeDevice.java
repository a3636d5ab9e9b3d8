package ritmedge.core;

import java.io.BufferedOutputStream;
import java.io.File;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;

/**
 * Device mode without a phone: core's own server on a loopback port, which it prints, with LiteRT for
 * Python as the engine. Usage: ServeDevice FOLDER
 */
final class ServeDevice {
    private ServeDevice() {}

    public static void main(String[] arguments) throws IOException {
        DeviceServer.Device device = new DeviceServer.Device() {
            @Override
            public String name() {
                return "a JVM instead of a phone";
            }

            @Override
            public Report.Opened open(File file, ModelFile model, int threads) {
                try {
                    return new Report.Opened(new ChildGraphs(file), null);
                } catch (IOException error) {
                    throw new RitmEdgeException.Engine("The child process cannot be started.", error);
                }
            }

            @Override
            public long peakMemoryBytes() {
                return Runtime.getRuntime().totalMemory();
            }
        };
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            System.out.println(socket.getLocalPort());
            while (true) {
                try (Socket client = socket.accept()) {
                    client.setTcpNoDelay(true);
                    new DeviceServer(device, new File(arguments[0]))
                            .serve(client.getInputStream(), new BufferedOutputStream(client.getOutputStream()));
                } catch (IOException error) {
                    System.err.println(error.getMessage());
                }
            }
        }
    }
}
