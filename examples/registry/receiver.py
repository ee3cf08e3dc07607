"""A webhook receiver: prints its URL, then each event it receives with a valid signature
(https://www.standardwebhooks.com). Argument: a file with the secret."""
import base64
import hashlib
import hmac
import http.server
import json
import pathlib
import sys
import time

KEY = base64.b64decode(pathlib.Path(sys.argv[1]).read_text().strip().removeprefix("whsec_"))
MAX_AGE_SECONDS = 300


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        valid = self.is_valid(body)
        self.send_response(204 if valid else 401)
        self.end_headers()
        if valid:
            event = json.loads(body)
            print(event["type"], event["data"]["action"], event["data"]["jobID"], flush=True)

    def is_valid(self, body):
        message_id, timestamp = self.headers["webhook-id"], self.headers["webhook-timestamp"]
        mac = hmac.digest(KEY, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256)
        expected = "v1," + base64.b64encode(mac).decode()
        signatures = self.headers["webhook-signature"].split()
        signed = any(hmac.compare_digest(signature, expected) for signature in signatures)
        return signed and abs(time.time() - int(timestamp)) < MAX_AGE_SECONDS

    def log_message(self, *_):
        pass


server = http.server.HTTPServer(("127.0.0.1", 0), Receiver)
print(f"http://127.0.0.1:{server.server_port}/scanned", flush=True)
server.serve_forever()
