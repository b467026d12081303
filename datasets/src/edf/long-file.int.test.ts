import { rmSync } from 'node:fs';
import { mkdtemp, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { memorySource } from '../memory-source.ts';
import { openSource } from '../open-source.ts';
import type { SignalSource } from '../signal-source.ts';
import { wantedChannels } from '../wanted-channels.ts';
import { writeEdf } from './edf-writer.ts';

const CHANNELS = 23;
const RATE = 256;
const SECONDS = 3_600;
const SAMPLES = RATE * SECONDS;
setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const MAX_GROWTH_BYTES = 64 * 1024 * 1024; // the file has 42 MB, its samples 84 MB in memory

test('an hour of 23 channels is written and read in bounded memory, and sought in, bit for bit', async () => {
  const work = await mkdtemp(join(tmpdir(), 'vitalwire-hour-'));
  try {
    const path = join(work, 'hour.edf');
    const source = countingSource();
    const memory = new Peak();
    await writeEdf(path, source);
    await memory.look();
    expect((await stat(path)).size).toBeGreaterThan(CHANNELS * SAMPLES * 2);
    const back = await openSource(path);
    expect(back.problems).toEqual([]);
    for (let from = 0; from < SAMPLES; from += RATE) {
      const [expected, found] = [await source.read(0, from, RATE), await back.read(0, from, RATE)];
      for (const [channel, values] of found.entries()) {
        if (Buffer.compare(bytesOf(values), bytesOf(expected[channel] ?? new Int32Array(0))) !== 0)
          throw new Error(`second ${from / RATE}, channel ${channel}`);
      }
      if (from % (60 * RATE) === 0) await memory.look();
    }
    for (const from of [SAMPLES - 10, 5, 1_800 * RATE - 3, 0]) {
      expect((await back.read(0, from, 10, [22, 0])).map((values) => [...values])).toEqual(
        (await source.read(0, from, 10, [22, 0])).map((values) => [...values]),
      );
    }
    await back.close();
    expect(memory.growth).toBeLessThan(MAX_GROWTH_BYTES);
  } finally {
    rmSync(work, { recursive: true });
  }
});

/** Samples that follow from their place; none is kept. */
function countingSource(): SignalSource {
  const scale = { unit: 'uV', digitalMin: -32768, digitalMax: 32767, physicalMin: -3276.8, physicalMax: 3276.7, reference: '' };
  const channels = Array.from({ length: CHANNELS }, (_, index) => ({ ...scale, label: `C${index + 1}` }));
  const groups = [
    { rate: { num: RATE, den: 1 }, sampleBits: 16 as const, channels, stretches: [{ onsetUs: 0, firstSample: 0, samples: SAMPLES }] },
  ];
  return {
    ...memorySource({ name: 'counting', groups: [] }),
    groups,
    durationUs: SECONDS * 1e6,
    async read(group, from, count, wanted) {
      return wantedChannels(groups, group, from, count, wanted).map((channel) => {
        const values = new Int32Array(count);
        for (let at = 0; at < count; at += 1) values[at] = (((from + at) * 31 + channel * 7919) % 65_536) - 32_768;
        return values;
      });
    },
  };
}

/** The most that was held, beyond what was at the start: heap and buffers, without what nobody refers to any more. */
class Peak {
  readonly #start = inUse();
  growth = 0;

  /** Buffers are given back by a thread of the engine a moment after they were collected. */
  async look(): Promise<void> {
    let held = inUse() - this.#start;
    for (let again = 0; again < 100 && held >= MAX_GROWTH_BYTES; again += 1) {
      await sleep(20);
      held = Math.min(held, inUse() - this.#start);
    }
    this.growth = Math.max(this.growth, held);
  }
}

function inUse(): number {
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

function bytesOf(values: Int32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}
