import type { DataStream, EndReason, GapReason, LedgerSpan } from '@vitalwire/contract';
import { bytesToUuid } from '@vitalwire/contract';
import type { Kysely } from 'kysely';
import type { ReadingsTables } from '../schema/tables.ts';
import { refusals } from './errors.ts';
import { type Lost, type SeqAccount, type Stretch, spansOf } from './ledger.ts';
import { type Recording, readMessages, timesAt } from './recordings.ts';
import { Pace } from './slices.ts';

export const timelineLimits = { ranges: 5_000, gapStreams: 2_000, gapsPerStream: 2_000 } as const;

// Between two recordings of one device there is always a little time; less than this is no pause.
const JOIN_US: Partial<Record<DataStream, number>> = { eeg: 50_000 };
const JOIN_OTHER_US = 2_000_000;

export type Accounted = { readonly recording: Recording; readonly account: SeqAccount };

/** The spans of one stream of one device over a time range: recorded, or not recorded because. */
export async function timelineOf(
  db: Kysely<ReadingsTables>,
  line: {
    readonly device: string;
    readonly gateway: string | null; // only what it declares counts; null: whoever's
    readonly stream: DataStream;
    readonly recordings: readonly Accounted[];
  },
  fromUs: number,
  toUs: number,
): Promise<LedgerSpan[]> {
  const { device, stream } = line;
  const measured: MeasuredRecording[] = [];
  const pace = new Pace();
  let ranges = 0;
  for (const one of line.recordings) {
    ranges += one.account.stored.length;
    if (ranges > timelineLimits.ranges) throw refusals.tooManyRecordings(timelineLimits.ranges);
    measured.push(await measure(db, one, pace));
  }
  measured.sort((a, b) => a.beginsUs - b.beginsUs);
  const recorded = joined(
    measured.flatMap((one) => one.stretches),
    JOIN_US[stream] ?? JOIN_OTHER_US,
  );
  const lost = [
    ...measured.flatMap((one) => one.declared),
    ...(await declaredTimes(db, line, recorded, fromUs, toUs)),
    ...measured.flatMap((one) => one.missing),
    ...afterEnds(measured, toUs),
  ];
  return spansOf({ recorded, lost }, fromUs, toUs).map((span) => ({ device, stream, ...span }));
}

type MeasuredRecording = {
  readonly recording: Recording;
  readonly beginsUs: number;
  readonly endsUs: number;
  readonly stretches: readonly Stretch[];
  readonly declared: readonly Lost[];
  readonly missing: readonly Lost[];
};

/** Turns the seqs of a recording into times. What is not stored has no times: it lies between its stored neighbours. */
async function measure(db: Kysely<ReadingsTables>, { recording, account }: Accounted, pace: Pace): Promise<MeasuredRecording> {
  const known: { from: number; to: number; fromUs: number; toUs: number }[] = [];
  for (const { from, to } of account.stored) {
    const [first, last] = [await timesAt(db, recording.recordingId, from), await timesAt(db, recording.recordingId, to)];
    if (first !== null && last !== null)
      known.push({ from, to, fromUs: first.measuredAtUs, toUs: Math.max(first.measuredAtUs, last.measuredAtUs + last.spanUs) });
    await pace.step();
  }
  const startUs = recording.start?.measuredAtUs ?? known[0]?.fromUs ?? recording.firstMeasuredAtUs;
  const lastUs = known.at(-1)?.toUs ?? startUs;
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
    stretches: known.map(({ fromUs, toUs }) => ({ fromUs, toUs })),
    declared: account.declaredLost.map(({ range, reason }) => ({ ...hole(range.from, range.to), reason })),
    missing: [...account.missing, ...account.quarantined].map((range) => ({
      ...hole(range.from, range.to),
      // While the recording is open the rest may still wait in the gateway's outbox: nobody has said that it is lost.
      reason: recording.end === null ? null : ('unknown' as const),
    })),
  };
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

function joined(stretches: readonly Stretch[], joinUs: number): Stretch[] {
  const whole: { fromUs: number; toUs: number }[] = [];
  for (const { fromUs, toUs } of stretches.toSorted((a, b) => a.fromUs - b.fromUs)) {
    const last = whole.at(-1);
    if (last !== undefined && fromUs - last.toUs <= joinUs) last.toUs = Math.max(last.toUs, toUs);
    else whole.push({ fromUs, toUs });
  }
  return whole;
}
