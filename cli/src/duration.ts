import { InvalidArgumentError } from 'commander';

const unitMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const;

/** `30s`, `500ms`, `2m`, `1h` or plain seconds, as milliseconds. For commander's options. */
export function parseDurationMs(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text.trim());
  if (match === null) throw new InvalidArgumentError('Give a duration such as 30s, 500ms or 2m.');
  const unit = (match[2] ?? 's') as keyof typeof unitMs;
  const ms = Number(match[1]) * unitMs[unit];
  if (ms < 1 || ms > 366 * 24 * unitMs.h) throw new InvalidArgumentError('Give a duration between 1ms and a year.');
  return ms;
}

/** A whole number in a range. For commander's options. */
export function parseWhole(from: number, to: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!Number.isSafeInteger(value) || value < from || value > to)
      throw new InvalidArgumentError(`Give a whole number from ${from} to ${to}.`);
    return value;
  };
}
