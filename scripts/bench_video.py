#!/usr/bin/env python3
"""Benchmark of video, from the last byte of an upload to the first picture: an origin, workers and an edge as
processes on this machine, with data of their own that is thrown away. Everything printed was measured in this run.

  ready     last byte -> `playable` and -> `ready`
  peer      one ffmpeg that makes the same ladder in one go
  cpu       CPU seconds per minute of video and rung, and what we cost over bare ffmpeg with the same commands
  claims    push against pull: how long jobs wait for a worker
  workers   two workers on the longest clip against one, each pinned to a core
  start     the first picture through a warm edge
  rebuffer  stalls on a link of 1.5 times the rung

usage: bench_video.py [--scenes ready,cpu] [--clips 10,60,300] [--rounds 3] [--bins DIR] [--json FILE]
"""
import argparse
import json
import os
import pathlib
import platform
import shutil
import signal
import subprocess
import sys
import time

from bench import ffmpeg, report, scenes

SCENES = ("ready", "peer", "cpu", "claims", "workers", "start", "rebuffer")


def alone(command):
    """Runs this script once more where nobody else is: in a network of its own, whose only congestion control is
    reno. A paced one, as BBR, makes a loopback wait that nobody would have. BENCH_CONGESTION=host leaves all as it is;
    so does not being root."""
    if os.environ.get("BENCH_CONGESTION") == "host" or os.environ.get("BENCH_ALONE") or os.geteuid() != 0:
        return
    os.environ["BENCH_ALONE"] = "1"
    setup = "ip link set lo up && sysctl -qw net.ipv4.tcp_congestion_control=reno && exec \"$@\""
    os.execvp("unshare", ["unshare", "--net", "sh", "-c", setup, "sh", sys.executable, *command])


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    numbers = lambda text: sorted({int(part) for part in text.split(",")})
    parser.add_argument("--scenes", default=",".join(SCENES), type=lambda text: text.split(","))
    parser.add_argument("--clips", default="10,60,300", type=numbers, help="seconds of each clip")
    parser.add_argument("--content", default="flight", choices=ffmpeg.CONTENTS, help="of the clips: hard or easier")
    parser.add_argument("--rounds", default=3, type=int, help="of everything that makes a video")
    parser.add_argument("--uploads", default=20, type=int, help="short ones, for push and for pull")
    parser.add_argument("--gap", default=2.0, type=float, help="seconds between them, on average")
    parser.add_argument("--starts", default=20, type=int, help="of a player")
    parser.add_argument("--link", default=1.5, type=float, help="of the thin link, in rates of the rung")
    parser.add_argument("--bins", default="target/release", help="folder of our binaries")
    parser.add_argument("--work", default="target/bench-video", help="folder for clips, which are kept, and data")
    parser.add_argument("--json", help="file for everything that was seen")
    options = parser.parse_args()
    if unknown := set(options.scenes) - set(SCENES):
        parser.error(f"no such scene: {', '.join(sorted(unknown))}")
    options.work, options.bins = os.path.abspath(options.work), os.path.abspath(options.bins)
    options.clips_folder = os.path.join(options.work, "clips")
    for name in ("tidegate-origin", "tidegate-transcoder", "tidegate-edge"):
        if not os.path.exists(os.path.join(options.bins, name)):
            parser.error(f"{options.bins} has no {name}: build it, or say --bins")
    if missing := [tool for tool in ("ffmpeg", "ffprobe", "setpriv", "taskset", "unshare") if not shutil.which(tool)]:
        parser.error(f"not installed: {', '.join(missing)}")
    return options


def machine(options):
    """What the figures were seen on, and whether anybody else was at work."""
    model = [line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")]
    version = subprocess.run(["ffmpeg", "-version"], capture_output=True, text=True).stdout.split(" ")[2]
    return {"cpu": model[0] if model else platform.machine(), "cores": len(os.sched_getaffinity(0)),
            "load_before": os.getloadavg()[0], "ffmpeg": version,
            "congestion": pathlib.Path("/proc/sys/net/ipv4/tcp_congestion_control").read_text().strip(),
            "clips": f"{options.content}: {ffmpeg.CONTENTS[options.content]} (each {ffmpeg.LOOP_S} s), pink noise; "
                     "1080p30, H.264 at 8 Mbit/s, AAC",
            "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}


def main():
    options = arguments()
    alone(sys.argv)
    # So that what was started is stopped and its data removed then too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended from outside"))
    os.makedirs(options.clips_folder, exist_ok=True)
    seen = {"machine": machine(options), "rounds": options.rounds}
    report.machine(seen["machine"], sys.stdout)
    for name in options.scenes:
        print(f"\n{name}", flush=True)
        seen[name] = getattr(scenes, name)(options)
        getattr(report, name)(seen[name])
        if options.json:
            # After each scene: what was seen is not lost to what goes wrong later.
            pathlib.Path(options.json).write_text(json.dumps(seen, indent=1) + "\n")


if __name__ == "__main__":
    main()
