/** Times and counts in words, one way for all pages. Pure. */

/** `0.4 s`, `17 s`, `12 min`, `3 h`, `4 d`: as the command line says it. */
export function ageText(ms: number): string {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.floor(seconds)} s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`;
  return seconds < 172_800
    ? `${Math.floor(seconds / 3600)} h`
    : `${Math.floor(seconds / 86_400)} d`;
}

/** `250 ms`, `1.5 s`, `6 s`: a length that was set or measured, not an age. */
export function lengthText(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  return `${Number((ms / 1000).toFixed(2))} s`;
}

/** `03:12:41` of the browser's own time zone. */
export function clockText(wallMs: number): string {
  const date = new Date(wallMs);
  const part = (value: number): string => String(value).padStart(2, '0');
  return `${part(date.getHours())}:${part(date.getMinutes())}:${part(date.getSeconds())}`;
}

/** `03:12:41` today, `22 Nov 03:12` on another day. */
export function whenText(wallMs: number, nowWallMs: number): string {
  const [then, now] = [new Date(wallMs), new Date(nowWallMs)];
  if (then.toDateString() === now.toDateString()) return clockText(wallMs);
  const month = MONTHS[then.getMonth()];
  return `${then.getDate()} ${month} ${clockText(wallMs).slice(0, 5)}`;
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** `1 VIP`, `2 VIPs`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** `812`, `12.4 k`, `3.1 M`. */
export function rateText(perSecond: number): string {
  if (perSecond < 10_000) return String(Math.round(perSecond));
  return perSecond < 10_000_000
    ? `${(perSecond / 1000).toFixed(1)} k`
    : `${(perSecond / 1e6).toFixed(1)} M`;
}
