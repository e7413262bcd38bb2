"""What was seen, as tables."""


def table(head, rows):
    rows = [head, *[[cell if isinstance(cell, str) else f"{cell:.2f}" for cell in row] for row in rows]]
    widths = [max(len(row[n]) for row in rows) for n in range(len(head))]
    for row in rows:
        print("  " + "  ".join(cell.ljust(width) if n == 0 else cell.rjust(width)
                               for n, (cell, width) in enumerate(zip(row, widths))))


def mid(spread):
    return [spread["p50"], spread["min"], spread["max"]]


def machine(seen, out):
    print(f"{seen['cores']} cores of {seen['cpu']}, load {seen['load_before']:.1f} before; ffmpeg {seen['ffmpeg']}; "
          f"{seen['congestion']} on the loopback\n"
          f"clips: {seen['clips']}", file=out, flush=True)


def ready(rows):
    table(["clip", "playable p50", "min", "max", "ready p50", "min", "max", "ready/length"],
          [[f"{row['clip_s']} s", *mid(row["playable_s"]), *mid(row["ready_s"]),
            row["ready_s"]["p50"] / row["clip_s"]] for row in rows])


def peer(rows):
    table(["clip", "first segment p50", "all p50", "min", "max", "CPU s p50"],
          [[f"{row['clip_s']} s", row["first_segment_s"]["p50"], *mid(row["all_s"]), row["cpu_s"]["p50"]]
           for row in rows])


def cpu(seen):
    print(f"  CPU seconds per minute of video, from a clip of {seen['clip_s']} s; a job at a time")
    table(["made by the worker", "CPU s/min"], [[name, value] for name, value in
                                                 sorted(seen["made_cpu_s_per_minute"].items())])
    print("  by bare ffmpeg, each rung with a decode of its own")
    table(["rung", "CPU s/min"], [*[[name, value] for name, value in seen["rung_alone_cpu_s_per_minute"].items()],
                                  ["decode alone", seen["decode_cpu_s_per_minute"]]])
    rounds = seen["rounds"]
    table(["round", "bare ffmpeg", "our children", "worker", "origin", "overhead", "worker + origin"],
          [[str(n), one["bare"], one["children"], one["worker"], one["origin"], f"{one['overhead']:+.1%}",
            f"{one['own_share']:.1%}"] for n, one in enumerate(rounds, 1)])
    print(f"  overhead p50 {seen['overhead']['p50']:+.1%} ({seen['overhead']['min']:+.1%} to "
          f"{seen['overhead']['max']:+.1%}), of which worker and origin {seen['own_share']['p50']:.1%}")


def claims(rows):
    table(["claim", "jobs", "wait p50", "p95", "max", "upload to ready p50", "p95"],
          [[row["claim"], str(row["jobs"]), *(f"{row['wait_s'][key]:.3f}" for key in ("p50", "p95", "max")),
            row["upload_to_ready_s"]["p50"], row["upload_to_ready_s"]["p95"]] for row in rows])
    push, pull = rows
    for what in ("p50", "p95"):
        if pull["wait_s"][what]:
            print(f"  push waits {1 - push['wait_s'][what] / pull['wait_s'][what]:.1%} less at {what}")


def workers(seen):
    if "skipped" in seen:
        return print(f"  skipped: {seen['skipped']}")
    cores = " and ".join(map(str, seen["cores"]))
    table(["workers", "ready p50", "min", "max"], [["1", *mid(seen["one_ready_s"])], ["2", *mid(seen["two_ready_s"])]])
    print(f"  a clip of {seen['clip_s']} s; each worker with its encoders pinned to one core ({cores}), the origin "
          f"to none: {seen['speedup']:.2f} times as fast")


def start(seen):
    table(["rung, fetched as a player does", "p50 s", "p95", "max"],
          [[f"{row['lines']} lines", *(f"{row['fetched_s'][key]:.4f}" for key in ("p50", "p95", "max"))]
           for row in seen["fetches"]])
    browser = seen["browser"]
    if "skipped" in browser:
        return print(f"  in a browser: skipped: {browser['skipped']}")
    shown = browser["first_frame_s"]
    print(f"  watch page in headless Chromium, nothing in its caches, to the first frame: p50 {shown['p50']:.2f} s, "
          f"p95 {shown['p95']:.2f} s ({'adaptive' if browser['adaptive'] else 'the uploaded file, not adaptive'})")


def rebuffer(seen):
    print(f"  a clip of {seen['clip_s']} s over one connection at {seen['link']} times the rung's average rate")
    table(["rung", "link kbit/s", "start s", "stalls", "stalled s", "rebuffer ratio"],
          [[f"{row['lines']} lines", f"{row['link_bps'] / 1000:.0f}", row["start_s"], str(row["stalls"]),
            row["stalled_s"], f"{row['rebuffer_ratio']:.2%}"] for row in seen["rungs"]])
