#!/bin/sh
# Installs the app on the connected device, has it make its report, and fetches it: emulator.sh APK REPORT
#
# Fails where golden traces differ on any engine that ran.
set -eu
apk=$1 report=$2
from=/sdcard/Android/data/ritmedge.app/files/report.json
adb install -r "$apk"
adb shell rm -f "$from"
adb shell am start -W -n ritmedge.app/.MainActivity --es run report
waited=0
until adb shell ls "$from" >/dev/null 2>&1; do
    waited=$((waited + 5))
    [ "$waited" -lt 900 ] || { adb logcat -d | tail -200 >&2; echo "no report within 15 minutes" >&2; exit 1; }
    sleep 5
done
mkdir -p "$(dirname "$report")"
adb pull "$from" "$report"
python3 - "$report" <<'CHECK'
import json
import sys

report = json.load(open(sys.argv[1]))
for row in report["rows"]:
    found = row["golden_traces"]
    print(row["engine"], f"{row['median_ms']:.1f} ms", row["fallback"] or "", found)
for failure in report["failed"]:
    print("failed:", failure)
# A GPU computes in half precision, so its network may differ by more than a processor's.
passed = [
    row["golden_traces"]["session_passed"]
    and (row["golden_traces"]["network_passed"] or "CPU" not in row["engine"])
    for row in report["rows"]
    if row["golden_traces"]
]
sys.exit(0 if passed and all(passed) else 1)
CHECK
