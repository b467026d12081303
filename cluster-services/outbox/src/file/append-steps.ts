import { type ClockState, derivedId, type EndReason, encodeMessage, type MessageDraft, uuidToBytes } from '@vitalwire/contract/wire';
import type { Appended, AppendStep, ChunkDraft, StartDraft } from '../append.ts';
import { OutboxError, type OutboxErrorCode } from '../errors.ts';
import type { Core } from './core.ts';
import { isRefusal } from './damage.ts';
import { isBoundByDisk, usedBytes } from './disk-watch.ts';
import { insertGap, insertMessage, insertRow } from './rows.ts';
import type { RecordingRow } from './statements.ts';

export type AppendResult =
  | { readonly ok: true; readonly value: Appended }
  | { readonly ok: false; readonly code: OutboxErrorCode; readonly detail: string };

const MAX_HOLES = 1_000; // per capture; what was passed over before the oldest of them is refused all the same, as nothing there can be compared

/** One append inside the group's transaction: all of its steps, or none. `isFull`: chunks do not fit, the small records do. */
export function appendOne(core: Core, steps: readonly AppendStep[], isFull: boolean): AppendResult {
  if (isFull && steps.some((step) => step.step === 'chunk'))
    return isBoundByDisk(core)
      ? { ok: false, code: 'DISK_FULL', detail: core.options.path }
      : { ok: false, code: 'OUTBOX_FULL', detail: `${usedBytes(core)} of ${core.disk.maxBytes} bytes` };
  const before = core.tally.snapshot();
  const liveBefore = core.live?.length ?? 0;
  core.sql.savepoint.run();
  try {
    const value = runSteps(core, steps);
    core.sql.release.run();
    return { ok: true, value };
  } catch (error) {
    if (!core.db.inTransaction || !(OutboxError.is(error) || error instanceof RangeError || isRefusal(error))) throw error;
    core.sql.rollbackTo.run();
    core.sql.release.run();
    core.tally.restore(before);
    if (core.live !== null) core.live.length = liveBefore;
    if (OutboxError.is(error)) return { ok: false, code: error.code, detail: error.message };
    // What has no form on the wire will have none next time either.
    return {
      ok: false,
      code: error instanceof RangeError ? 'UNSTORABLE' : 'OUTBOX_FAILED',
      detail: error instanceof Error ? error.message : String(error),
    };
  }
}

/** Ends a recording with a record that says how it ended; nothing if it has ended. */
export function endRecording(core: Core, recordingId: string, reason: EndReason, clock: ClockState): void {
  const recording = recordingOf(core, recordingId);
  if (recording === undefined || recording.ended_at_ms !== null) return; // ended already, by a repair
  const measuredAtUs = recording.last_us ?? recording.started_at_ms * 1000;
  insertMessage(core, recording.device_id, {
    stream: 'recording',
    kind: 'end',
    recordingId: derivedId(recordingId, 'recording'),
    seq: 1,
    measuredAtUs,
    clock,
    subject: recordingId,
    lastSeq: recording.next_seq - 1,
    readings: recording.readings,
    reason,
  });
  core.sql.endRecording.run(core.options.nowMs(), reason, uuidToBytes(recordingId));
}

function runSteps(core: Core, steps: readonly AppendStep[]): Appended {
  const ranges = new Map<string, { recordingId: string; firstSeq: number; lastSeq: number }>();
  for (const step of steps) {
    switch (step.step) {
      case 'start':
        startRecording(core, step.start);
        break;
      case 'chunk': {
        const seq = insertChunk(core, step.chunk, step.readings, step.endUs);
        const { recordingId } = step.chunk;
        const range = ranges.get(recordingId);
        if (range === undefined) ranges.set(recordingId, { recordingId, firstSeq: seq, lastSeq: seq });
        else range.lastSeq = seq;
        break;
      }
      case 'end':
        endRecording(core, step.recordingId, step.reason, step.clock);
        break;
      case 'gap':
        insertGap(core, step.gap);
        break;
      case 'capture':
        moveCapture(core, step);
        break;
      case 'seen':
        for (const point of step.points) core.sql.setSeen.run(step.device, step.metric, point.atUs, point.digest);
        break;
      case 'message':
        insertMessage(core, step.device, step.message);
        break;
    }
  }
  return { recordings: [...ranges.values()] };
}

function startRecording(core: Core, start: StartDraft): void {
  const recordingId = derivedId(start.subject, 'recording');
  const message = encodeMessage({ ...start, stream: 'recording', kind: 'start', recordingId, seq: 0 });
  core.sql.addRecording.run(uuidToBytes(start.subject), start.device, start.of, start.captureId, core.options.nowMs(), message);
  const { device, measuredAtUs } = start;
  insertRow(core, { device, stream: 'recording', recordingId, seq: 0, measuredAtUs, endUs: measuredAtUs, message });
}

function insertChunk(core: Core, chunk: ChunkDraft, readings: number, endUs: number): number {
  const recording = recordingOf(core, chunk.recordingId);
  if (recording === undefined || recording.ended_at_ms !== null)
    throw new OutboxError('OUTBOX_REPLACED', `recording ${chunk.recordingId} is not open here`);
  const seq = recording.next_seq;
  const numbered: MessageDraft = { ...chunk, seq };
  const { stream, recordingId, measuredAtUs } = chunk;
  insertRow(core, { device: recording.device_id, stream, recordingId, seq, measuredAtUs, endUs, message: encodeMessage(numbered) });
  core.sql.moveRecording.run(readings, endUs, endUs, uuidToBytes(recordingId));
  return seq;
}

function moveCapture({ sql, options }: Core, step: Extract<AppendStep, { step: 'capture' }>): void {
  const { device, stream, captureId, fromSample, nextSample, hole } = step;
  const stored = sql.capture.get(device, stream, captureId) as { next_sample: number } | undefined;
  const actual = stored?.next_sample ?? 0;
  // An earlier append of the same capture failed: what comes behind it must fail too, or it would leave a hole.
  if (actual !== fromSample)
    throw new OutboxError('CAPTURE_MOVED', `${device} ${stream} ${captureId} is at ${actual}, not at ${fromSample}`);
  sql.setCapture.run(device, stream, captureId, nextSample, options.nowMs());
  if (hole === null) return;
  sql.addHole.run(device, stream, captureId, hole.from, hole.to);
  sql.trimHoles.run({ device, stream, captureId, most: MAX_HOLES });
}

function recordingOf({ sql }: Core, recordingId: string): RecordingRow | undefined {
  return sql.recording.get(uuidToBytes(recordingId)) as RecordingRow | undefined;
}
