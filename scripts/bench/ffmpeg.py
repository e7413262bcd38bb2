"""Bare ffmpeg: clips to upload, and the very commands our worker runs, run without us.

The commands are not written down here. One run of the worker is done with tools that say what they are called with
before they become ffmpeg and ffprobe; all that is changed of it is where the result goes.
"""
import os
import re
import resource
import shlex
import shutil
import stat
import subprocess
import threading
import time

# Drawing is slow, so ten seconds are drawn and repeated; no encoder looks back that far.
LOOP_S = 10
CONTENTS = {
    # A flight into the Mandelbrot set under film grain: detail at every scale, and motion everywhere. Hard.
    "flight": "mandelbrot=s=1920x1080:r=30:maxiter=500:end_scale=0.02:end_pts=300,noise=alls=6:allf=t",
    # Large flat areas with a little grain, some of them moving: what a screen recording or a cartoon is like. Easier.
    "pattern": "testsrc2=s=1920x1080:r=30,noise=alls=3:allf=t",
}
QUIET = ["ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "error", "-y"]


def made(path, words):
    """A file by ffmpeg, made once."""
    if not os.path.exists(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        unfinished = os.path.join(os.path.dirname(path), f"unfinished-{os.getpid()}-{os.path.basename(path)}")
        subprocess.run([*QUIET, *words, unfinished], check=True)
        os.rename(unfinished, path)
    return path


def clip(options, seconds):
    """1080p30 of this length."""
    folder, content = options.clips_folder, options.content
    loop = made(os.path.join(folder, f"{content}.mp4"), [
        "-f", "lavfi", "-i", CONTENTS[content], "-t", str(LOOP_S), "-c:v", "libx264", "-preset", "veryfast", "-b:v", "8M",
        "-maxrate", "10M", "-bufsize", "16M", "-g", "60", "-bf", "2", "-pix_fmt", "yuv420p"])
    return made(os.path.join(folder, f"{content}-{seconds}s.mp4"), [
        "-stream_loop", str(-(-seconds // LOOP_S) - 1), "-i", loop,
        "-f", "lavfi", "-i", f"anoisesrc=c=pink:a=0.3:d={seconds},aformat=channel_layouts=stereo",
        "-map", "0:v", "-map", "1:a", "-c:v", "copy", "-c:a", "aac", "-b:a", "128k", "-t", str(seconds),
        "-movflags", "+faststart"])


def short_clip(options):
    """Two seconds that are next to no work: what is measured with it is the way of the jobs."""
    return made(os.path.join(options.clips_folder, "short.mp4"), [
        "-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=2", "-f", "lavfi", "-i", "sine=440:d=2",
        "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac"])


def run(command, watch=None):
    """Runs to the end; CPU seconds of it and seconds that passed. `watch` is asked again and again meanwhile."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    said = []
    reader = threading.Thread(target=lambda: said.append(process.stderr.read()), daemon=True)
    reader.start()
    while watch and process.poll() is None:
        watch(time.monotonic() - began)
        time.sleep(0.02)
    status = process.wait()
    took = time.monotonic() - began
    reader.join()
    if status:
        raise SystemExit(f"{shlex.join(command)}\nended with {status}: {said[0].decode()[-3000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, took


class Recorder:
    """Tools that say what they are called with. Through a pipe: the worker forbids its children to write files."""

    SEPARATOR, END = "\x1f", "\x1eend"

    def __init__(self, folder):
        self.pipe = os.path.join(folder, "calls")
        os.mkfifo(self.pipe)
        # Held open for both, so that neither side waits for the other.
        self.reader, self.said = os.open(self.pipe, os.O_RDWR | os.O_NONBLOCK), b""
        self.tools = {tool: self.tool(folder, tool) for tool in ("ffmpeg", "ffprobe")}

    def tool(self, folder, name):
        path = os.path.join(folder, name)
        with open(path, "w") as script:
            script.write(f"#!/bin/sh\nprintf '%s\\037' {name} \"$@\" '{self.END}' >{shlex.quote(self.pipe)}\n"
                         f"exec {shlex.quote(shutil.which(name))} \"$@\"\n")
        os.chmod(path, stat.S_IRWXU)
        return path

    def calls(self):
        """What was called since the last time."""
        try:
            while block := os.read(self.reader, 1 << 16):
                self.said += block
        except BlockingIOError:
            pass
        *whole, self.said = self.said.split((self.END + self.SEPARATOR).encode())
        return [call.decode().rstrip(self.SEPARATOR).split(self.SEPARATOR) for call in whole]


class Encode:
    """One call of the worker's that makes something."""

    def __init__(self, call):
        self.call = call
        self.makes = [word.removeprefix("unix:") for word in call if word.startswith("unix:")]

    def bare(self, source):
        """The same, reading `source`, writing nothing."""
        words = ["/dev/null" if word.startswith("unix:") else word for word in self.call[1:]]
        words[words.index("-i") + 1] = f"file:{source}"
        return ["ffmpeg", "-y", *words]

    def graph(self):
        return self.call[self.call.index("-filter_complex") + 1] if "-filter_complex" in self.call else ""

    def rungs(self):
        """{rung: (its filter, its encoder's options)} of a call that makes pictures."""
        found = {}
        if "-video_track_timescale" not in self.call:
            return found
        for rung in self.makes:
            chain = re.search(rf"(scale=[^;\[]*)\[{rung}\]", self.graph())
            at = self.call.index(f"[{rung}]")
            found[rung] = (chain[1], self.call[at + 1:self.call.index("-video_track_timescale", at)])
        return found

    def alone(self, source, rung):
        """This rung with a decode of its own."""
        chain, options = self.rungs()[rung]
        words = self.bare(source)
        head = words[:words.index("-filter_complex")]
        grid = re.split(r",(?:split|scale)=", self.graph())[0]
        return [*head, "-filter_complex", f"{grid},{chain}[{rung}]", "-map", f"[{rung}]", *options,
                "-f", "mp4", "-movflags", "cmaf+frag_keyframe+empty_moov+default_base_moof", "/dev/null"]

    def decode(self, source):
        """Nothing but the decoding."""
        words = self.bare(source)
        return [*words[:words.index("-filter_complex")], "-map", "0:v", "-f", "null", "-"]


def encodes(calls):
    """The calls that make something; the first of its kind, where one was tried again."""
    found = {}
    for call in calls:
        encode = Encode(call)
        if call[0] == "ffmpeg" and encode.makes:
            found.setdefault((*encode.makes, encode.graph()), encode)
    return list(found.values())


def by_hand(encodes_of_clip, source, folder):
    """What someone would script: one ffmpeg that makes the same ladder as HLS, with the same encoders' options."""
    rungs = {rung: made for encode in encodes_of_clip for rung, made in encode.rungs().items()}
    audio = next(encode.call for encode in encodes_of_clip if encode.makes[0].startswith("a"))
    splits = "".join(f"[s{n}]" for n in range(len(rungs)))
    graph = [f"[0:v]split={len(rungs)}{splits}"]
    words = []
    for n, (rung, (chain, options)) in enumerate(rungs.items()):
        graph.append(f"[s{n}]{chain}[{rung}]")
        words += ["-map", f"[{rung}]"]
        for name, value in zip(options[::2], options[1::2]):
            if name not in ("-frames:v", "-fps_mode"):
                words += [f"{name.removesuffix(':v')}:v:{n}", value]
    bitrate = audio[audio.index("-b:a") + 1]
    words += ["-map", "0:a:0", "-c:a", "aac", "-b:a", bitrate]
    variants = " ".join([*(f"v:{n},agroup:sound,name:{rung}" for n, rung in enumerate(rungs)),
                         "a:0,agroup:sound,name:sound"])
    return [*QUIET, "-i", source, "-filter_complex", ";".join(graph), *words, "-f", "hls", "-hls_time", "4",
            "-hls_list_size", "0", "-hls_segment_type", "fmp4", "-hls_flags", "independent_segments",
            "-hls_segment_filename", f"{folder}/%v-%05d.m4s", "-master_pl_name", "master.m3u8",
            "-var_stream_map", variants, f"{folder}/%v.m3u8"], next(iter(rungs))
