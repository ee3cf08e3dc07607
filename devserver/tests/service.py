#!/usr/bin/env python3
"""Plays a service in tests: answers every request to its health port with 200 until SIGTERM."""
import http.server, os, signal, sys


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments):
        pass


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
names = ["CAPSTAN_NAME", "CAPSTAN_LISTEN", "CAPSTAN_REDIS_URL", "CAPSTAN_EXTRA"]
print("started", *(os.environ.get(name, "-") for name in names), flush=True)
port = int(os.environ["CAPSTAN_ADMIN_LISTEN"].split(":")[1])
http.server.HTTPServer(("127.0.0.1", port), Handler).serve_forever()
