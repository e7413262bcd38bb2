"""What is measured. Each scene is a function of the options; it returns what it saw, for the tables and the JSON."""
import json
import math
import os
import pathlib
import random
import shutil
import sqlite3
import statistics
import subprocess
import tempfile
import time

from . import ffmpeg, player
from .fleet import Fleet

INTEROP = pathlib.Path(__file__).resolve().parents[2] / "tests" / "interop"
# Up to here a video is encoded in one piece, so that a second worker has nothing to take.
ONE_PIECE_S = 60
# Looks are rare where CPU time is measured: each costs the origin some.
RARE_LOOK_S = 0.5


def spread(values):
    """The middle, the ends, and what no more than one in twenty are above."""
    values = sorted(values)
    return {"p50": statistics.median(values), "p95": values[math.ceil(0.95 * len(values)) - 1],
            "min": values[0], "max": values[-1], "n": len(values)}


def say(text):
    print(f"  … {text}", flush=True)


def ready(options):
    """Last byte to `playable` and to `ready`: one worker as it comes, on all cores."""
    rows = []
    for seconds in options.clips:
        source, seen = ffmpeg.clip(options, seconds), []
        for n in range(options.rounds):
            with Fleet(options) as fleet:
                fleet.worker()
                client = fleet.client()
                seen.append(client.times(*client.upload(source)))
                say(f"{seconds} s, round {n + 1}: playable {seen[-1][0]:.2f} s, ready {seen[-1][1]:.2f} s")
        rows.append({"clip_s": seconds, "playable_s": spread([playable for playable, _ in seen]),
                     "ready_s": spread([ready for _, ready in seen])})
    return rows


def record(options, source):
    """The commands the worker makes of a clip."""
    with Fleet(options) as fleet:
        recorder = ffmpeg.Recorder(fleet.folder)
        # One job at a time: a call is one line in the pipe.
        fleet.worker("--slots", "1", "--ffmpeg", recorder.tools["ffmpeg"], "--ffprobe", recorder.tools["ffprobe"])
        client, calls = fleet.client(), []
        asset, sent = client.upload(source)
        while client.asset(asset)["state"] != "ready":
            calls += recorder.calls()
            time.sleep(0.1)
        client.times(asset, sent)
        return ffmpeg.encodes(calls + recorder.calls())


def cpu_clip(options):
    """Long enough to mean something, short enough to be in one piece."""
    return max((seconds for seconds in options.clips if seconds <= ONE_PIECE_S), default=min(options.clips))


def cpu(options):
    """CPU seconds of our pipeline beside those of bare ffmpeg with the same commands, in turns, a job at a time."""
    seconds = cpu_clip(options)
    source = ffmpeg.clip(options, seconds)
    encodes, rounds, minutes = record(options, source), [], seconds / 60
    for n in range(options.rounds):
        ours = cpu_of_the_pipeline(options, source)
        bare = sum(ffmpeg.run(encode.bare(source))[0] for encode in encodes)
        ours["bare"] = bare
        ours["overhead"] = (ours["worker"] + ours["origin"] + ours["children"]) / bare - 1
        ours["own_share"] = (ours["worker"] + ours["origin"]) / bare
        rounds.append(ours)
        say(f"round {n + 1}: bare {bare:.1f} s, ours {ours['overhead']:+.1%}, worker and origin themselves "
            f"{ours['own_share']:.1%}")
    middle = lambda values: spread(list(values))["p50"]
    made = {name: middle(one["made"][name] for one in rounds) / minutes for name in rounds[0]["made"]}
    alone = {}
    for encode in encodes:
        for rung in encode.rungs():
            alone[rung] = ffmpeg.run(encode.alone(source, rung))[0] / minutes
    pictures = next(encode for encode in encodes if encode.rungs())
    return {"clip_s": seconds, "rounds": rounds, "made_cpu_s_per_minute": made,
            "rung_alone_cpu_s_per_minute": alone,
            "decode_cpu_s_per_minute": ffmpeg.run(pictures.decode(source))[0] / minutes,
            "overhead": spread([one["overhead"] for one in rounds]),
            "own_share": spread([one["own_share"] for one in rounds])}


def cpu_of_the_pipeline(options, source):
    """From the last byte to `ready`."""
    with Fleet(options) as fleet:
        worker = fleet.worker("--slots", "1")
        client = fleet.client()
        # Counted from before the upload, since jobs begin while we look; what the upload itself takes is taken off by
        # an upload of the same bytes that nobody makes anything of.
        began = fleet.origin.cpu_s()[0], *worker.cpu_s()
        asset, sent = client.upload(source)
        client.times(asset, sent, RARE_LOOK_S)
        ended = fleet.origin.cpu_s()[0], *worker.cpu_s()
        made = worker.samples("tidegate_worker_cpu_seconds_total")
    origin, own, children = (after - before for before, after in zip(began, ended))
    return {"origin": max(0.0, origin - cpu_of_an_upload(options, source)), "worker": own, "children": children,
            "made": {dict(labels)["made"]: value for labels, value in made.items()}}


def cpu_of_an_upload(options, source):
    with Fleet(options) as fleet:
        client, before = fleet.client(), fleet.origin.cpu_s()[0]
        client.upload(source)
        return fleet.origin.cpu_s()[0] - before


def peer(options):
    """One ffmpeg that makes the same ladder in one go, as scripts do, beside us."""
    rows = []
    # What is said to the encoders does not depend on the length; a short clip tells it sooner.
    encodes = record(options, ffmpeg.clip(options, min(options.clips)))
    for seconds in options.clips:
        source = ffmpeg.clip(options, seconds)
        cpu_s, took, begins = [], [], []
        for n in range(options.rounds):
            folder = tempfile.mkdtemp(prefix="peer-", dir=options.work)
            command, lowest = ffmpeg.by_hand(encodes, source, folder)
            playlists, seen = [os.path.join(folder, f"{name}.m3u8") for name in (lowest, "sound")], []

            def look(passed):
                if not seen and all(os.path.exists(p) and "#EXTINF" in open(p).read() for p in playlists):
                    seen.append(passed)

            used, passed = ffmpeg.run(command, look)
            look(passed)
            shutil.rmtree(folder)
            cpu_s, took, begins = cpu_s + [used], took + [passed], begins + seen
            say(f"{seconds} s, round {n + 1}: first segment {seen[0]:.2f} s, all {passed:.2f} s, CPU {used:.1f} s")
        rows.append({"clip_s": seconds, "first_segment_s": spread(begins), "all_s": spread(took),
                     "cpu_s": spread(cpu_s)})
    return rows


def claims(options):
    """Push beside pull: how long a job that could be given out waits, while short videos come in one by one."""
    source, found = ffmpeg.short_clip(options), []
    for mode in ("push", "poll:5s"):
        with Fleet(options) as fleet:
            fleet.worker("--claim", mode)
            client, pauses = fleet.client(), random.Random(7)
            assets = []
            for _ in range(options.uploads):
                # At random, so that no rhythm of ours meets one of the worker's.
                time.sleep(pauses.expovariate(1 / options.gap))
                assets.append(client.upload(source))
            for asset, sent in assets:
                client.times(asset, sent, RARE_LOOK_S)
            found.append({"claim": mode, "uploads": options.uploads, **of_the_catalogue(fleet.catalogue)})
            say(f"{mode}: waits p50 {found[-1]['wait_s']['p50']:.3f} s, p95 {found[-1]['wait_s']['p95']:.3f} s")
    return found


def of_the_catalogue(path):
    """The record has it to the millisecond, where a histogram has only buckets."""
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as catalogue:
        waits = catalogue.execute("SELECT claimed_at - run_after FROM jobs WHERE state = 'done' AND attempt = 1")
        waits = [wait / 1000 for wait, in waits]
        whole = catalogue.execute("SELECT MAX(updated_at) - MIN(created_at) FROM jobs GROUP BY asset_id, revision")
        whole = [took / 1000 for took, in whole]
    return {"jobs": len(waits), "wait_s": spread(waits), "upload_to_ready_s": spread(whole)}


def workers(options):
    """Two workers on one long file beside one; each worker and its encoders have one core."""
    seconds, cores = max(options.clips), sorted(os.sched_getaffinity(0))
    if seconds <= ONE_PIECE_S:
        return {"skipped": f"a video of {seconds} s is encoded in one piece: --clips needs one above {ONE_PIECE_S} s"}
    if len(cores) < 2:
        return {"skipped": "there is only one core"}
    source, found = ffmpeg.clip(options, seconds), {1: [], 2: []}
    for n in range(options.rounds):
        for count in found:
            with Fleet(options) as fleet:
                for core in cores[:count]:
                    fleet.worker(cores=[core])
                client = fleet.client()
                found[count].append(client.times(*client.upload(source)))
                say(f"round {n + 1}, {count} of them: ready {found[count][-1][1]:.1f} s")
    one, two = (spread([ready for _, ready in found[count]]) for count in (1, 2))
    return {"clip_s": seconds, "cores": cores[:2], "one_ready_s": one, "two_ready_s": two,
            "speedup": one["p50"] / two["p50"]}


class Show:
    """An asset that is ready, behind an edge that has it in memory."""

    def __init__(self, fleet, source):
        fleet.edge()
        fleet.worker()
        client = fleet.client()
        asset, sent = client.upload(source)
        client.times(asset, sent, RARE_LOOK_S)
        granted = client.playback(asset)
        self.port, self.hls = fleet.edge_port, granted["playback"]["hls"]
        self.watch = f"http://127.0.0.1:{fleet.origin_port}{granted['watch']}"
        link = player.Link(self.port)
        self.rungs, sound = player.master(self.hls, link.text(self.hls))
        for playlist in [path for *_, path in self.rungs] + ([sound] if sound else []):
            for media in [player.Media(playlist, link.text(playlist))] * 2:
                for path in [media.init, *(path for _, path in media.segments)]:
                    link.get(path)


def start(options):
    """How long a player takes to its first picture through a warm edge."""
    with Fleet(options) as fleet:
        show = Show(fleet, ffmpeg.clip(options, min(options.clips)))
        fetches = [{"lines": lines, "fetched_s": spread(
            [player.first_picture_s(show.port, show.hls, n) for _ in range(options.starts)])}
            for n, (_, lines, _) in enumerate(show.rungs)]
        return {"fetches": fetches, "browser": in_a_browser(show.watch, options)}


def in_a_browser(watch, options):
    modules, chromium, node = INTEROP / "node_modules", shutil.which("chromium"), shutil.which("node")
    if not (chromium and node and (modules / "playwright-core").exists()):
        return {"skipped": "scripts/install-test-tools.sh was not run"}
    wish = {"modules": str(modules), "chromium": chromium, "watch": watch, "rounds": options.starts}
    script = pathlib.Path(__file__).with_name("first_frame.mjs")
    said = subprocess.run([node, script, json.dumps(wish)], capture_output=True, text=True)
    if said.returncode:
        return {"skipped": f"the watch page showed no picture: {said.stderr.strip()[-600:]}"}
    said = json.loads(said.stdout)
    return {"first_frame_s": spread([ms / 1000 for ms in said["ms"]]), "adaptive": said["segments"] > 0}


def rebuffer(options):
    """Each rung to its end over a link of 1.5 times its rate."""
    seconds = cpu_clip(options)
    with Fleet(options) as fleet:
        show = Show(fleet, ffmpeg.clip(options, seconds))
        rows = []
        for n, (_, lines, _) in enumerate(show.rungs):
            rows.append({"lines": lines, **player.play(show.port, show.hls, n, options.link)})
            say(f"{lines} lines: {rows[-1]['stalled_s']:.2f} s stalled")
        return {"clip_s": seconds, "link": options.link, "rungs": rows}
