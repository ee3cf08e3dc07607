"""Stands for somebody who wants to know when an image was scanned: says where it listens, then what it is sent, if it is signed as it should be
(https://www.standardwebhooks.com). Its argument is a file with the secret."""
import base64
import hashlib
import hmac
import http.server
import json
import pathlib
import sys
import time

KEY = base64.b64decode(pathlib.Path(sys.argv[1]).read_text().strip().removeprefix("whsec_"))


class Hear(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        message, at = self.headers["webhook-id"], self.headers["webhook-timestamp"]
        signed = hmac.digest(KEY, f"{message}.{at}.".encode() + body, hashlib.sha256)
        wanted = "v1," + base64.b64encode(signed).decode()
        given = self.headers["webhook-signature"].split()
        good = any(hmac.compare_digest(one, wanted) for one in given) and abs(time.time() - int(at)) < 300
        self.send_response(204 if good else 401)
        self.end_headers()
        if good:
            told = json.loads(body)
            print(told["type"], told["data"]["action"], told["data"]["jobID"], flush=True)

    def log_message(self, *_):
        pass


server = http.server.HTTPServer(("127.0.0.1", 0), Hear)
print(f"http://127.0.0.1:{server.server_port}/scanned", flush=True)
server.serve_forever()
