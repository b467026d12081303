import { numericStreams, type RecordingInfo } from '@vitalwire/contract';
import { expect, test } from 'vitest';
import { annotatingGroups, captureGroups, runOf } from './capture-groups.ts';

function recording(
  recordingId: string,
  device: string,
  captureId: string | null,
  startedAtUs: number,
  patient: string | null = null,
): RecordingInfo {
  const unknown = {
    rate: null,
    lastSeq: null,
    firstSeq: null,
    maxSeq: null,
    predecessor: null,
    replay: null,
    source: null,
    montageHash: null,
  };
  const rest = { gateway: 'g', stream: 'eeg' as const, channels: [], open: false, storedChunks: 1, captureFirstSample: 0, ...unknown };
  return { ...rest, recordingId, device, captureId, startedAtUs, endedAtUs: startedAtUs + 10, patient };
}

test('recordings of one capture belong together, in order of time; one without a capture stands alone', () => {
  const groups = captureGroups([
    recording('c', 'd1', 'run-1-eeg', 30),
    recording('a', 'd1', 'run-1-eeg', 10, 'p1'),
    recording('b', 'd1', 'run-2-eeg', 20),
    recording('d', 'd2', null, 5),
    recording('e', 'd2', null, 6),
  ]);
  expect(groups.map(({ recordings, patient }) => [recordings.map(({ recordingId }) => recordingId).join(''), patient])).toEqual([
    ['b', null],
    ['d', null],
    ['e', null],
    ['ac', 'p1'],
  ]);
});

test('annotations are those of the same run, although another run of the device overlaps in data time; without a name, those of that time', () => {
  const [eeg] = captureGroups([recording('a', 'd1', 'run-1-p1-eeg', 10)]);
  if (eeg === undefined) throw new Error('no group');
  const events = captureGroups([
    recording('x', 'd1', 'run-1-p1-event', 11),
    recording('y', 'd1', 'run-2-p1-event', 12),
    recording('z', 'd2', 'other', 12),
  ]);
  const ids = (from: typeof events) =>
    annotatingGroups(eeg, from, 20).flatMap(({ recordings }) => recordings.map(({ recordingId }) => recordingId));
  expect(ids(events)).toEqual(['x']);
  expect(ids(events.filter(({ captureId }) => captureId !== 'run-1-p1-event'))).toEqual(['y']);
  expect(ids(captureGroups([recording('late', 'd1', null, 21)]))).toEqual([]);
});

test('legs of a run and what was overtaken belong to it; another speed, patient or replay is another run', () => {
  const run = runOf('bonn-1-20261128T120000000Z-p01-event-0.0');
  for (const same of ['eeg-0.0', 'eeg-0.7', 'eeg2-0.0', 'eeg-0.3-late-77', ...numericStreams.map((stream) => `${stream}-0.1`)]) {
    expect(runOf(`bonn-1-20261128T120000000Z-p01-${same}`)).toBe(run);
  }
  for (const other of [
    'bonn-1-20261128T120000000Z-p01-eeg-1.0',
    'bonn-1-20261128T120000000Z-p02-eeg-0.0',
    'bonn-2-20261128T120000000Z-p01-eeg-0.0',
  ]) {
    expect(runOf(other)).not.toBe(run);
  }
  expect(runOf('holter-42')).toBe('holter-42');
});
