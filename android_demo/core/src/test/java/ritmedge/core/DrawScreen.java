package ritmedge.core;

import java.awt.BasicStroke;
import java.awt.Color;
import java.awt.Font;
import java.awt.Graphics2D;
import java.awt.RenderingHints;
import java.awt.image.BufferedImage;
import java.io.File;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import javax.imageio.ImageIO;

/**
 * The app's screen as core computes it (photo, mask, contour, clicks), in a frame drawn here.
 *
 * Usage: DrawScreen MODEL PHOTO PICTURE
 */
final class DrawScreen {
    private static final int WIDTH = 1080, HEIGHT = 1900, BAR = 130, STATUS = 170, LABEL = 90;
    private static final Color BLUE = new Color(0x4cc2ff);

    private DrawScreen() {}

    public static void main(String[] arguments) throws IOException {
        File file = new File(arguments[0]);
        ModelFile model = ModelFile.read(ByteBuffer.wrap(Files.readAllBytes(file.toPath())));
        BufferedImage source = ImageIO.read(new File(arguments[1]));
        int rows = source.getHeight(), columns = source.getWidth();
        Photo photo = new PhotoFit(rows, columns, model.largestPhoto).build(rows, columns, 1,
                (row, line) -> source.getRGB(0, row, columns, 1, line, 0, columns), Photo.allocate(model));
        int top = BAR, high = HEIGHT - 2 * BAR - STATUS - LABEL;
        Viewport view = new Viewport();
        view.resize(high, WIDTH);
        view.show(rows, columns);
        view.zoom(1.25f, high / 2f, WIDTH / 2f);
        Mask mask = new Mask(high, WIDTH);
        Overlay overlay = new Overlay(high, WIDTH);
        BufferedImage screen = new BufferedImage(WIDTH, HEIGHT, BufferedImage.TYPE_INT_RGB);
        Graphics2D draw = screen.createGraphics();
        draw.setRenderingHint(RenderingHints.KEY_ANTIALIASING, RenderingHints.VALUE_ANTIALIAS_ON);
        draw.setRenderingHint(RenderingHints.KEY_INTERPOLATION, RenderingHints.VALUE_INTERPOLATION_BILINEAR);
        draw.setColor(new Color(0x101418));
        draw.fillRect(0, 0, WIDTH, HEIGHT);
        draw.setClip(0, top, WIDTH, high);
        int left = Math.round(view.toX(-0.5f)), start = top + Math.round(view.toY(-0.5f));
        draw.drawImage(source, left, start, Math.round(columns * view.scale()), Math.round(rows * view.scale()), null);
        try (SessionGraphs graphs = new SessionGraphs(model, new ChildGraphs(file))) {
            Session session = new Session(graphs, photo, false);
            session.click(rows * 0.2f, columns * 0.44f, true);
            session.click(rows * 0.75f, columns * 0.45f, true);
            session.click(rows * 0.44f, columns * 0.14f, false);
            session.maskAt(view.rows(high, 1), view.columns(WIDTH, 1), mask);
            overlay.draw(mask, 128);
            BufferedImage layer = new BufferedImage(WIDTH, high, BufferedImage.TYPE_INT_ARGB);
            for (int i = 0; i < WIDTH * high; i++)
                layer.setRGB(i % WIDTH, i / WIDTH, (overlay.alpha.get(i) & 255) << 24 | BLUE.getRGB() & 0xffffff);
            draw.drawImage(layer, 0, top, null);
            for (Click click : session.clicks()) {
                int x = Math.round(view.toX(click.column())), y = top + Math.round(view.toY(click.row()));
                draw.setColor(Color.WHITE);
                draw.fillOval(x - 22, y - 22, 44, 44);
                draw.setColor(click.positive() ? new Color(0x1b8a3a) : new Color(0xc62828));
                draw.fillOval(x - 16, y - 16, 32, 32);
            }
        }
        draw.setClip(null);
        bar(draw, 0, "Open", "Camera", "Next object", "More");
        int below = top + high;
        text(draw, 32, below + 55, 34, Color.WHITE, "Engine and milliseconds of the last click");
        text(draw, 32, below + 105, 34, Color.LIGHT_GRAY, "Object 1 of 1, 3 clicks");
        draw.setStroke(new BasicStroke(6));
        draw.setColor(BLUE);
        draw.drawLine(40, below + 145, WIDTH / 2, below + 145);
        draw.fillOval(WIDTH / 2 - 18, below + 127, 36, 36);
        bar(draw, below + STATUS, "+ add", "Undo", "Redo", "Reset");
        draw.setColor(Color.WHITE);
        draw.fillRect(0, HEIGHT - LABEL, WIDTH, LABEL);
        text(draw, 32, HEIGHT - 32, 32, Color.BLACK, "Drawn by core/ on a computer; not a screenshot of a phone");
        BufferedImage half = new BufferedImage(WIDTH / 2, HEIGHT / 2, BufferedImage.TYPE_INT_RGB);
        half.createGraphics().drawImage(screen.getScaledInstance(WIDTH / 2, HEIGHT / 2, java.awt.Image.SCALE_AREA_AVERAGING), 0, 0, null);
        ImageIO.write(half, "png", new File(arguments[2]));
    }

    private static void bar(Graphics2D draw, int top, String... names) {
        for (int i = 0; i < names.length; i++)
            text(draw, 40 + i * WIDTH / names.length, top + 80, 40, BLUE, names[i]);
    }

    private static void text(Graphics2D draw, int x, int y, int size, Color colour, String text) {
        draw.setFont(new Font(Font.SANS_SERIF, Font.PLAIN, size));
        draw.setColor(colour);
        draw.drawString(text, x, y);
    }
}
