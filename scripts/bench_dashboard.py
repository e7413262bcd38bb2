#!/usr/bin/env python3
"""Benchmark of the dashboard and its API on the embedded default: an origin with 10,000 assets on SQLite, as a process on
this machine with data of its own that is thrown away. Everything printed was measured in this run.

  list     GET /api/v1/assets at a fixed rate, of several kinds, while files are uploaded beside it
  events   open event streams: what they take, and how long a change is on its way to all of them
  page     the library page in headless Chromium: when it can be used, and what it loads

usage: bench_dashboard.py [--scenes list,events] [--assets 10000] [--rate 100] [--seconds 20] [--streams 200] [--bins DIR]
"""
import argparse
import http.client
import json
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import threading
import time

from bench import crowd
from bench.fleet import Fleet
from bench.report import table

SCENES = ("list", "events", "page")
MAKERS = 8
UPLOAD_BYTES = 64 << 20
WORDS = "tide gate harbour lock sluice weir dam canal river estuary delta spring neap flood ebb slack".split()


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", default=",".join(SCENES), type=lambda text: text.split(","))
    parser.add_argument("--assets", default=10_000, type=int)
    parser.add_argument("--rate", default=100, type=int, help="requests a second")
    parser.add_argument("--seconds", default=20, type=int, help="of requests")
    parser.add_argument("--streams", default=200, type=int, help="open at once")
    parser.add_argument("--rounds", default=5, type=int, help="of opening the page")
    parser.add_argument("--bins", default="target/release", help="folder of our binaries")
    parser.add_argument("--work", default="target/bench-dashboard", help="folder for data")
    parser.add_argument("--json", help="file for everything that was seen")
    options = parser.parse_args()
    if unknown := set(options.scenes) - set(SCENES):
        parser.error(f"no such scene: {', '.join(sorted(unknown))}")
    options.work, options.bins = os.path.abspath(options.work), os.path.abspath(options.bins)
    if not os.path.exists(os.path.join(options.bins, "tidegate-origin")):
        parser.error(f"{options.bins} has no tidegate-origin: build it, or say --bins")
    return options


def fill(fleet, count):
    """Uploads so many small files under names of a few words, by several connections."""
    numbers, lock = iter(range(count)), threading.Lock()

    def maker():
        connection = http.client.HTTPConnection("127.0.0.1", fleet.origin_port, timeout=60)
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            name = f"{WORDS[number % 16]} {WORDS[number // 16 % 16]} {number}.bin"
            connection.request("POST", "/files", f"file {number}".encode(), {
                "Authorization": f"Bearer {fleet.token}", "Content-Type": "application/octet-stream",
                "Content-Disposition": f'attachment; filename="{name}"'})
            answer = connection.getresponse()
            answer.read()
            if answer.status != 201:
                raise SystemExit(f"POST /files: {answer.status}")

    threads = [threading.Thread(target=maker) for _ in range(MAKERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def headers(fleet):
    return {"Authorization": f"Bearer {fleet.token}"}


def memory_bytes(service):
    status = pathlib.Path(f"/proc/{service.process.pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) * 1024


def far_cursor(fleet):
    """A cursor from the middle of the list, as someone has it who pages through."""
    client, cursor = fleet.client(), ""
    for _ in range(10):
        page = client.call("GET", f"/api/v1/assets?limit=200{cursor}")
        if not page["next_cursor"]:
            break
        cursor = f"&cursor={page['next_cursor']}"
    return cursor


def list_scene(options, fleet):
    far = far_cursor(fleet)
    kinds = {
        "newest 50": "/api/v1/assets?limit=50",
        "by title": "/api/v1/assets?limit=50&sort=title",
        "by size": "/api/v1/assets?limit=50&sort=-size",
        "a search": "/api/v1/assets?limit=50&q=harbour",
        "far into the list": f"/api/v1/assets?limit=50{far}",
    }
    done = threading.Event()
    uploading = threading.Thread(target=upload_beside, args=(fleet, done), daemon=True)
    uploading.start()
    seen = {"assets": options.assets, "rate": options.rate}
    seen["all"] = crowd.at_a_rate(fleet.origin_port, headers(fleet), list(kinds.values()), options.rate, options.seconds)
    for name, path in kinds.items():
        seen[name] = crowd.at_a_rate(fleet.origin_port, headers(fleet), [path], options.rate, options.seconds / 4)
    done.set()
    uploading.join(30)
    rows = [[name, *(f"{seen[name][key] * 1000:.1f}" for key in ("p50", "p95", "p99", "max"))] for name in ["all", *kinds]]
    table([f"{options.rate} requests/s, in ms", "p50", "p95", "p99", "max"], rows)
    return seen


def upload_beside(fleet, done):
    """One upload after the other, as fast as it goes at 20 MB/s."""
    block = os.urandom(1 << 20)
    while not done.is_set():
        connection = http.client.HTTPConnection("127.0.0.1", fleet.origin_port, timeout=60)
        connection.putrequest("POST", "/files")
        for name, value in (headers(fleet) | {"Content-Type": "application/octet-stream",
                                              "Content-Length": str(UPLOAD_BYTES)}).items():
            connection.putheader(name, value)
        connection.endheaders()
        for _ in range(UPLOAD_BYTES // len(block)):
            connection.send(block)
            time.sleep(0.05)
        connection.getresponse().read()
        connection.close()


def events_scene(options, fleet):
    before = memory_bytes(fleet.origin)
    streams = crowd.Streams(fleet.origin_port, headers(fleet), options.streams)
    open_bytes = memory_bytes(fleet.origin)
    client = fleet.client()
    asset = client.call("GET", "/api/v1/assets?limit=1")["assets"][0]["id"]
    titles = iter(range(1000))
    change = lambda: client.call("PATCH", f"/api/v1/assets/{asset}", {"title": f"title {next(titles)}"})
    heard = streams.hear("asset.changed", change)
    streams.close()
    seen = {"streams": options.streams, "before_bytes": before, "open_bytes": open_bytes, "heard_s": heard}
    each = (open_bytes - before) / options.streams / 1024
    print(f"  {options.streams} streams: the origin at {before / 1e6:.0f} MB without and {open_bytes / 1e6:.0f} MB with "
          f"them, {each:.0f} KiB each\n  a change was heard by all: p50 {heard['p50'] * 1000:.0f} ms, "
          f"p95 {heard['p95'] * 1000:.0f} ms, the last after {heard['max'] * 1000:.0f} ms")
    return seen


def page_scene(options, fleet):
    root = pathlib.Path(__file__).resolve().parent.parent
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    modules = root / "tests/interop/node_modules"
    if not chromium or not modules.exists():
        print("  skipped: no chromium, or tests/interop/node_modules is missing (make test-tools)")
        return {"skipped": True}
    # The assets are the administrator's, who has a token and no password: the browser sends it with each request.
    wish = {"modules": str(modules), "chromium": chromium, "origin": f"http://127.0.0.1:{fleet.origin_port}",
            "token": fleet.token, "rounds": options.rounds}
    said = subprocess.run(["node", str(root / "scripts/bench/library_page.mjs"), json.dumps(wish)],
                          capture_output=True, text=True)
    if said.returncode:
        raise SystemExit(said.stderr)
    seen = json.loads(said.stdout)
    usable = crowd.spread(seen["interactive_ms"])
    print(f"  {options.assets} assets: usable p50 {usable['p50']:.0f} ms, the slowest {usable['max']:.0f} ms "
          f"({options.rounds} times, nothing in the browser's cache)")
    table(["page", "scripts, compressed KB"], [[page, f"{size / 1000:.1f}"] for page, size in seen["script_bytes"].items()])
    return seen


def main():
    options = arguments()
    os.makedirs(options.work, exist_ok=True)
    print(f"{len(os.sched_getaffinity(0))} cores of {platform.machine()}, load {os.getloadavg()[0]:.1f} before")
    seen = {}
    with Fleet(options) as fleet:
        began = time.monotonic()
        fill(fleet, options.assets)
        print(f"{options.assets} assets made in {time.monotonic() - began:.0f} s")
        for name in options.scenes:
            print(f"\n{name}", flush=True)
            seen[name] = {"list": list_scene, "events": events_scene, "page": page_scene}[name](options, fleet)
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(seen, indent=1) + "\n")


if __name__ == "__main__":
    main()
