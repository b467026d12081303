import type { DataStream, EndReason, GapReason, LedgerClockStep, LedgerSpan } from '@vitalwire/contract';
import { bytesToUuid, decodeMessage, isNumeric, isNumericChunk } from '@vitalwire/contract';
import type { Kysely } from 'kysely';
import type { ReadingsTables } from '../schema/tables.ts';
import { refusals } from './errors.ts';
import { type Lost, type SeqAccount, type Stretch, spansOf } from './ledger.ts';
import { coveredByReadings, type ReadingTime } from './reading-times.ts';
import { type Recording, readChunks, readMessages } from './recordings.ts';
import { Pace } from './slices.ts';
import type { StoredSeqs } from './stored-seqs.ts';
import { clockSteps, closedUp } from './time-runs.ts';

const timelineLimits = { ranges: 50_000, readings: 2_000_000, gapStreams: 2_000, gapsPerStream: 2_000 } as const;

/** Between two recordings of one device there is always a little time; less than this is no pause. */
const MOMENT_US = 50_000;
const MESSAGES_PER_PAGE = 500;

export type Accounted = { readonly recording: Recording; readonly account: SeqAccount; readonly stored: StoredSeqs };

/** The time line of one stream of one device, and where its clock was set. */
export type Timeline = { readonly spans: LedgerSpan[]; readonly clockSteps: LedgerClockStep[] };

type Line = {
  readonly device: string;
  readonly gateway: string | null; // only what it declares counts; null: whoever's
  readonly stream: DataStream;
  readonly recordings: readonly Accounted[];
};

/**
 * The spans of one stream of one device over a time range: recorded, or not recorded because. Recorded is what stored chunks cover by their
 * count and rate, or single readings by their validity: neither a clock that jumps nor the time between two readings is.
 */
export async function timelineOf(db: Kysely<ReadingsTables>, line: Line, fromUs: number, toUs: number): Promise<Timeline> {
  const { device, stream } = line;
  const runs = line.recordings.reduce((sum, { stored }) => sum + (stored.runs?.length ?? 0), 0);
  if (runs > timelineLimits.ranges) throw refusals.tooManyRanges(timelineLimits.ranges);
  const measured = isNumeric(stream) ? await measureReadings(db, line) : line.recordings.map(measureSignal);
  measured.sort((a, b) => a.beginsUs - b.beginsUs);
  const readings = measured.flatMap((one) => one.readings).toSorted((a, b) => a.atUs - b.atUs);
  const covered = isNumeric(stream) ? coveredByReadings(readings) : closedUp(measured.flatMap(stretchesOf), MOMENT_US);
  const recorded = covered.toSorted((a, b) => a.fromUs - b.fromUs);
  const steps = measured.flatMap((one) => one.steps);
  const lost = [
    ...measured.flatMap((one) => one.declared),
    ...(await declaredTimes(db, line, recorded, fromUs, toUs)),
    ...measured.flatMap((one) => one.missing),
    ...steps.flatMap((step): Lost[] => (step.toUs > step.fromUs ? [{ ...step, reason: 'clock-step' }] : [])),
    ...afterEnds(measured, toUs),
  ];
  const count = readingCounter(readings);
  const spans = spansOf({ recorded, lost }, fromUs, toUs).map((span) => ({
    device,
    stream,
    ...span,
    ...(isNumeric(stream) && span.state === 'recorded' ? { readings: count(span.fromUs, span.toUs) } : {}),
  }));
  const isInTime = (step: LedgerClockStep): boolean =>
    Math.min(step.fromUs, step.toUs) < toUs && Math.max(step.fromUs, step.toUs) >= fromUs;
  return { spans, clockSteps: steps.filter(isInTime) };
}

type MeasuredRecording = {
  readonly recording: Recording;
  readonly beginsUs: number;
  readonly endsUs: number;
  readonly known: readonly Known[];
  readonly readings: readonly ReadingTime[];
  readonly steps: readonly LedgerClockStep[];
  readonly declared: readonly Lost[];
  readonly missing: readonly Lost[];
};

/** Stored seqs and the time they lie in. */
type Known = Stretch & { readonly from: number; readonly to: number };

function stretchesOf({ known }: MeasuredRecording): Stretch[] {
  return known.map(({ fromUs, toUs }) => ({ fromUs, toUs }));
}

function measureSignal({ recording, account, stored }: Accounted): MeasuredRecording {
  // A clock that is set all the time says nothing: of such a recording the seqs are known, and no time is called recorded.
  if (stored.runs === null) {
    const whole = placed(recording, account, []);
    const unsaid: Lost = { fromUs: whole.beginsUs, toUs: Math.max(whole.endsUs, whole.beginsUs + 1), reason: 'clock-step' };
    return { ...whole, missing: [], declared: [unsaid], readings: [], steps: [] };
  }
  const known = stored.runs.map(({ fromSeq, toSeq, fromUs, toUs }) => ({ from: fromSeq, to: toSeq, fromUs, toUs }));
  const { recordingId, device, stream } = recording;
  const steps = clockSteps(stored.runs).map((step) => ({ recordingId, device, stream, ...step }));
  return { ...placed(recording, account, known), readings: [], steps };
}

async function measureReadings(db: Kysely<ReadingsTables>, { recordings }: Line): Promise<MeasuredRecording[]> {
  const measured: MeasuredRecording[] = [];
  const pace = new Pace();
  let total = 0;
  for (const { recording, account } of recordings) {
    const readings: ReadingTime[] = [];
    const known: Known[] = [];
    for (const range of account.stored) {
      for (let fromSeq = range.from; fromSeq <= range.to; ) {
        const page = await readChunks(db, recording.recordingId, { fromSeq, toSeq: range.to, limit: MESSAGES_PER_PAGE });
        for (const { message: bytes, seq } of page) {
          const decoded = decodeMessage(bytes);
          if (!decoded.ok || !isNumericChunk(decoded.value)) continue;
          const message = decoded.value;
          const times = message.readings.map(({ atUs }) => atUs);
          total += times.length;
          readings.push(...times.map((atUs) => ({ atUs, kind: message.kind })));
          known.push({
            from: seq,
            to: seq,
            fromUs: Math.min(message.measuredAtUs, ...times),
            toUs: Math.max(message.measuredAtUs, ...times),
          });
        }
        if (total > timelineLimits.readings) throw refusals.tooManyReadings(timelineLimits.readings);
        fromSeq = page.length < MESSAGES_PER_PAGE ? range.to + 1 : (page.at(-1)?.seq ?? range.to) + 1;
        await pace.step();
      }
    }
    measured.push({ ...placed(recording, account, known), readings, steps: [] });
  }
  return measured;
}

/** Turns the seqs of a recording into times. What is not stored has no times: it lies between its stored neighbours. */
function placed(recording: Recording, account: SeqAccount, known: readonly Known[]): Omit<MeasuredRecording, 'readings' | 'steps'> {
  const startUs = recording.start?.measuredAtUs ?? known[0]?.fromUs ?? recording.firstMeasuredAtUs;
  const lastUs = known.reduce((most, { toUs }) => Math.max(most, toUs), startUs);
  const endUs = Math.max(lastUs, recording.end?.measuredAtUs ?? lastUs);
  const hole = (from: number, to: number): Stretch => {
    const before = known.findLast((one) => one.to < from);
    const after = known.find((one) => one.from > to);
    const [beginUs, finishUs] = [before?.toUs ?? startUs, after?.fromUs ?? endUs];
    const beginSeq = before === undefined ? 0 : before.to + 1;
    const finishSeq = after?.from ?? Math.max(to + 1, (recording.end?.lastSeq ?? to) + 1);
    const usPerSeq = finishSeq > beginSeq ? Math.max(0, finishUs - beginUs) / (finishSeq - beginSeq) : 0;
    return { fromUs: Math.round(beginUs + (from - beginSeq) * usPerSeq), toUs: Math.round(beginUs + (to + 1 - beginSeq) * usPerSeq) };
  };
  return {
    recording,
    beginsUs: startUs,
    endsUs: endUs,
    known,
    declared: account.declaredLost.map(({ range, reason }) => ({ ...hole(range.from, range.to), reason })),
    missing: [...account.missing, ...account.quarantined].map((range) => ({
      ...hole(range.from, range.to),
      // While the recording is open the rest may still wait in the gateway's outbox: nobody has said that it is lost.
      reason: recording.end === null ? null : ('unknown' as const),
    })),
  };
}

/** How many readings lie in a time, of a list in rising order. */
function readingCounter(readings: readonly ReadingTime[]): (fromUs: number, toUs: number) => number {
  const before = (us: number): number => {
    let [low, high] = [0, readings.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((readings[middle]?.atUs ?? 0) < us) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  return (fromUs, toUs) => before(toUs) - before(fromUs);
}

// Losses declared by time: the agent was down, the device was off.
async function declaredTimes(
  db: Kysely<ReadingsTables>,
  { device, gateway, stream }: { readonly device: string; readonly gateway: string | null; readonly stream: DataStream },
  recorded: readonly Stretch[],
  fromUs: number,
  toUs: number,
): Promise<Lost[]> {
  let query = db.selectFrom('stream_index').select('recording_id').where('device', '=', device).where('stream', '=', 'gap');
  if (gateway !== null) query = query.where('gateway', '=', gateway);
  const streams = await query.orderBy('first_measured_at_us', 'desc').limit(timelineLimits.gapStreams).execute();
  const lost: Lost[] = [];
  for (const { recording_id } of streams) {
    for (const { message } of await readMessages(db, bytesToUuid(recording_id), { fromSeq: 0, limit: timelineLimits.gapsPerStream })) {
      if (message.stream !== 'gap' || message.of !== stream || (message.fromUs === null && message.toUs === null)) continue;
      const { reason } = message;
      // An unknown begin is the end of what was recorded before, an unknown end the begin of what was recorded after.
      const begin = message.fromUs ?? recorded.findLast((one) => one.toUs <= (message.toUs ?? toUs))?.toUs ?? fromUs;
      const end = message.toUs ?? recorded.find((one) => one.fromUs >= begin)?.fromUs ?? toUs;
      if (end > begin) lost.push({ fromUs: begin, toUs: end, reason: reason satisfies GapReason });
    }
  }
  return lost;
}

// After a recording has ended nothing is recorded until the next begins, for the reason of its end.
function afterEnds(measured: readonly MeasuredRecording[], toUs: number): Lost[] {
  return measured.flatMap(({ recording, endsUs }, index): Lost[] => {
    if (recording.end === null) return [];
    const until = measured[index + 1]?.beginsUs ?? toUs;
    return until > endsUs ? [{ fromUs: endsUs, toUs: until, reason: endReason(recording.end.reason) }] : [];
  });
}

function endReason(text: string): EndReason | null {
  return isEndReason(text) ? text : null;
}

function isEndReason(text: string): text is EndReason {
  return ['stopped', 'crash', 'montage-changed', 'midnight', 'capture-ended', 'device-gap'].includes(text);
}
