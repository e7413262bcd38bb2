"""Reads the playlists of an asset with m3u8, which others wrote, and prints as JSON what they say.

    manifests_hls.py MASTER_URL
"""

import json
import sys

import m3u8

# Not what m3u8 would make of the address: it is asked for nothing but to read.
master = m3u8.load(sys.argv[1])
assert master.is_variant and master.is_independent_segments


def media(uri):
    playlist = m3u8.load(uri)
    first_map = playlist.segment_map[0] if playlist.segment_map else None
    return {
        "uri": uri,
        "init": first_map and first_map.absolute_uri,
        "whole": playlist.is_endlist,
        "iframes_only": playlist.is_i_frames_only,
        "target_duration": playlist.target_duration,
        "segments": [
            {"uri": segment.absolute_uri, "duration": segment.duration, "range": segment.byterange}
            for segment in playlist.segments
        ],
    }


def stream(info):
    return {
        "bandwidth": info.bandwidth,
        "average_bandwidth": info.average_bandwidth,
        "codecs": info.codecs.split(","),
        "resolution": info.resolution,
        "frame_rate": info.frame_rate,
    }


print(
    json.dumps(
        {
            "variants": [
                {
                    **stream(variant.stream_info),
                    "audio": variant.stream_info.audio,
                    "subtitles": variant.stream_info.subtitles,
                    **media(variant.absolute_uri),
                }
                for variant in master.playlists
            ],
            "iframes": [
                {
                    "bandwidth": variant.iframe_stream_info.bandwidth,
                    "codecs": variant.iframe_stream_info.codecs.split(","),
                    "resolution": variant.iframe_stream_info.resolution,
                    **media(variant.absolute_uri),
                }
                for variant in master.iframe_playlists
            ],
            "renditions": [
                {
                    "type": rendition.type,
                    "group": rendition.group_id,
                    "language": rendition.language,
                    "name": rendition.name,
                    "default": rendition.default,
                    "channels": rendition.channels,
                    **media(rendition.absolute_uri),
                }
                for rendition in master.media
            ],
        }
    )
)
