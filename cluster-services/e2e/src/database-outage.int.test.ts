import { existsSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { decodeMessage, parseTopic, type Stream } from '@vitalwire/contract';
import { createLog, Pki, Subscriber, systemClock } from '@vitalwire/runtime';
import { startMariaDb, until } from '@vitalwire/testkit';
import Sqlite from 'better-sqlite3';
import type { ServiceName } from 'vitalwire/stack';
import { describe, expect, test } from 'vitest';
import { atEnd, Bed, PATIENTS } from './bed.ts';
import { type Hole, Presence } from './presence.ts';

const SEED = 20261123;
const MARIADB_OUTAGE_MS = 60_000;
const SQLITE_OUTAGE_MS = 30_000; // half as long as MariaDB's, to save time: nothing in it depends on the length
/** Before the outage everything runs, after it the backlog has to go. */
const BEFORE_MS = 6_000;
const AFTER_MS = 12_000;
const LARGEST_HOLE_MS = 5_000;
/** The agent drains for 5 s, the front door waits 12 s for its last commits; the others need a moment. */
const STOP_MS = 30_000;
const silent = createLog({ name: 'e2e', level: 'silent' });

type Outage = { begin(): void; end(): void };
type Span = { readonly fromMs: number; readonly toMs: number };
type Downtime = Span & { readonly name: ServiceName };

describe('the database stands still while a replay runs', () => {
  test('MariaDB stopped by SIGSTOP: screens go on, and afterwards nothing is missing', { timeout: 300_000 }, async ({ annotate }) => {
    const database = await startMariaDb();
    atEnd(() => database.stop());
    const bed = await Bed.start({ database: database.adminUrl });
    await liveThrough(bed, { begin: () => database.pause(), end: () => database.resume() }, MARIADB_OUTAGE_MS, annotate);
  });

  test('SQLite locked by another process: screens go on, and afterwards nothing is missing', { timeout: 300_000 }, async ({ annotate }) => {
    const bed = await Bed.start();
    await liveThrough(bed, lockOf(bed), SQLITE_OUTAGE_MS, annotate);
  });

  test('a stop in the middle of an outage ends in order, and the next start sends what was left', { timeout: 180_000 }, async () => {
    const database = await startMariaDb();
    atEnd(() => database.stop());
    const bed = await Bed.start({ database: database.adminUrl });
    await bed.replayWhile(SEED, async () => {
      database.pause();
      await sleep(4_000);
    });
    const beganMs = Date.now();
    await bed.stop();
    expect(Date.now() - beganMs).toBeLessThan(STOP_MS);
    database.resume();
    await bed.start();
    await bed.expectNothingMissing();
  });
});

/** A replay with an outage in its middle, in which everything that may start, starts. */
async function liveThrough(bed: Bed, outage: Outage, outageMs: number, annotate: (text: string) => Promise<unknown>): Promise<void> {
  const atDoor = await observeFrontDoor(bed);
  const atWeb = await observeWeb(bed);
  const down: Downtime[] = [];
  const restart = async (name: ServiceName): Promise<void> => {
    const fromMs = Date.now();
    await bed.killAndAwait(name);
    down.push({ name, fromMs, toMs: Date.now() });
  };
  const { fromMs, toMs } = await bed.replayWhile(SEED, async () => {
    await until(() => atDoor.keys('detection').length === PATIENTS, { timeoutMs: 30_000, what: 'every patient has a detection' });
    await sleep(BEFORE_MS);
    const beganMs = Date.now();
    outage.begin();
    const share = (part: number) => sleep(Math.max(0, beganMs + outageMs * part - Date.now()));
    await share(0.15);
    bed.cutGateway();
    await share(0.3);
    await restart('prediction');
    await share(0.5);
    await restart('edge');
    await share(0.65);
    await restart('web');
    await expectScreensThatStart(bed);
    await expectDegradedButReady(bed);
    await share(1);
    outage.end();
    await sleep(AFTER_MS);
    return { fromMs: beganMs, toMs: Date.now() };
  });
  // A process that is not there yet sends nothing: its own start does not count, what it needs after it does.
  const largestHole = (presence: Presence, streams: readonly Stream[], without: readonly ServiceName[]): Hole | undefined => {
    const out = down.filter(({ name }) => without.includes(name));
    const holes = spansWithout(out, { fromMs, toMs }).flatMap((span) => presence.holes(streams, span.fromMs, span.toMs));
    return holes.sort((a, b) => b.ms - a.ms)[0];
  };
  const largest = {
    readingsAtFrontDoor: largestHole(atDoor, ['eeg', 'heart-rate'], ['edge']),
    detectionsAtFrontDoor: largestHole(atDoor, ['detection'], ['edge', 'prediction']),
    readingsAtWeb: largestHole(atWeb, ['eeg', 'heart-rate'], ['edge', 'web']),
    detectionsAtWeb: largestHole(atWeb, ['detection'], ['edge', 'prediction', 'web']),
  };
  const starts = down.map((one) => `${one.name} ${one.toMs - one.fromMs} ms`).join(', ');
  const figures = Object.entries(largest).map(([what, hole]) => `${what} ${hole?.ms} ms`);
  await annotate(`largest holes: ${figures.join(', ')}; starts: ${starts}`);
  await bed.expectNothingMissing();
  for (const [what, hole] of Object.entries(largest)) {
    expect(hole?.ms, `${what}: ${JSON.stringify(hole)}`).toBeLessThanOrEqual(LARGEST_HOLE_MS);
  }
}

/** What is left of a stretch of time when other stretches are taken out. */
function spansWithout(out: readonly Span[], whole: Span): Span[] {
  const spans: Span[] = [];
  let atMs = whole.fromMs;
  for (const one of out.toSorted((a, b) => a.fromMs - b.fromMs)) {
    if (one.fromMs > atMs) spans.push({ fromMs: atMs, toMs: one.fromMs });
    atMs = Math.max(atMs, one.toMs);
  }
  if (whole.toMs > atMs) spans.push({ fromMs: atMs, toMs: whole.toMs });
  return spans;
}

/** What a subscriber of its own hears at the front door, whatever happens to web. */
async function observeFrontDoor(bed: Bed): Promise<Presence> {
  const presence = new Presence();
  const { urls, pkiDir } = bed.stack.info;
  const identity = await (await Pki.open(pkiDir)).ensure('web', { kind: 'service' });
  const subscriber = new Subscriber({
    url: urls.frontDoor,
    identity,
    clientId: 'observer-sub',
    topics: ['vw/1/+/+/+/+', 'vw/1/+/+/+/+/live'],
    queueLimit: 10_000,
    clock: systemClock,
    log: silent,
    onMessage: (text, payload) => {
      const topic = parseTopic(text);
      const message = decodeMessage(payload);
      if (topic.ok && message.ok) presence.take(topic.value.device, message.value, systemClock.nowUs());
    },
  });
  await subscriber.start(new AbortController().signal);
  atEnd(() => subscriber.stop());
  await until(() => subscriber.connected, { timeoutMs: 10_000, what: 'the observer is connected' });
  return presence;
}

/** What a screen hears that was open all the time. */
async function observeWeb(bed: Bed): Promise<Presence> {
  const presence = new Presence();
  const client = await bed.viewer();
  atEnd(() => client.close());
  client.live(
    { streams: ['eeg', 'heart-rate', 'detection'] },
    { onMessage: (message, { topic }) => presence.take(topic.device, message, systemClock.nowUs()) },
  );
  return presence;
}

/** Whoever opens a screen now sees every known patient, by the label of the last-known registry, with values of now. */
async function expectScreensThatStart(bed: Bed): Promise<void> {
  const wall = bed.watchPlain();
  const viewer = await bed.viewer();
  atEnd(() => viewer.close());
  const labels = [1, 2, 3, 4].map((n) => `Synthetic ${n}`);
  expect((await viewer.registry()).patients.map(({ label }) => label).sort()).toEqual(labels);
  await until(
    async () => {
      const { nowUs, patients } = await viewer.state();
      return labels.every((label) =>
        patients.some(
          (one) =>
            one.label === label && one.detection !== null && one.numerics.length > 0 && nowUs - (one.eeg?.at.receivedAtUs ?? 0) < 2e6,
        ),
      );
    },
    { timeoutMs: 10_000, everyMs: 200, what: 'a new viewer sees every patient with values of now' },
  );
  // The model is named only beside a detection of now.
  const isShown = (label: string) => wall.lines().some((line) => line.includes(label) && line.includes('model'));
  await until(() => labels.every(isShown), { timeoutMs: 10_000, everyMs: 200, what: 'a new wall shows every patient' });
}

/** A front door that took itself out of service would end the live lane, too. */
async function expectDegradedButReady(bed: Bed): Promise<void> {
  for (const name of ['ingest', 'web', 'prediction', 'storage', 'edge'] as const) {
    const answer = await fetch(`${bed.stack.info.urls.probes[name]}/readyz`);
    const text = await answer.text();
    expect(answer.status, text).toBe(200);
    if (name === 'ingest') expect(JSON.parse(text)).toMatchObject({ status: 'degraded' });
  }
}

/** The write lock of readings and registry, held by somebody else. */
function lockOf(bed: Bed): Outage {
  const held: Sqlite.Database[] = [];
  const release = () => {
    for (const database of held.splice(0)) database.close();
  };
  atEnd(release);
  return {
    begin() {
      for (const name of ['readings.sqlite', 'registry.sqlite']) {
        const file = path.join(bed.dirs.root, name);
        expect(existsSync(file)).toBe(true);
        const database = new Sqlite(file, { timeout: 10_000 });
        held.push(database);
        database.exec('BEGIN EXCLUSIVE');
      }
    },
    end: release,
  };
}
