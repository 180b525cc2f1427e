"""A webhook receiver in the standard library alone. See the README beside it. Python 3.9 or newer."""

import base64
import hashlib
import hmac
import json
import os
import re
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOLERANCE = 5 * 60  # seconds
MAX_BODY = 10 << 20  # octets

secrets = [base64.b64decode(s.removeprefix("whsec_")) for s in os.environ.get("WEBHOOK_SECRET", "").split()]
seen = set()  # ids that were handled; your database in real life
lock = threading.Lock()


def verify(message_id, timestamp, signatures, body, now=None):
    """Checks a request as Standard Webhooks says. The body is the bytes as they came."""
    now = time.time() if now is None else now
    if not message_id or not re.fullmatch("[0-9]{1,15}", timestamp) or abs(now - int(timestamp)) > TOLERANCE:
        return False
    signed = f"{message_id}.{timestamp}.".encode() + body
    for signature in signatures.split():
        version, _, encoded = signature.partition(",")
        if version != "v1":
            continue
        for secret in secrets:
            want = base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest())
            if hmac.compare_digest(want, encoded.encode()):
                return True
    return False


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30  # of reading, seconds

    def answer(self, status):
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Length", "0")
        if status == 413:  # the rest of the body is still coming
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()

    def do_POST(self):
        length = self.headers.get("Content-Length", "")
        if not length.isdigit():
            return self.answer(411)
        if int(length) > MAX_BODY:
            return self.answer(413)
        body = self.rfile.read(int(length))
        message_id = self.headers.get("webhook-id", "")
        timestamp = self.headers.get("webhook-timestamp", "")
        if not verify(message_id, timestamp, self.headers.get("webhook-signature", ""), body):
            return self.answer(401)
        try:
            event = json.loads(body)
        except ValueError:
            return self.answer(400)
        with lock:
            repeated = message_id in seen
            seen.add(message_id)
        if not repeated:
            subject = (event.get("data") or {}).get("subject") or ""
            print(message_id, event.get("type"), json.dumps(subject), flush=True)
        self.answer(204)

    def do_GET(self):
        self.answer(405)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    if not secrets:
        sys.exit("WEBHOOK_SECRET is not set")
    host, _, port = os.environ.get("LISTEN", "127.0.0.1:8090").rpartition(":")
    server = ThreadingHTTPServer((host, int(port)), Receiver)
    print(f"listening on http://{host}:{server.server_address[1]}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
