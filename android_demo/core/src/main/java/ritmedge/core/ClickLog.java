package ritmedge.core;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The clicks of a session as JSON, as `ritm-edge predict --clicks` reads them. */
public final class ClickLog {
    private static final String KIND = "ritm-edge clicks";
    private static final int MOST = 2048;

    private ClickLog() {}

    public static String write(ModelFile model, Photo photo, List<Click> clicks) {
        Map<String, Object> zoom = new LinkedHashMap<>();
        zoom.put("target_size", 400); // without effect on a graph of fixed size
        zoom.put("skip_clicks", 1);
        for (String name : new String[] {"expansion", "min_crop", "recompute_iou"})
            zoom.put(name, model.session.get(name));
        zoom.put("threshold", 0.5);
        Map<String, Object> settings = new LinkedHashMap<>();
        settings.put("protocol", "graphs");
        settings.put("zoom_in", zoom);
        settings.put("flip", false);
        settings.put("fit", model.fit);
        settings.put("threshold", model.session.get("threshold"));
        settings.put("max_side", null);
        settings.put("click_limit", null);
        List<Object> list = new ArrayList<>();
        for (Click click : clicks) {
            Map<String, Object> entry = new LinkedHashMap<>();
            entry.put("row", click.row());
            entry.put("column", click.column());
            entry.put("positive", click.positive());
            list.add(entry);
        }
        Map<String, Object> log = new LinkedHashMap<>();
        log.put("kind", KIND);
        log.put("format_version", 1);
        log.put("artifact_sha256", model.sha256);
        log.put("height", photo.rows);
        log.put("width", photo.columns);
        log.put("mask_sha256", null);
        log.put("settings", settings);
        log.put("clicks", list);
        return Json.write(log);
    }

    /**
     * The clicks of a log for this model and photo size.
     *
     * @throws RitmEdgeException.Document it is no log, or one of another model or photo.
     */
    public static List<Click> read(String text, ModelFile model, Photo photo) {
        Map<String, Object> log = Json.object(Json.parse(text), "click log");
        if (!KIND.equals(log.get("kind")) || !Double.valueOf(1).equals(log.get("format_version")))
            throw new RitmEdgeException.Document("This is no version 1 of a ritm-edge click log.");
        if (!model.sha256.equals(log.get("artifact_sha256")))
            throw new RitmEdgeException.Document("The clicks were made with another model: open that one.");
        if (Json.whole(log.get("height"), 1, 1 << 30, "height") != photo.rows
                || Json.whole(log.get("width"), 1, 1 << 30, "width") != photo.columns)
            throw new RitmEdgeException.Document("The clicks were made on a photo of another size.");
        List<Object> entries = Json.list(log.get("clicks"), "clicks");
        if (entries.size() > MOST) throw new RitmEdgeException.Document("There are too many clicks.");
        List<Click> clicks = new ArrayList<>();
        for (Object each : entries) {
            Map<String, Object> entry = Json.object(each, "click");
            clicks.add(new Click(Json.as(Double.class, entry.get("row"), "row").floatValue(),
                    Json.as(Double.class, entry.get("column"), "column").floatValue(),
                    Json.as(Boolean.class, entry.get("positive"), "positive")));
        }
        return clicks;
    }
}
