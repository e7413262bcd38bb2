"""What `scripts/bench_video.py` is made of."""
