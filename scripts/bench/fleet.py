"""One deployment: our processes on free loopback ports with data that is thrown away, and what they cost."""
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

from .client import Client

FLEET_KEY = "the fleet key of a benchmark"
START_S = 30
STOP_S = 15
TICKS = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def environment():
    """Ours, without what a developer has set for a service of their own."""
    ours = ("TIDEGATE_", "AWS_", "S3_", "DATABASE_URL", "REDIS_URL", "RUST_LOG")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)} | {"RUST_LOG": "warn"}


class Service:
    """A process of ours. It ends with this script, however that ends."""

    def __init__(self, binary, arguments, log, cores=None):
        self.name, self.admin, self.log = os.path.basename(binary), free_port(), log
        pinned = ["taskset", "-c", ",".join(map(str, cores))] if cores else []
        command = [*pinned, "setpriv", "--pdeathsig", "KILL", "--", binary, *arguments,
                   "--admin-listen", f"127.0.0.1:{self.admin}"]
        with open(log, "ab") as output:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                            env=environment())
        self.wait_until_ready()

    def wait_until_ready(self):
        deadline = time.monotonic() + START_S
        while True:
            try:
                self.page("/readyz")
                return
            except (urllib.error.URLError, OSError):
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"{self.name} did not start:\n{open(self.log).read()[-4000:]}")
                time.sleep(0.02)

    def page(self, path):
        return urllib.request.urlopen(f"http://127.0.0.1:{self.admin}{path}", timeout=10).read().decode()

    def samples(self, name):
        """{labels: value} of a metric."""
        found = {}
        for line in self.page("/metrics").splitlines():
            series, _, value = line.rpartition(" ")
            of, _, labels = series.partition("{")
            if of == name:
                pairs = (pair.split("=", 1) for pair in labels.rstrip("}").split(",") if pair)
                found[tuple(sorted((key, text.strip('"')) for key, text in pairs))] = float(value)
        return found

    def cpu_s(self):
        """CPU seconds of the process itself, and of its children that have ended."""
        with open(f"/proc/{self.process.pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        own, children = sum(map(int, fields[11:13])), sum(map(int, fields[13:15]))
        return own / TICKS, children / TICKS

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Fleet:
    """`with Fleet(…) as fleet:` an origin, to which workers and an edge are added. All of it goes at the end."""

    def __init__(self, options):
        self.bins, self.parent, self.services = options.bins, options.work, []

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="fleet-", dir=self.parent)
        try:
            self.start_origin()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for service in reversed(self.services):
            service.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, name, arguments, cores=None):
        log = os.path.join(self.folder, f"{name}-{len(self.services)}.log")
        service = Service(os.path.join(self.bins, name), arguments, log, cores)
        self.services.append(service)
        return service

    def start_origin(self):
        port, token_file = free_port(), os.path.join(self.folder, "admin.token")
        self.catalogue = os.path.join(self.folder, "catalog.db")
        self.blobs = os.path.join(self.folder, "blobs")
        self.origin = self.start("tidegate-origin", [
            "--listen", f"127.0.0.1:{port}", "--database-url", f"sqlite://{self.catalogue}?mode=rwc",
            "--store", f"file://{self.blobs}", "--admin-token-file", token_file, "--fleet-key", FLEET_KEY,
            "--rate-api", "off", "--rate-upload", "off"])
        self.origin_port = port
        with open(token_file) as token:
            self.token = token.read().strip()

    def client(self):
        return Client(self.origin_port, self.token)

    def worker(self, *arguments, cores=None):
        return self.start("tidegate-transcoder", [
            "--origin", f"http://127.0.0.1:{self.origin_port}", "--fleet-key", FLEET_KEY, "--store", self.blobs,
            "--name", f"worker-{len(self.services)}", *arguments], cores)

    def edge(self):
        self.edge_port = free_port()
        return self.start("tidegate-edge", [
            "--listen", f"127.0.0.1:{self.edge_port}", "--origin", f"http://127.0.0.1:{self.origin_port}",
            "--fleet-key", FLEET_KEY])
