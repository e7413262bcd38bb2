"""Many at once: requests at a fixed rate whether or not earlier ones were answered, and open event streams."""
import http.client
import queue
import socket
import threading
import time

CONNECTIONS = 32


def spread(values):
    """Nearest-rank percentiles, in the unit of the values."""
    ordered = sorted(values)
    at = lambda share: ordered[min(len(ordered) - 1, int(share * len(ordered)))]
    return {"p50": at(0.50), "p95": at(0.95), "p99": at(0.99), "max": ordered[-1], "n": len(ordered)}


def at_a_rate(port, headers, paths, per_second, seconds):
    """Sends `per_second` requests a second, round the paths; seconds of each from when it was due to its last byte."""
    due, took, wrong = queue.Queue(), [], []
    began = time.monotonic() + 0.1
    for n in range(int(per_second * seconds)):
        due.put((began + n / per_second, paths[n % len(paths)]))

    def client():
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        while True:
            try:
                when, path = due.get_nowait()
            except queue.Empty:
                return
            if (wait := when - time.monotonic()) > 0:
                time.sleep(wait)
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            answer.read()
            took.append(time.monotonic() - when)
            if answer.status != 200:
                wrong.append((path, answer.status))

    threads = [threading.Thread(target=client, daemon=True) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if wrong:
        raise SystemExit(f"{len(wrong)} of {len(took)} requests failed, the first {wrong[0]}")
    return spread(took)


class Streams:
    """So many open event streams, read by one thread each only when something is to be seen."""

    def __init__(self, port, headers, count):
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        ask = f"GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: text/event-stream\r\n{lines}\r\n"
        self.sockets = []
        for _ in range(count):
            stream = socket.create_connection(("127.0.0.1", port), timeout=30)
            stream.sendall(ask.encode())
            head = b""
            while b"event: hello" not in head:
                piece = stream.recv(65536)
                if not piece:
                    raise SystemExit(f"a stream ended: {head[:300]!r}")
                head += piece
            self.sockets.append(stream)

    def hear(self, name, change):
        """Makes a change and waits until every stream has told of it by an event of this name; seconds of each."""
        heard, lock = [], threading.Lock()
        started = threading.Barrier(len(self.sockets) + 1)

        def wait(stream):
            started.wait()
            seen = b""
            while f"event: {name}".encode() not in seen:
                piece = stream.recv(65536)
                if not piece:
                    return
                seen += piece
            with lock:
                heard.append(time.monotonic())

        threads = [threading.Thread(target=wait, args=(stream,), daemon=True) for stream in self.sockets]
        for thread in threads:
            thread.start()
        started.wait()
        began = time.monotonic()
        change()
        for thread in threads:
            thread.join(30)
        if len(heard) != len(self.sockets):
            raise SystemExit(f"{len(self.sockets) - len(heard)} of {len(self.sockets)} streams heard nothing")
        return spread([when - began for when in heard])

    def close(self):
        for stream in self.sockets:
            stream.close()
