// How a video does: what was watched, and how well it came.

import type { JSX } from "preact";

import { get } from "../api/client";
import type { Statistics } from "../api/types";
import { bytes, count, hours, percent, plural } from "../../shared/format";
import { useEvery, useLoaded } from "../live/use";
import { Card, Figure, Loading, Trouble } from "../ui/basics";

const EVERY_S = 15;
const BAR = { width: 10, gap: 3, height: 64 };
const DAY_MS = 86_400_000;
/** Days that are drawn at least, and at most. */
const SHOWN = { least: 14, most: 90 };

export function StatisticsCard({ id, isLive }: { id: string; isLive: boolean }): JSX.Element {
  const loaded = useLoaded(`statistics ${id} ${isLive}`, (signal) => get<Statistics>(`/assets/${id}/statistics`, { signal }));
  useEvery(EVERY_S, loaded.reload);
  const it = loaded.value;
  return (
    <Card title="Statistics">
      {it === undefined ? (
        loaded.error === undefined ? (
          <Loading />
        ) : (
          <Trouble error={loaded.error} again={loaded.reload} />
        )
      ) : (
        <>
          <dl class="figures">
            <Figure label="Views" value={count(it.views)} />
            <Figure label="Watching now" value={count(it.viewers_now)} />
            <Figure label="Watched" value={hours(it.watched_s)} />
            <Figure label="Sent" value={bytes(it.bytes)} note={plural(it.requests, "request")} />
            <Figure label="From the edges’ memory" value={typeof it.hit_ratio === "number" ? percent(it.hit_ratio) : "–"} />
            <Figure
              label="Time to start"
              value={typeof it.start_p50_s === "number" ? `${it.start_p50_s.toFixed(1)} s` : "–"}
              note={typeof it.start_p95_s === "number" ? `19 of 20 within ${it.start_p95_s.toFixed(1)} s` : undefined}
            />
          </dl>
          {it.days.some(({ views }) => views > 0) && <Days days={it.days} />}
        </>
      )}
    </Card>
  );
}

/** Every day up to today: those without a view are not told. */
function filled(told: Statistics["days"]): { date: string; views: number }[] {
  const views = new Map(told.map((day) => [day.date, day.views]));
  const today = Math.floor(Date.now() / DAY_MS);
  const first = Math.floor(Date.parse(told[0]?.date ?? "") / DAY_MS);
  const count = Math.min(Math.max(Number.isFinite(first) ? today - first + 1 : 0, SHOWN.least), SHOWN.most);
  return Array.from({ length: count }, (_, index) => {
    const date = new Date((today - count + 1 + index) * DAY_MS).toISOString().slice(0, 10);
    return { date, views: views.get(date) ?? 0 };
  });
}

function Days({ days: told }: { days: Statistics["days"] }): JSX.Element {
  const days = filled(told);
  const most = Math.max(1, ...days.map(({ views }) => views));
  const step = BAR.width + BAR.gap;
  const [first] = days;
  const last = days.at(-1);
  return (
    <figure class="days">
      <svg viewBox={`0 0 ${days.length * step} ${BAR.height}`} preserveAspectRatio="none" role="img" aria-label={`Views a day, ${most} at most`}>
        {days.map(({ date, views }, index) => {
          const height = views === 0 ? 1 : Math.max(3, (views / most) * BAR.height);
          return (
            <rect key={date} x={index * step} y={BAR.height - height} width={BAR.width} height={height} rx={1.5} class={views === 0 ? "none" : ""}>
              <title>{`${date}: ${plural(views, "view")}`}</title>
            </rect>
          );
        })}
      </svg>
      <figcaption class="quiet">
        <span>{first?.date}</span>
        <span>Views a day</span>
        <span>{last?.date}</span>
      </figcaption>
    </figure>
  );
}
