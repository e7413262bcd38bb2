"""Uploads FILE to ENDPOINT with tuspy in chunks, breaks off in the middle, and resumes by URL with a new client.

    python tuspy_resume.py ENDPOINT TOKEN FILE CHUNK_BYTES

Prints one line of JSON.
"""

import json
import os
import sys

from tusclient.client import TusClient


def main() -> None:
    endpoint, token, path, chunk_bytes = sys.argv[1:5]
    chunk = int(chunk_bytes)
    size = os.path.getsize(path)
    headers = {"Authorization": f"Bearer {token}"}
    metadata = {"filename": os.path.basename(path), "filetype": "video/mp4"}

    first = TusClient(endpoint, headers=headers).uploader(path, chunk_size=chunk, metadata=metadata)
    first.upload(stop_at=size // 2)
    stopped_at = first.offset
    assert 0 < stopped_at < size, stopped_at

    second = TusClient(endpoint, headers=headers).uploader(path, chunk_size=chunk, url=first.url)
    resumed_at = second.offset
    second.upload()
    print(json.dumps({"url": second.url, "stopped_at": stopped_at, "resumed_at": resumed_at, "end": second.offset}))


if __name__ == "__main__":
    main()
