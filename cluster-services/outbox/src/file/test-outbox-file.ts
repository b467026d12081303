import { join } from 'node:path';
import { type ClockState, decodeMessage, type Message, newRecordingId } from '@vitalwire/contract';
import { removeTempDir, tempDir } from '@vitalwire/testkit';
import { afterEach, beforeEach, expect } from 'vitest';
import type { AppendStep } from '../append.ts';
import type { OutboxFileOptions } from './core.ts';
import { OutboxFile } from './outbox-file.ts';

export const MB = 1024 * 1024;
export const clock: ClockState = { offsetUs: 0, uncertaintyUs: 0, source: 'none' };

export let dir: string;
export let nowMs: number;
export let opened: OutboxFile[];

beforeEach(() => {
  dir = tempDir('vw-outbox-');
  nowMs = Date.UTC(2026, 0, 1);
  opened = [];
});
afterEach(() => {
  for (const file of opened) file.close();
  removeTempDir(dir);
});

export function path(): string {
  return join(dir, 'outbox.sqlite');
}

export function open(options: Partial<OutboxFileOptions> = {}) {
  const result = OutboxFile.open({
    path: path(),
    owner: 'gateway-1',
    maxBytes: 64 * MB,
    ringMs: 86_400_000,
    minFreeBytes: 0,
    nowMs: () => nowMs,
    ...options,
  });
  opened.push(result.file);
  return result;
}

let random = 0;
export function newId(): string {
  random += 1;
  return newRecordingId('gateway-1', nowMs, new Uint8Array([random >> 8, random, 1, 2, 3, 4]));
}

export function startRecording(file: OutboxFile, of: 'eeg' | 'heart-rate' = 'eeg'): string {
  const id = newId();
  expect(file.appendGroup([[start(id, of)]], false).results[0]?.ok).toBe(true);
  return id;
}

export function start(subject: string, of: 'eeg' | 'heart-rate' = 'eeg'): AppendStep {
  return {
    step: 'start',
    start: {
      measuredAtUs: nowMs * 1000,
      clock,
      subject,
      gateway: 'gateway-1',
      device: 'eeg-1',
      of,
      rate: of === 'eeg' ? { num: 256, den: 1 } : null,
      channels: [],
      montageHash: '0000000000000000',
      predecessor: null,
      captureId: 'c',
      captureFirstSample: 0,
      replay: null,
      source: '',
    },
  };
}

export function chunk(recordingId: string, firstSample: number, samples = new Int16Array(10)): AppendStep {
  return {
    step: 'chunk',
    chunk: {
      stream: 'eeg',
      recordingId,
      measuredAtUs: nowMs * 1000,
      clock,
      firstSample,
      channels: 1,
      samplesPerChannel: samples.length,
      rate: { num: 256, den: 1 },
      montageHash: '0000000000000000',
      sampleBits: 16,
      samples,
    },
    readings: samples.length,
    endUs: nowMs * 1000 + 40_000,
  };
}

/** About 10 KB that no codec makes smaller. */
export function noisyChunk(recordingId: string, seq: number): AppendStep {
  const samples = new Int16Array(5_000);
  let state = seq + 1;
  for (let index = 0; index < samples.length; index += 1) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) | 0;
    samples[index] = state >> 16;
  }
  return chunk(recordingId, seq * 5_000, samples);
}

export function gap(subject: string): AppendStep {
  return {
    step: 'gap',
    gap: {
      measuredAtUs: 0,
      clock,
      subject,
      of: 'eeg',
      device: 'eeg-1',
      fromSeq: null,
      toSeq: null,
      fromUs: null,
      toUs: null,
      reason: 'unknown',
    },
  };
}

export function capture(captureId: string, fromSample: number, nextSample: number): AppendStep {
  return { step: 'capture', device: 'eeg-1', stream: 'eeg', captureId, fromSample, nextSample, hole: null };
}

export function readAll(file: OutboxFile): Message[] {
  const messages: Message[] = [];
  let after = file.state().deliveredId;
  for (;;) {
    const rows = file.read(after, 100, 10 * MB);
    const last = rows.at(-1);
    if (last === undefined) return messages;
    after = last.id;
    for (const { message } of rows) {
      const decoded = decodeMessage(message);
      if (!decoded.ok) throw new Error(decoded.reason);
      messages.push(decoded.value);
    }
  }
}

export function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}

/** Time passes. */
export function pass(ms: number): void {
  nowMs += ms;
}
