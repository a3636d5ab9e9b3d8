"""Runtimes in another process, in a browser or on a phone, and the wire to them.

`frames` has the messages, `streams` carries them, `device` asks one device, `remote` is a runtime
there, and `server` answers. A place is how a device is reached: `pipe`, `browser`, `adb`, by the
name that `places` looks up. docs/device-protocol.md describes the wire.
"""

HERE = "here"  # the place that is this machine
