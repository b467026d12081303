import type { EegChunk, EventChunk, HeartRateChunk } from '@vitalwire/contract';
import { assembleBonnPatients, type BonnPatient, readMitBeats, truthIntervals } from '@vitalwire/datasets';
import { eegFeed, eventFeed, heartRateFeed } from '../replay/bonn-feeds.ts';
import type { Manifest } from '../replay/manifest.ts';

/** A chunk that holds readings of a replay. */
export type ReadingChunk = EegChunk | HeartRateChunk | EventChunk;

/** What the stored readings of one capture must be: made again from the source, not from anything that was sent. */
export type Expectation = {
  /** Every reading of a chunk that begins at `position` of its capture and differs. */
  compare(chunk: ReadingChunk, position: number): Generator<{ position: number; found: string; expected: string }>;
  /** Whether a sample lies in a stretch known to be a seizure. */
  isIctal(sample: number): boolean;
};

// The agent derives a chunk's time from a request's, so the last digit may be rounded the other way.
const TIME_TOLERANCE_US = 2;

/** What one capture of this replay must look like. */
export function expectationOf(manifest: Manifest, capture: Manifest['captures'][number]): Expectation {
  const patient = assembleBonnPatients({ patients: manifest.patients, seed: manifest.seed })[capture.index];
  if (patient === undefined) throw new RangeError(`the manifest has no patient ${capture.index}`);
  return {
    compare: comparison(manifest, capture, patient),
    isIctal: (sample) => truthIntervals(patient, sample + 1).some(({ fromSample, toSample }) => sample >= fromSample && sample < toSample),
  };
}

function comparison(manifest: Manifest, { stream, index }: Manifest['captures'][number], patient: BonnPatient): Expectation['compare'] {
  const at = (ms: number): number => Math.round(manifest.startedAtUs + ms * 1000);
  const beats = readMitBeats();
  if (stream === 'eeg') {
    const feed = eegFeed(patient);
    const { num, den } = patient.rate;
    return function* (chunk, position) {
      if (chunk.stream !== 'eeg') return;
      const expectedUs = at((position * den * 1000) / num);
      if (Math.abs(chunk.measuredAtUs - expectedUs) > TIME_TOLERANCE_US)
        yield { position, found: `measured at ${chunk.measuredAtUs} us`, expected: `${expectedUs} us` };
      const expected = feed.read(position, position + chunk.samplesPerChannel);
      for (const [offset, sample] of chunk.samples.entries()) {
        if (sample !== expected[offset])
          yield { position: position + offset, found: String(sample), expected: String(expected[offset] ?? 'no sample') };
      }
    };
  }
  if (stream === 'heart-rate') {
    const feed = heartRateFeed(beats, manifest.seed, index);
    return function* (chunk, position) {
      if (chunk.stream !== 'heart-rate') return;
      for (const [offset, beat] of feed.read(position, position + chunk.readings.length).entries()) {
        const found = chunk.readings[offset];
        if (found?.bpm !== beat.bpm || found.atUs !== at(beat.atMs))
          yield {
            position: position + offset,
            found: JSON.stringify(found),
            expected: JSON.stringify({ atUs: at(beat.atMs), bpm: beat.bpm }),
          };
      }
    };
  }
  const feed = eventFeed(patient, beats);
  return function* (chunk, position) {
    if (chunk.stream !== 'event') return;
    for (const [offset, event] of feed.read(position, position + chunk.events.length).entries()) {
      const found = chunk.events[offset];
      if (found?.type !== event.type || found.text !== event.text || found.atUs !== at(event.atMs)) {
        yield { position: position + offset, found: JSON.stringify(found), expected: JSON.stringify({ atUs: at(event.atMs), ...event }) };
      }
    }
  };
}
