// Figures as people read them.

const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"];

/** `4.2 GB`: three figures at most, powers of ten. */
export function bytes(count: number): string {
  let value = Math.max(0, count);
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || value >= 99.5 ? 0 : 1;
  return `${value.toFixed(digits)} ${UNITS[unit]}`;
}

/** `12 MB/s`. */
export function rate(bytesPerSecond: number): string {
  return `${bytes(bytesPerSecond)}/s`;
}

/** `43 %`; never 100 before all of it is there. */
export function percent(share: number): string {
  return `${Math.floor(Math.min(Math.max(share, 0), 1) * 100)} %`;
}

/** `1:02:03`. */
export function clock(seconds: number): string {
  // The last frame may end a hair before the second does.
  const whole = Math.max(0, Math.floor(seconds + 0.01));
  const two = (n: number) => String(n).padStart(2, "0");
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** `about 3 minutes`, for how long something will still take. */
export function span(seconds: number): string {
  if (seconds < 10) return "a few seconds";
  if (seconds < 55) return `${Math.round(seconds / 5) * 5} seconds`;
  if (seconds < 3300) return plural(Math.max(1, Math.round(seconds / 60)), "minute");
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.round((seconds - hours * 3600) / 300) * 5;
  if (minutes >= 60) return plural(hours + 1, "hour");
  return minutes === 0 || hours >= 10 ? plural(Math.max(1, hours), "hour") : hours === 0 ? plural(minutes, "minute") : `${plural(hours, "hour")} ${minutes} min`;
}

/** `2.5 hours`, for how long something took in all. */
export function hours(seconds: number): string {
  if (seconds < 60) return `${Math.round(seconds)} s`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min`;
  const value = seconds / 3600;
  return `${value >= 100 ? count(Math.round(value)) : value.toFixed(1)} h`;
}

/** `1 file`, `2 files`. */
export function plural(n: number, one: string, many = `${one}s`): string {
  return `${count(n)} ${n === 1 ? one : many}`;
}

const numbers = new Intl.NumberFormat("en");
/** `10,000`. */
export function count(n: number): string {
  return numbers.format(n);
}

const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const STEPS: [Intl.RelativeTimeFormatUnit, number][] = [
  ["year", 31_557_600],
  ["month", 2_629_800],
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
];

/** `5 minutes ago`, `in 2 hours`. */
export function ago(time: Date, now: number = Date.now()): string {
  const seconds = (time.getTime() - now) / 1000;
  for (const [unit, size] of STEPS) {
    if (Math.abs(seconds) >= size) return relative.format(Math.trunc(seconds / size), unit);
  }
  return seconds > 5 ? `in ${Math.round(seconds)} seconds` : "just now";
}

const exact = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "medium" });
/** `Nov 20, 2026, 8:15:00 PM`. */
export function moment(time: Date): string {
  return exact.format(time);
}
