import { cpSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Bed } from './bed.ts';
import { seededRandom } from './killing.ts';
import { addSilentPatient, lookAt, replayDemo, services } from './truth-bed.ts';

const SEED = 20261202;
const MINUTES = Number(process.env['TRUTH_WATCH_MINUTES'] ?? 30);
const PATIENTS = 4;
const CUT_MS = 16_000; // longer than EEG may be silent
const TAKE_MS = 180_000; // then the replay ends and begins again

test('30 minutes of the demo with random kills of every service: no screen ever shows anything untrue', async ({ annotate }) => {
  const bed = await Bed.start();
  await addSilentPatient(bed);
  const looking = await lookAt(bed);
  const random = seededRandom(SEED);
  const happened = new Map<string, number>();
  const endMs = Date.now() + MINUTES * 60_000;
  while (Date.now() < endMs) {
    const replay = replayDemo(bed, PATIENTS);
    const takeEndMs = Math.min(endMs, Date.now() + TAKE_MS);
    await sleep(5_000);
    while (Date.now() < takeEndMs) {
      const what = oneOf([...services, ...services, 'several', 'link', 'break', 'acknowledge'] as const, random);
      happened.set(what, (happened.get(what) ?? 0) + 1);
      if (what === 'link') {
        bed.cutLink();
        await sleep(CUT_MS);
        bed.mendLink();
      } else if (what === 'break') bed.cutGateway();
      else if (what === 'acknowledge') await acknowledgeOne(bed, random);
      else {
        const killed = what === 'several' ? services.filter(() => random() < 0.5) : [what];
        await Promise.all(killed.map((name) => bed.victim(name).kill()));
        if (killed.includes('alarms')) looking.watch.alarmsKilled(Date.now());
      }
      await sleep(2_000 + random() * 8_000);
    }
    await replay.end();
    await sleep(8_000);
  }
  const faults = await looking.judge();
  const { counts, youngestMs } = looking.watch;
  await annotate(`${JSON.stringify(Object.fromEntries(happened))}; ${JSON.stringify(counts)}; a frame was at most ${youngestMs} ms late`);
  if (faults.length > 0) await annotate(`what the services wrote meanwhile is kept in ${keepLogs(bed)}`);
  expect(faults).toEqual([]);
  for (const count of ['states', 'rows', 'lines', 'ledgers'] as const) expect(counts[count]).toBeGreaterThan(0);
  await bed.expectNothingMissing();
});

/** The bed goes with the test; without the logs of that moment nobody finds out why. */
function keepLogs(bed: Bed): string {
  const kept = mkdtempSync(join(tmpdir(), 'vitalwire-truth-'));
  cpSync(bed.dirs.logs, join(kept, 'logs'), { recursive: true });
  cpSync(bed.dirs.replays, join(kept, 'replays'), { recursive: true });
  return kept;
}

/** Somebody sees to an alarm, as they would: whichever it is, and perhaps just as a service is away. */
async function acknowledgeOne(bed: Bed, random: () => number): Promise<void> {
  const alarms = await bed.client.alarms().then(
    (now) => now.alarms.filter(({ acknowledgedAtUs }) => acknowledgedAtUs === null),
    () => [],
  );
  if (alarms.length > 0) await bed.client.acknowledgeAlarm(oneOf(alarms, random).alarmId, 'nurse-7').catch(() => {});
}

function oneOf<Value>(values: readonly Value[], random: () => number): Value {
  const value = values[Math.floor(random() * values.length)];
  if (value === undefined) throw new Error('there is nothing to choose from');
  return value;
}
