import {
  type Alarm,
  type AlarmLine,
  type AlarmLog,
  bytesToUuid,
  decodeMessage,
  isServiceId,
  isUuid,
  uuidToBytes,
} from '@vitalwire/contract';
import type { Kysely } from 'kysely';
import type { ReadingsTables } from '../schema/tables.ts';
import { refusals } from './errors.ts';

const alarmLogLimits = {
  logs: 5_000, // logs that one answer looks into
  scannedPerAnswer: 20_000, // lines looked at for one answer; a page may so be short and still have a next one
  openLookBackUs: 30 * 86_400_000_000, // an alarm nobody has seen to for longer is found by asking for its time
  pauseUs: 120_000_000,
} as const;

/** A device, and when it counts; null = without a bound. */
export type DeviceTime = { readonly device: string; readonly fromUs: number | null; readonly toUs: number | null };

export type AlarmLogWish = {
  readonly devices: readonly DeviceTime[] | null; // null = every device
  readonly isBelieved: (alarm: Alarm) => boolean; // a gateway's lines count for its own devices only
  readonly fromUs: number | null;
  readonly toUs: number | null;
  readonly cursor: string | undefined;
  readonly limit: number;
};

/** Lines in the order of their senders' wall clocks. */
export async function readAlarmLog(db: Kysely<ReadingsTables>, wish: AlarmLogWish): Promise<AlarmLog> {
  const logs = await logIds(db, wish);
  let after = wish.cursor === undefined ? null : parsePlace(wish.cursor);
  if (wish.cursor !== undefined && after === null) throw refusals.badCursor();
  const lines: AlarmLine[] = [];
  if (logs.length === 0) return { lines, next: null };
  for (let scanned = 0; scanned < alarmLogLimits.scannedPerAnswer; ) {
    const rows = await pageOf(db, logs, wish, after, wish.limit);
    for (const row of rows) {
      after = { atUs: row.measured_at_us, id: bytesToUuid(row.recording_id), seq: row.seq };
      const decoded = decodeMessage(row.message);
      if (decoded.ok && decoded.value.stream === 'alarm' && isWanted(decoded.value, wish)) lines.push(lineOf(decoded.value));
      if (lines.length === wish.limit) return { lines, next: formatPlace(after) };
    }
    if (rows.length < wish.limit) return { lines, next: null };
    scanned += rows.length;
  }
  return { lines, next: after === null ? null : formatPlace(after) };
}

/**
 * All lines of the alarms that somebody has not ended, and the pauses that may still hold. What a service said of such an alarm is always among
 * them, also that it ended or is part of another: its gateway may never say so, and may go on to speak of it.
 */
export async function readOpenAlarms(
  db: Kysely<ReadingsTables>,
  wish: Pick<AlarmLogWish, 'devices' | 'isBelieved'>,
  nowUs: number,
): Promise<AlarmLine[]> {
  const all: AlarmLine[] = [];
  let cursor: string | undefined;
  do {
    const page = await readAlarmLog(db, { ...wish, fromUs: nowUs - alarmLogLimits.openLookBackUs, toUs: null, cursor, limit: 1_000 });
    all.push(...page.lines);
    cursor = page.next ?? undefined;
  } while (cursor !== undefined);
  const lastOf = new Map(all.map((line) => [`${line.sender} ${line.device} ${line.alarmId}`, line]));
  const open = new Set([...lastOf.values()].filter(({ state }) => state !== 'ended').map(({ device, alarmId }) => `${device} ${alarmId}`));
  return all.filter(({ sender, device, alarmId, atUs }) => {
    if (alarmId === '') return atUs >= nowUs - alarmLogLimits.pauseUs;
    if (!open.has(`${device} ${alarmId}`)) return false;
    return isServiceId(sender) || lastOf.get(`${sender} ${device} ${alarmId}`)?.state !== 'ended';
  });
}

async function logIds(db: Kysely<ReadingsTables>, { toUs }: AlarmLogWish): Promise<Buffer[]> {
  let query = db.selectFrom('stream_index').select('recording_id').where('stream', '=', 'alarm');
  if (toUs !== null) query = query.where('first_measured_at_us', '<', toUs);
  const rows = await query.orderBy('first_measured_at_us', 'desc').limit(alarmLogLimits.logs).execute();
  return rows.map(({ recording_id }) => recording_id);
}

type Place = { readonly atUs: number; readonly id: string; readonly seq: number };

async function pageOf(
  db: Kysely<ReadingsTables>,
  logs: readonly Buffer[],
  { fromUs, toUs }: AlarmLogWish,
  after: Place | null,
  limit: number,
) {
  let query = db
    .selectFrom('chunk')
    .select(['recording_id', 'seq', 'measured_at_us', 'message'])
    .where('recording_id', 'in', [...logs]);
  if (fromUs !== null) query = query.where('measured_at_us', '>=', fromUs);
  if (toUs !== null) query = query.where('measured_at_us', '<', toUs);
  if (after !== null) {
    const id = Buffer.from(uuidToBytes(after.id));
    query = query.where((eb) =>
      eb.or([
        eb('measured_at_us', '>', after.atUs),
        eb.and([eb('measured_at_us', '=', after.atUs), eb('recording_id', '>', id)]),
        eb.and([eb('measured_at_us', '=', after.atUs), eb('recording_id', '=', id), eb('seq', '>', after.seq)]),
      ]),
    );
  }
  return query.orderBy('measured_at_us').orderBy('recording_id').orderBy('seq').limit(limit).execute();
}

function isWanted(alarm: Alarm, { devices, isBelieved }: Pick<AlarmLogWish, 'devices' | 'isBelieved'>): boolean {
  if (!isBelieved(alarm)) return false;
  if (devices === null) return true;
  const atUs = alarm.onsetUs ?? alarm.measuredAtUs;
  return devices.some(
    ({ device, fromUs, toUs }) => device === alarm.device && (fromUs === null || atUs >= fromUs) && (toUs === null || atUs < toUs),
  );
}

function lineOf(alarm: Alarm): AlarmLine {
  const { sender, device, alarmId, condition, priority, state, transition, onsetUs, endedUs } = alarm;
  const { value, limit, channel, untilUs, by, mergedInto, replay, text, episodes, take } = alarm;
  return {
    logId: alarm.subject,
    seq: alarm.seq,
    sender,
    device,
    alarmId,
    condition,
    priority,
    state,
    transition,
    atUs: alarm.measuredAtUs,
    onsetUs,
    endedUs,
    value,
    limit,
    channel,
    untilUs,
    by,
    mergedInto,
    replay: replay === null ? null : { ...replay },
    text,
    ...(episodes === undefined ? {} : { episodes }),
    ...(take === undefined ? {} : { take }),
  };
}

function formatPlace({ atUs, id, seq }: Place): string {
  return `${atUs}.${id}.${seq}`;
}

function parsePlace(text: string): Place | null {
  const [atUs, id, seq] = text.split('.');
  const place = { atUs: Number(atUs), id: id ?? '', seq: Number(seq) };
  return Number.isSafeInteger(place.atUs) && isUuid(place.id) && Number.isSafeInteger(place.seq) && place.seq >= 0 ? place : null;
}
