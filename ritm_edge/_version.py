"""The version, alone in a file that the build can read without importing anything."""

VERSION = "0.1.0"
