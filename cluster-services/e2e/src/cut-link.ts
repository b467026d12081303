import { setTimeout as sleep } from 'node:timers/promises';
import type { AlarmInfo } from '@vitalwire/contract';
import { until } from '@vitalwire/testkit';
import { seizureRule } from '@vitalwire/vitals';
import { demoPatient } from 'vitalwire/replay';
import { expect } from 'vitest';
import { Bed } from './bed.ts';

const GATEWAY = 'gateway-1';
/** From the onset, as the recording tells it, until the gateway alarms by itself. */
const LOCAL_ALARM_US = 10_000_000;
/** An alarm may say that it began so much before or after the onset. */
const ONSET_US = 8_000_000;
const CAUGHT_UP_MS = 90_000;

/**
 * One replayed patient, cut off from the cluster just as a seizure begins, for `cutS`: the gateway alarms by itself in time, and once the link is back the
 * cluster has one alarm for each seizure, told by both, and misses nothing.
 */
export async function cutDuringSeizure(seed: number, cutS: number, note: (text: string) => unknown): Promise<void> {
  const bed = await Bed.start({ settings: { VITALWIRE_EDGE_DETECT: 'true' } });
  await until(async () => (await bed.watchEdge()).detector.state === 'running', {
    timeoutMs: 60_000,
    everyMs: 250,
    what: 'the gateway detects',
  });
  await bed.replayWhile(seed, () => liveThrough(bed, seed, cutS, note), ['demo', '--patients', '1']);
  await bed.expectNothingMissing();
}

async function liveThrough(bed: Bed, seed: number, cutS: number, note: (text: string) => unknown): Promise<void> {
  const [recording] = (await bed.client.recordings({ stream: 'eeg' })).recordings;
  if (recording === undefined) throw new Error('a first sample is stored, and no recording');
  const onsetsUs = seizuresOf(seed).map((onsetS) => recording.startedAtUs + onsetS * 1e6);
  const [onsetUs] = onsetsUs;
  if (onsetUs === undefined) throw new Error('the patient has no seizure');
  const beforeUs = onsetUs - Date.now() * 1000;
  expect(beforeUs, 'the link can still be cut before the seizure').toBeGreaterThan(0);
  await sleep(beforeUs / 1000);

  bed.cutLink();
  const cutUs = Date.now() * 1000;
  const local = await until(async () => seizuresIn((await bed.watchEdge()).alarms)[0], {
    timeoutMs: 20_000,
    everyMs: 100,
    what: 'the gateway alarms by itself',
  });
  note(`cut ${seconds(cutUs - onsetUs)} s after the onset; local alarm ${seconds(local.raisedAtUs - onsetUs)} s after it`);
  expect(local.raisedAtUs - onsetUs).toBeLessThanOrEqual(LOCAL_ALARM_US);
  expect(Math.abs(local.onsetUs - onsetUs)).toBeLessThan(ONSET_US);
  expect(await bed.watchEdge()).toMatchObject({ online: false });
  expect(seizuresIn((await bed.client.alarms()).alarms)).toEqual([]); // the cluster could not know
  await sleep(Math.max(0, cutS * 1000 - (Date.now() - cutUs / 1000)));
  const atGateway = seizuresIn((await bed.watchEdge()).alarms);

  bed.mendLink();
  const mendedMs = Date.now();
  await until(
    async () => {
      const atCluster = seizuresIn((await bed.client.alarms()).alarms);
      return atGateway.every((alarm) => atCluster.some((other) => isSame(alarm, other) && other.senders.length > 1));
    },
    { timeoutMs: CAUGHT_UP_MS, everyMs: 500, what: 'the cluster has every alarm of the gateway, and its own word for each' },
  );
  note(`the cluster's record is complete ${seconds((Date.now() - mendedMs) * 1000)} s after the return`);
  const endUs = Date.now() * 1000;
  await bed.untilDelivered();
  const atCluster = seizuresIn((await bed.client.alarms()).alarms).filter((alarm) => alarm.onsetUs < endUs - 20_000_000);
  expect(atCluster.map(({ senders }) => senders.toSorted())).toEqual(atCluster.map(() => ['alarms', GATEWAY]));
  // No event has two alarms: whatever is nearer than the refractory time is one.
  for (const [index, alarm] of atCluster.entries())
    for (const other of atCluster.slice(index + 1)) expect(isSame(alarm, other), `${alarm.alarmId} and ${other.alarmId}`).toBe(false);
  // Each seizure of the cut is in exactly one of them.
  for (const at of onsetsUs.filter((one) => one < cutUs + (cutS - 10) * 1e6))
    expect(atCluster.filter((alarm) => at > alarm.onsetUs - ONSET_US && at < (alarm.endedUs ?? endUs) + ONSET_US)).toHaveLength(1);
}

/** Known onsets, in seconds of the recording. */
function seizuresOf(seed: number): number[] {
  const { seizures } = demoPatient(seed, 0);
  return Array.isArray(seizures) ? seizures.map(({ onsetS }) => onsetS) : [];
}

function seizuresIn(alarms: readonly AlarmInfo[]): AlarmInfo[] {
  return alarms.filter(({ condition }) => condition === 'seizure').sort((a, b) => a.onsetUs - b.onsetUs);
}

function isSame(a: AlarmInfo, b: AlarmInfo): boolean {
  const gapUs = Math.max(a.onsetUs, b.onsetUs) - Math.min(a.endedUs ?? Number.POSITIVE_INFINITY, b.endedUs ?? Number.POSITIVE_INFINITY);
  return gapUs < seizureRule.refractoryUs;
}

function seconds(us: number): string {
  return (us / 1e6).toFixed(1);
}
