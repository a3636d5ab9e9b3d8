#!/bin/sh
# Compiles and tests the Android app without an Android SDK: sh android_demo/build.sh PART
#
#   check    the system packages, in one sentence if some are missing
#   compile  core, engine and app against Android's and LiteRT's signatures; resources and manifest
#   test     core on the JVM: what needs no model
#   model    core with exported models: folders FIT/NAME.tflite and FIT/golden below MODELS
#   time     core's own time for a tap, as JSON on standard output
#   picture  draws the screen into the file PICTURE
set -eu
cd "$(dirname "$0")"
OUT=build
JAVA=/usr/share/java
ANDROID=${ANDROID_JAR:-/usr/lib/android-sdk/platforms/android-23/android.jar}
JUNIT=
for jar in junit-jupiter-api junit-jupiter-engine junit-jupiter-params junit-platform-commons \
    junit-platform-engine junit-platform-launcher junit-platform-console junit-platform-reporting \
    apiguardian-api opentest4j opentest4j-reporting-events picocli univocity-parsers; do
    if [ -e "$JAVA/$jar.jar" ]; then JUNIT="$JUNIT:$JAVA/$jar.jar"; fi
done

check() {
    missing=
    javac -version 2>&1 | grep -q -E 'javac (1[7-9]|2[0-9])' || missing="$missing openjdk-17-jdk-headless"
    [ -e "$JAVA/junit-platform-console.jar" ] || missing="$missing junit5"
    command -v aapt2 >/dev/null || missing="$missing aapt"
    [ -e "$ANDROID" ] || missing="$missing libandroid-23-java"
    if [ -n "$missing" ]; then
        echo "The Android build needs the Debian packages$missing: run sh android_demo/packages.sh as" \
            "root, or name Android's own android.jar as ANDROID_JAR." >&2
        exit 1
    fi
}

sources() {
    find "$@" -name '*.java'
}

# build NAME CLASSPATH FOLDER…
build() {
    name=$1 path=$2
    shift 2
    rm -rf "$OUT/$name"
    mkdir -p "$OUT/$name"
    # shellcheck disable=SC2046 # names of our files have no spaces
    javac --release 17 -Xlint:all,-serial,-processing,-path,-deprecation,-classfile -Werror -encoding UTF-8 \
        -cp "$path" -d "$OUT/$name" $(sources "$@")
}

compile_core() {
    build core "" core/src/main/java
    build tests "$OUT/core$JUNIT" core/src/test/java
}

compile() {
    check
    compile_core
    build stubs "" stubs
    main=app/src/main
    rm -rf "$OUT/generated" "$OUT/resources.zip"
    mkdir -p "$OUT/generated"
    # Gradle takes the package from build.gradle and wants none in the manifest; aapt2 wants it there.
    sed 's/<manifest /<manifest package="ritmedge.app" /' $main/AndroidManifest.xml >"$OUT/AndroidManifest.xml"
    aapt2 compile --dir $main/res -o "$OUT/resources.zip"
    aapt2 link -I "$ANDROID" --manifest "$OUT/AndroidManifest.xml" --java "$OUT/generated" \
        --min-sdk-version 24 --target-sdk-version 36 -o "$OUT/resources.apk" "$OUT/resources.zip"
    build engine "$OUT/core:$OUT/stubs:$ANDROID" engine/src/main/java
    build app "$OUT/core:$OUT/engine:$OUT/stubs:$ANDROID" $main/java "$OUT/generated"
    build checks "" checks
    java -cp "$OUT/checks" \
        AndroidChecks "$ANDROID" $main "$OUT/core" "$OUT/engine" "$OUT/app"
}

# run PROPERTY… LAUNCHER OPTION…
run() {
    java -Xmx1500m -cp "$OUT/core:$OUT/tests$JUNIT" "$@" --disable-banner --disable-ansi-colors \
        --details=summary --scan-classpath "$OUT/tests"
}

case ${1:-} in
check) check ;;
compile) compile ;;
test) run org.junit.platform.console.ConsoleLauncher --exclude-tag model ;;
model)
    run -Dritmedge.models="$MODELS" -Dritmedge.python="$PYTHON" \
        -Dritmedge.server=core/src/test/python/serve_graphs.py \
        org.junit.platform.console.ConsoleLauncher --include-tag model
    ;;
time) java -Xmx1500m -cp "$OUT/core:$OUT/tests$JUNIT" ritmedge.core.TimeTaps ;;
picture)
    java -Djava.awt.headless=true -Dritmedge.python="$PYTHON" -Dritmedge.server=core/src/test/python/serve_graphs.py \
        -cp "$OUT/core:$OUT/tests$JUNIT" ritmedge.core.DrawScreen "$MODEL" "$PHOTO" "$PICTURE"
    ;;
*) sed -n '2,9s/^# \{0,1\}//p' build.sh && exit 2 ;;
esac
