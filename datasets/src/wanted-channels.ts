import { DatasetError } from './dataset-error.ts';
import type { SignalGroup } from './signal-source.ts';

/** Checks what a `read` asks for, and returns the channels it wants: all when it names none. */
export function wantedChannels(
  groups: readonly SignalGroup[],
  group: number,
  from: number,
  count: number,
  channels?: readonly number[],
): readonly number[] {
  const one = groups[group];
  if (one === undefined) throw new DatasetError('READ_OUTSIDE', `group ${group}; there are ${groups.length}`);
  const samples = samplesOf(one);
  if (!Number.isSafeInteger(from) || !Number.isSafeInteger(count) || from < 0 || count < 0 || from + count > samples) {
    throw new DatasetError('READ_OUTSIDE', `samples ${from} to ${from + count}; there are ${samples}`);
  }
  const unknown = channels?.find((channel) => one.channels[channel] === undefined);
  if (unknown !== undefined) throw new DatasetError('READ_OUTSIDE', `channel ${unknown}; there are ${one.channels.length}`);
  return channels ?? one.channels.map((_, index) => index);
}

/** How many samples each channel of a group has, all stretches together. */
export function samplesOf({ stretches }: Pick<SignalGroup, 'stretches'>): number {
  const last = stretches.at(-1);
  return last === undefined ? 0 : last.firstSample + last.samples;
}
