"""The smallest of clients: uploads by tus 1.0, asks the API, notes the time."""
import base64
import http.client
import json
import os
import time

LOOK_S = 0.02
PATIENCE_S = 3600
BLOCK = 1 << 20


class Client:
    """One connection to an origin, as the administrator."""

    def __init__(self, port, token):
        self.connection, self.token = http.client.HTTPConnection("127.0.0.1", port, timeout=60), token

    def call(self, method, path, wish=None, expect=200):
        headers = {"Authorization": f"Bearer {self.token}"}
        if wish is not None:
            headers["Content-Type"] = "application/json"
        self.connection.request(method, path, json.dumps(wish) if wish is not None else None, headers)
        answer = self.connection.getresponse()
        body = answer.read()
        if answer.status != expect:
            raise SystemExit(f"{method} {path}: {answer.status} {body[:500]!r}")
        return json.loads(body) if body else None

    def upload(self, path):
        """Uploads a file in one request; its id, and when its last byte was handed to the kernel."""
        size, name = os.path.getsize(path), base64.b64encode(os.path.basename(path).encode()).decode()
        headers = {"Authorization": f"Bearer {self.token}", "Tus-Resumable": "1.0.0"}
        self.connection.request("POST", "/files", headers=headers | {
            "Upload-Length": str(size), "Upload-Metadata": f"filename {name}"})
        answer = self.connection.getresponse()
        answer.read()
        if answer.status != 201:
            raise SystemExit(f"POST /files: {answer.status}")
        target = "/" + answer.headers["Location"].split("://")[-1].split("/", 1)[1]
        self.connection.putrequest("PATCH", target)
        for field, value in (headers | {"Upload-Offset": "0", "Content-Length": str(size),
                                        "Content-Type": "application/offset+octet-stream"}).items():
            self.connection.putheader(field, value)
        self.connection.endheaders()
        with open(path, "rb") as file:
            while block := file.read(BLOCK):
                self.connection.send(block)
        sent = time.monotonic()
        answer = self.connection.getresponse()
        answer.read()
        if answer.status != 204:
            raise SystemExit(f"PATCH {target}: {answer.status}")
        return target.rsplit("/", 1)[1], sent

    def asset(self, asset):
        return self.call("GET", f"/api/v1/assets/{asset}")

    def times(self, asset, since, look_s=LOOK_S):
        """Seconds from `since` to `playable` and to `ready`, as someone sees them who looks every `look_s`."""
        playable = None
        while (passed := time.monotonic() - since) < PATIENCE_S:
            state = self.asset(asset)["state"]
            now = time.monotonic() - since
            if state in ("playable", "ready") and playable is None:
                playable = now
            if state == "ready":
                return playable, now
            if state == "failed":
                raise SystemExit(f"{asset} failed: {self.call('GET', '/api/v1/jobs')}")
            time.sleep(look_s)
        raise SystemExit(f"{asset} was not ready after {passed:.0f} s")

    def playback(self, asset):
        """Where it plays, under a grant."""
        return self.call("POST", f"/api/v1/assets/{asset}/grants", {"minutes": 60}, expect=201)
