#!/bin/sh
# Installs what the Android build needs on Debian 12; run as root.
set -eu
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
missing=
javac -version 2>&1 | grep -q -E 'javac (1[7-9]|2[0-9])' || missing="$missing openjdk-17-jdk-headless"
[ -e /usr/share/java/junit-platform-console.jar ] || missing="$missing junit5"
command -v aapt2 >/dev/null || missing="$missing aapt"
# shellcheck disable=SC2086 # a list of names
[ -z "$missing" ] || apt-get install -qq -y --no-install-recommends $missing
[ ! -e /usr/lib/android-sdk/platforms/android-23/android.jar ] || exit 0

# Android's classes of API 23: Debian 11 was the last release to have them. The package depends on
# nothing; it comes from the mirror in use, with lists of its own, so that nothing else changes.
own=$(mktemp -d)
trap 'rm -rf "$own"' EXIT
chmod 755 "$own"
mkdir -p "$own/lists/partial" "$own/archives/partial"
site=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 'Codename: bookworm' | head -1)
[ -n "$site" ] || { echo "This is no Debian 12: name Android's own android.jar as ANDROID_JAR." >&2; exit 1; }
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $site bullseye main" >"$own/sources.list"
old="-o Dir::Etc::sourcelist=$own/sources.list -o Dir::Etc::sourceparts=/dev/null -o Dir::State::lists=$own/lists \
    -o Dir::Cache::archives=$own/archives -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache="
# shellcheck disable=SC2086
apt-get $old update -qq && apt-get $old install -qq -y --no-install-recommends libandroid-23-java
