import java.io.DataInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;

/**
 * What javac and aapt2 do not see: methods that only a newer Android has, components without an exported
 * flag, permissions, and strings that nothing uses.
 *
 * Usage: AndroidChecks ANDROID.JAR app/src/main CLASSES…
 */
public final class AndroidChecks {
    /** Made by javac for records, lambdas and joined strings; Gradle's D8 replaces them. */
    private static final Set<String> DESUGARED = Set.of("java/lang/Record", "java/lang/runtime/ObjectMethods",
            "java/lang/invoke/StringConcatFactory", "java/lang/invoke/LambdaMetafactory",
            "java/lang/invoke/MethodHandles$Lookup", "java/lang/invoke/MethodHandles");
    /** D8 brings them; the only static methods of API 19 and later that javac itself calls. */
    private static final Set<String> BACKPORTED = Set.of("java/util/Objects.requireNonNull");

    private record Class(String name, String parent, List<String> interfaces, Set<String> members,
            Set<String> uses) {}

    private static final List<String> problems = new ArrayList<>();

    public static void main(String[] arguments) throws IOException {
        Map<String, Class> android = new HashMap<>();
        try (ZipFile jar = new ZipFile(arguments[0])) {
            for (ZipEntry entry : (Iterable<ZipEntry>) jar.stream().map(e -> (ZipEntry) e)::iterator)
                if (entry.getName().endsWith(".class"))
                    try (InputStream in = jar.getInputStream(entry)) {
                        Class found = read(in);
                        android.put(found.name, found);
                    }
        }
        int uses = 0;
        for (int i = 2; i < arguments.length; i++)
            try (Stream<Path> files = Files.walk(Path.of(arguments[i]))) {
                for (Path file : (Iterable<Path>) files.filter(f -> f.toString().endsWith(".class"))::iterator)
                    try (InputStream in = Files.newInputStream(file)) {
                        Class own = read(in);
                        uses += own.uses.size();
                        checkUses(own, android);
                    }
            }
        int strings = checkApp(Path.of(arguments[1]));
        for (String each : problems) System.err.println(each);
        System.out.println(uses + " uses of methods and fields, " + strings + " strings: " + problems.size() + " problems");
        if (uses < 500 || strings < 10 || !problems.isEmpty()) System.exit(1);
    }

    private static void checkUses(Class own, Map<String, Class> android) {
        for (String use : own.uses) {
            String name = use.substring(0, use.indexOf('.')), member = use.substring(use.indexOf('.') + 1);
            if (name.startsWith("[") || !(name.startsWith("java") || name.startsWith("android/"))) continue;
            if (DESUGARED.contains(name) || BACKPORTED.contains(use.substring(0, Math.max(0, use.indexOf(':'))))) continue;
            if (!has(android, name, member, new HashSet<>()))
                problems.add(own.name + " uses " + use + ", which Android 6 does not have");
        }
    }

    private static boolean has(Map<String, Class> android, String name, String member, Set<String> seen) {
        Class found = android.get(name);
        if (found == null || !seen.add(name)) return false;
        if (found.members.contains(member)) return true;
        if (found.parent != null && has(android, found.parent, member, seen)) return true;
        return found.interfaces.stream().anyMatch(each -> has(android, each, member, seen))
                || has(android, "java/lang/Object", member, seen);
    }

    /** The names in a class file; see chapter 4 of the Java Virtual Machine Specification. */
    private static Class read(InputStream stream) throws IOException {
        DataInputStream in = new DataInputStream(new java.io.BufferedInputStream(stream));
        in.skipBytes(8);
        int count = in.readUnsignedShort();
        Object[] pool = new Object[count];
        for (int i = 1; i < count; i++) {
            int tag = in.readUnsignedByte();
            switch (tag) {
                case 1: pool[i] = in.readUTF(); break;
                case 3: case 4: in.readInt(); break;
                case 5: case 6: in.readLong(); i++; break;
                case 7: pool[i] = new int[] {tag, in.readUnsignedShort(), 0}; break;
                case 9: case 10: case 11: case 12:
                    pool[i] = new int[] {tag, in.readUnsignedShort(), in.readUnsignedShort()};
                    break;
                case 15: in.readUnsignedByte(); in.readUnsignedShort(); break;
                case 17: case 18: in.readInt(); break;
                default: in.readUnsignedShort();
            }
        }
        in.readUnsignedShort();
        String name = className(pool, in.readUnsignedShort());
        int parent = in.readUnsignedShort();
        List<String> interfaces = new ArrayList<>();
        for (int i = in.readUnsignedShort(); i > 0; i--) interfaces.add(className(pool, in.readUnsignedShort()));
        Set<String> members = new HashSet<>(), uses = new TreeSet<>();
        for (int kind = 0; kind < 2; kind++)
            for (int i = in.readUnsignedShort(); i > 0; i--) {
                in.readUnsignedShort();
                members.add(pool[in.readUnsignedShort()] + ":" + pool[in.readUnsignedShort()]);
                for (int j = in.readUnsignedShort(); j > 0; j--) {
                    in.readUnsignedShort();
                    in.skipNBytes(in.readInt());
                }
            }
        for (Object each : pool)
            if (each instanceof int[] entry && entry[0] >= 9 && entry[0] <= 11) {
                int[] described = (int[]) pool[entry[2]];
                uses.add(className(pool, entry[1]) + "." + pool[described[1]] + ":" + pool[described[2]]);
            }
        return new Class(name, parent == 0 ? null : className(pool, parent), interfaces, members, uses);
    }

    private static String className(Object[] pool, int index) {
        return (String) pool[((int[]) pool[index])[1]];
    }

    /** @return number of strings. */
    private static int checkApp(Path app) throws IOException {
        String manifest = Files.readString(app.resolve("AndroidManifest.xml"));
        if (manifest.contains("uses-permission")) problems.add("the manifest asks for a permission");
        Matcher components = Pattern.compile("<(activity|provider|service|receiver)\\b[^>]*>").matcher(manifest);
        while (components.find())
            if (!components.group().contains("android:exported="))
                problems.add("no exported flag: " + components.group().replaceAll("\\s+", " "));
        StringBuilder everything = new StringBuilder(manifest);
        try (Stream<Path> files = Files.walk(app)) {
            for (Path file : (Iterable<Path>) files.filter(f -> f.toString().matches(".*\\.(java|xml)"))::iterator)
                if (!file.endsWith(Path.of("values", "strings.xml"))) everything.append(Files.readString(file));
        }
        Matcher authority = Pattern.compile("android:authorities=\"([^\"]+)\"").matcher(manifest);
        while (authority.find())
            if (!everything.toString().contains("authority(\"" + authority.group(1) + "\")"))
                problems.add("no code uses the authority " + authority.group(1));
        Matcher names = Pattern.compile("<string name=\"(\\w+)\">([^<]*)<")
                .matcher(Files.readString(app.resolve("res/values/strings.xml")));
        int count = 0;
        for (; names.find(); count++) {
            if (!Pattern.compile("(R\\.string\\.|@string/)" + names.group(1) + "\\b").matcher(everything).find())
                problems.add("nothing uses the string " + names.group(1));
            if (names.group(2).isBlank()) problems.add("the string " + names.group(1) + " is empty");
        }
        return count;
    }
}
