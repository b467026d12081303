import { derivedId } from '@vitalwire/contract';
import { describe, expect, test } from 'vitest';
import type { AppendStep } from '../append.ts';
import { clock, gap, MB, newId, noisyChunk, nowMs, open, pass, range, readAll, start, startRecording } from './test-outbox-file.ts';

describe('the byte bound', () => {
  test('delivered messages go first; then the oldest EEG, with a gap record for each run; records, gaps and heart rate stay', () => {
    const { file } = open({ maxBytes: 3 * MB });
    const eeg = startRecording(file);
    const heart = startRecording(file, 'heart-rate');
    for (let seq = 0; seq < 300; seq += 1) {
      const steps: AppendStep[] = [noisyChunk(eeg, seq), heartRate(heart, seq)];
      const { results } = file.appendGroup([steps], false);
      expect(results[0]?.ok).toBe(true);
      pass(250);
      if (seq === 20) file.ack(30);
    }
    const state = file.state();
    expect(state.usedBytes).toBeLessThanOrEqual(3 * MB);
    expect(state.ringChunks).toBe(0);
    expect(state.evictedChunks).toBeGreaterThan(0);
    const messages = readAll(file);
    const kept = new Set(messages.filter((one) => one.stream === 'eeg').map(({ seq }) => seq));
    const declared = messages.filter((one) => one.stream === 'gap');
    expect(declared.every((gap) => gap.reason === 'evicted' && gap.subject === eeg && gap.recordingId === derivedId(eeg, 'gap'))).toBe(
      true,
    );
    expect(declared.map(({ seq }) => seq)).toEqual(declared.map((_gap, index) => index)); // gaps count up, too
    const lost = declared.flatMap(({ fromSeq, toSeq }) => range(fromSeq ?? -1, toSeq ?? -1));
    // Chunks up to id 30 had been delivered; every later one is either here or declared lost, none is both.
    for (let seq = 14; seq < 300; seq += 1) expect(kept.has(seq)).not.toBe(lost.includes(seq));
    expect(messages.filter((one) => one.stream === 'heart-rate').length).toBe(state.pendingChunks - kept.size - declared.length);
    expect(Math.min(...kept)).toBeGreaterThan(Math.max(...lost)); // the oldest went
  });

  test('an append that would not fit into an empty outbox is refused, and costs nothing that is in it', () => {
    const { file } = open({ maxBytes: 2 * MB });
    const id = startRecording(file);
    for (let seq = 0; seq < 100; seq += 1) file.appendGroup([[noisyChunk(id, seq)]], false);
    const tooMuch = Array.from({ length: 300 }, (_, index) => noisyChunk(id, 100 + index));
    expect(file.appendGroup([tooMuch], false).results).toMatchObject([{ ok: false, code: 'OUTBOX_FULL' }]);
    expect(file.state()).toMatchObject({ pendingChunks: 101, evictedChunks: 0 });
  });

  test('heart rate goes when there is no EEG left, and a gap says so', () => {
    const { file } = open({ maxBytes: MB });
    const heart = startRecording(file, 'heart-rate');
    for (let seq = 0; seq < 400; seq += 1) file.appendGroup([[heartRate(heart, seq, 250)]], false);
    expect(file.state().usedBytes).toBeLessThanOrEqual(MB);
    expect(readAll(file).some((one) => one.stream === 'gap' && one.subject === heart && one.of === 'heart-rate')).toBe(true);
  });

  test('an outbox full of what may not go refuses readings, and still takes records in', () => {
    const { file } = open({ maxBytes: 600 * 1024 });
    for (let group = 0; group < 10; group += 1)
      file.appendGroup(
        Array.from({ length: 250 }, () => [gap(newId())]),
        false,
      );
    const id = newId();
    expect(file.appendGroup([[start(id), noisyChunk(id, 0)]], false).results[0]).toMatchObject({ ok: false, code: 'OUTBOX_FULL' });
    expect(file.appendGroup([[gap(newId())]], false).results[0]?.ok).toBe(true);
    expect(readAll(file).every(({ stream }) => stream === 'gap')).toBe(true);
  });

  test('a drained file gives its pages back in small steps', () => {
    const { file } = open({ ringMs: 0 });
    const id = startRecording(file);
    for (let seq = 0; seq < 600; seq += 1) file.appendGroup([[noisyChunk(id, seq)]], false);
    const peak = file.state().fileBytes;
    file.ack(file.state().lastId);
    pass(1);
    for (let step = 0; step < 200 && file.maintain(); step += 1) {}
    expect(file.state().fileBytes).toBeLessThan(peak * 0.3);
  });
});

function heartRate(recordingId: string, seq: number, count = 1): AppendStep {
  const readings = Array.from({ length: count }, (_, index) => ({
    atUs: nowMs * 1000 + index,
    value: 60.5 + index,
    least: null,
    most: null,
  }));
  return {
    step: 'chunk',
    chunk: { stream: 'heart-rate', recordingId, measuredAtUs: nowMs * 1000, clock, firstSample: seq * count, kind: 'ecg', readings },
    readings: count,
    endUs: nowMs * 1000,
  };
}
