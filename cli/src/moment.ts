import { InvalidArgumentError } from 'commander';
import { parseDurationMs } from './duration.ts';

/** A moment for commander's options: an ISO time (`2026-11-22T10:00Z`), a day, `now`, or `-2h` before now. As microseconds. */
export function parseMoment(nowMs: () => number): (text: string) => number {
  return (text) => {
    const trimmed = text.trim();
    if (trimmed === 'now') return nowMs() * 1000;
    if (trimmed.startsWith('-')) return (nowMs() - Math.round(parseDurationMs(trimmed.slice(1)))) * 1000;
    // Without a zone a time would mean another moment on another machine.
    const isWhole = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:\d{2}))?$/.test(trimmed);
    const ms = isWhole ? Date.parse(trimmed) : Number.NaN;
    if (Number.isNaN(ms))
      throw new InvalidArgumentError('Give a time with its zone (2026-11-22T10:00:00Z), a day (2026-11-22, UTC), now, or -2h.');
    return Math.round(ms * 1000);
  };
}

/** How a moment is shown to people: UTC, to the millisecond. */
export function momentText(us: number): string {
  return new Date(us / 1000).toISOString().replace('T', ' ');
}
