"""Runtimes in another process, and later on other devices, and the wire to them.

Requests and answers are JSON objects, in turn; any transport that carries text will do.

    {"do": "open", "path", "threads", "allow_changed"}
                            → {"ms", "name", "engine", "spec", "info", "sha256"}
    {"do": "run", "inputs"}                   → {"mask"}
    {"do": "time", "size", "seed", "index"}   → {"ms"}       one run on inputs that are made there
    {"do": "memory"}                          → {"bytes"}    the peak of the process

Arrays are {"shape", "float32": base64 of little-endian values}; `info` is the self-description as
text, or null. What a user can cause is answered with {"error": name of its class, "message"}.
"""
