import { assembleBonnPatients, type BonnPatient, readMitBeats, samplesAt, truthIntervals } from '@vitalwire/datasets';
import { expect, test } from 'vitest';
import { eegFeed, eventFeed, heartRateFeed } from './bonn-feeds.ts';
import { dueBlock, type Feed } from './feed.ts';

const patient = assembleBonnPatients({ patients: 1, seed: 7 })[0] as BonnPatient;
const beats = readMitBeats();

test('EEG blocks are 43 samples long, due when the last of them has been measured', () => {
  const feed = eegFeed(patient);
  expect(feed.blockAt(0)).toEqual({ end: 43, dueMs: (43 * 100_000) / 17_361 });
  expect(feed.blockAt(42).end).toBe(43);
  expect(feed.blockAt(43).end).toBe(86);
  expect(feed.read(40, 60)).toEqual(samplesAt(patient, 40, 20));
});

test('every feed measures each reading once, in order, at or before the moment its block is due', () => {
  for (const feed of [eegFeed(patient), heartRateFeed(beats, 7, 0), eventFeed(patient, beats)] as Feed<unknown>[]) {
    let position = 0;
    let beforeMs = -1;
    for (let block = 0; block < 300; block++) {
      const { end, dueMs } = feed.blockAt(position);
      expect(end).toBeGreaterThan(position);
      expect(dueMs).toBeGreaterThan(beforeMs);
      expect(feed.measuredBy(dueMs + 1e-3)).toBeGreaterThanOrEqual(end);
      expect(feed.measuredBy(beforeMs)).toBeLessThanOrEqual(position);
      position = end;
      beforeMs = dueMs;
    }
  }
});

test('beats go on through the end of the series without a jump back in time', () => {
  const feed = heartRateFeed(beats, 3, 1);
  const many = feed.read(0, beats.length * 2 + 10);
  expect(many[0]?.atMs).toBe(0);
  for (const [index, beat] of many.entries()) expect(beat.atMs).toBeGreaterThan(index === 0 ? -1 : (many[index - 1]?.atMs ?? 0));
});

test('the known truth is announced at its onset, with its length, and the repeat of the sequence is no silent seam', () => {
  const feed = eventFeed(patient, beats);
  const loopMs = (patient.loopSamples * 100_000) / 17_361;
  const events = feed.read(0, feed.measuredBy(loopMs * 2.5));
  const onsets = events.filter((event) => event.type === 'seizure').map((event) => event.atMs);
  const truth = truthIntervals(patient, Math.floor(patient.loopSamples * 2.5)).map(({ fromSample }) => (fromSample * 100_000) / 17_361);
  expect(onsets).toEqual(truth);
  expect(events.filter((event) => event.type === 'seizure').every((event) => event.durationMs !== null)).toBe(true);
  expect(events.filter((event) => event.text === 'the sequence starts again')).toHaveLength(2);
});

test('a late device takes whole blocks, never more than fit one request', () => {
  const feed = eegFeed(patient);
  const due = dueBlock(feed, 43, 60_000);
  expect(due.end % 43).toBe(0);
  expect(due.end - 43).toBeLessThanOrEqual(feed.maxPerRequest);
  expect(dueBlock(feed, 43, 300).end).toBe(86);
});
