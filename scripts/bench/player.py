"""A viewer without a screen: what a player fetches before it can show a picture, and one behind a thin link."""
import http.client
import re
import time
import urllib.parse

PIECE = 16 * 1024
# What a player keeps ahead of what it shows, in seconds: it fetches no more meanwhile.
AHEAD_S = 30


class Link:
    """A connection to the edge, through which no more than so many bits a second come."""

    def __init__(self, port, bits_per_second=None):
        self.connection, self.rate, self.free_at = http.client.HTTPConnection("127.0.0.1", port, timeout=60), \
            bits_per_second, 0.0

    def get(self, path):
        self.connection.request("GET", path)
        answer = self.connection.getresponse()
        body = bytearray()
        while piece := answer.read(PIECE):
            body += piece
            if self.rate:
                self.free_at = max(self.free_at, time.monotonic()) + len(piece) * 8 / self.rate
                if (wait := self.free_at - time.monotonic()) > 0:
                    time.sleep(wait)
        if answer.status != 200:
            raise SystemExit(f"GET {path}: {answer.status} {bytes(body[:300])!r}")
        return bytes(body)

    def text(self, path):
        return self.get(path).decode()


class Media:
    """A media playlist."""

    def __init__(self, path, text):
        at = lambda name: urllib.parse.urljoin(path, name)
        self.init = at(re.search(r'#EXT-X-MAP:.*?URI="([^"]+)"', text)[1])
        self.segments = [(float(length), at(name)) for length, name in
                         re.findall(r"#EXTINF:([\d.]+),.*\n(?:#.*\n)*([^#\n].*)", text)]


def master(path, text):
    """[(bits a second on average, lines, path of the rung's playlist)] from the lowest, and the sound's playlist."""
    rungs = []
    for attributes, name in re.findall(r"#EXT-X-STREAM-INF:(.*)\n(.*)", text):
        average = int(re.search(r"AVERAGE-BANDWIDTH=(\d+)", attributes)[1])
        lines = int(re.search(r"RESOLUTION=\d+x(\d+)", attributes)[1])
        rungs.append((average, lines, urllib.parse.urljoin(path, name)))
    sound = re.search(r'TYPE=AUDIO.*URI="([^"]+)"', text)
    return sorted(rungs), sound and urllib.parse.urljoin(path, sound[1])


def begin(link, hls, rung):
    """Fetches what is needed for the first picture and the first sound of a rung; its tracks."""
    rungs, sound = master(hls, link.text(hls))
    tracks = [Media(path, link.text(path)) for path in (rungs[rung][2], sound) if path]
    for track in tracks:
        link.get(track.init)
        link.get(track.segments[0][1])
    return tracks


def first_picture_s(port, hls, rung):
    """Seconds from nothing, not even a connection, to the first segments of a rung and of the sound."""
    began = time.monotonic()
    begin(Link(port), hls, rung)
    return time.monotonic() - began


def play(port, hls, rung, factor):
    """Plays a rung to its end over a link of `factor` times what the rung has on average, picture and sound
    together; what a viewer would have seen.

    The model: one connection; playing begins when the first segment of picture and sound is there; the next ones are
    fetched one after the other, unless there is enough ahead; when nothing is left to show the picture stands until
    the next segment of both is there."""
    average = master(hls, Link(port).text(hls))[0][rung][0]
    link, began = Link(port, average * factor), time.monotonic()
    picture, *sound = begin(link, hls, rung)
    shown_from = time.monotonic()
    stood, there = 0.0, picture.segments[0][0]
    stalls = 0
    for n, (length, path) in enumerate(picture.segments[1:], 1):
        while there - (time.monotonic() - shown_from - stood) > AHEAD_S:
            time.sleep(0.05)
        link.get(path)
        for track in sound:
            if n < len(track.segments):
                link.get(track.segments[n][1])
        late = time.monotonic() - shown_from - stood - there
        if late > 0:
            stood, stalls = stood + late, stalls + 1
        there += length
    return {"link_bps": round(average * factor), "start_s": shown_from - began, "stalls": stalls,
            "stalled_s": stood, "rebuffer_ratio": stood / (there + stood)}
