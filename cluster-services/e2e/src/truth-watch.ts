import type { StateChange } from '@vitalwire/client';
import {
  type AlarmInfo,
  type LatestOfDevice,
  type Ledger,
  type NumericStream,
  numericFacts,
  numericStreams,
  type PatientState,
  type Recordings,
  type WallState,
} from '@vitalwire/contract';
import { ageMs, recentRule, shownState } from '@vitalwire/vitals';
import { readingsKey, type StoredTruth } from './stored-truth.ts';
import { oldestMs, rowsOf, type WallRow } from './wall-frame.ts';

/** How much younger than the truth something may look: the time a frame takes to be drawn and read, on a machine with other work. */
const FRAME_MS = 1_500;
const STATE_MS = 250;
/** What screens promise, said here once more: a limit of the product's own would move with it. */
const EEG_SILENT_MS = 10_000;
const STATE_WITHOUT_AGE_MS = 2_000;
/** From when a condition holds until every screen says so, beyond its own limit. */
const TOLD_MS = 4_000;
/** A dead alarms service is told of when its pulse has been missed for so long: what fell due meanwhile is told with it. */
const ALARMS_SILENT_MS = 10_000;
/** A line that was raised so shortly before a kill may not have left the service. */
const RAISED_MS = 1_000;
/** Everything is shown again so soon after a restart: the time that `restarts` allows. */
const BACK_MS = 5_000;
/** As the wall writes that somebody is replayed, or may be: with and without room. */
const marks: ReadonlySet<string> = new Set(['REPLAY', 'R', 'REPLAY?', '?']);
const LISTED_MS = 1_000;
const MS = 1_000; // in µs
/** The vital with a column of its own on the wall. */
const LEAD = numericStreams[0] as NumericStream;

/** When the newest of each stream of a patient was measured, of all that any screen can have been told. */
type Newest = { eegUs: number; heartUs: number; judgedUs: number };
type Shown = { readonly atMs: number; readonly patient: PatientState };
type ShownAlarm = { readonly alarm: AlarmInfo; readonly atMs: number; readonly seenBeforeMs: number };
type AlarmChange = {
  readonly alarmId: string;
  readonly from: AlarmInfo;
  readonly to: AlarmInfo | null;
  readonly sinceMs: number;
  readonly atMs: number;
};

/** Compares what screens show with each other at once, and with everything that is stored at the end. Times are of one machine's clock. */
export class TruthWatch {
  readonly #isReplayed: (key: string) => boolean;
  readonly #faults = new Map<string, { text: string; count: number; firstMs: number }>();
  readonly #newest = new Map<string, Newest>();
  readonly #names = new Map<string, string>(); // as the wall shows them, to keys
  readonly #values = new Map<string, Shown>(); // every value that was shown, once
  readonly #rows = new Map<string, { readonly key: string; readonly row: WallRow; readonly atMs: number }>();
  readonly #alarms = new Map<string, ShownAlarm>();
  #pending: { where: string; key: string; oldMs: number; of: keyof Newest; atMs: number; text: string }[] = [];
  readonly #changes: AlarmChange[] = [];
  readonly #endedMs = new Map<string, number>(); // devices whose every EEG recording has ended, since when that is known
  #listedMs = 0;
  #alarmsKilledMs = Number.NEGATIVE_INFINITY;
  readonly #behindMs = new Map<string, number>(); // since when something newer was stored than is shown
  readonly counts = {
    states: 0,
    noStates: 0,
    pushes: 0,
    frames: 0,
    rows: 0,
    lines: 0,
    values: 0,
    ledgers: 0,
    maybeReplay: 0,
    unwatched: 0,
  };
  /** How much younger than the truth a frame looked at most. */
  youngestMs = 0;

  /** `isReplayed` says of a key whether its patient is replayed. */
  constructor(isReplayed: (key: string) => boolean) {
    this.#isReplayed = isReplayed;
  }

  /** The alarms service was killed. */
  alarmsKilled(atMs: number): void {
    this.#alarmsKilledMs = atMs;
  }

  /** What web pushed to an open screen, which counts ages on its own idea of the server's time. */
  takePush({ patients, nowUs }: Pick<StateChange, 'patients' | 'nowUs'>, atMs: number): void {
    this.counts.pushes += 1;
    for (const patient of patients) this.#takePatient(patient, nowUs, atMs, atMs, 'push');
  }

  /** `/v1/state`, asked between two moments. */
  takeState(wall: WallState, askedMs: number, atMs: number): void {
    this.counts.states += 1;
    for (const patient of wall.patients) {
      this.#takePatient(patient, wall.nowUs, askedMs, atMs, 'state');
      if (wall.links.alarms === 'ok' && wall.links.frontDoor === 'ok') this.#noDataIsTold(patient, askedMs);
      this.#seizesNoMore(patient, askedMs);
    }
    if (wall.links.alarms === 'ok') this.#takeAlarms(wall, askedMs, atMs);
    else this.counts.unwatched += 1;
    this.#judgeAges(askedMs);
  }

  /** `/v1/state` was asked for, and web was dead: no screen hears anything. */
  takeNoState(askedMs: number): void {
    this.counts.noStates += 1;
    this.#judgeAges(askedMs);
  }

  /** A frame of a wall of at least 72 columns that was drawn after one moment and read before another. */
  takeFrame(frame: string, fromMs: number, atMs: number, where: string): void {
    this.counts.frames += 1;
    for (const row of rowsOf(frame)) {
      const key = this.#names.get(row.name);
      if (key === undefined) continue;
      this.counts.rows += 1;
      this.#rows.set(`${key} ${row.heart} ${row.heartAge}`, { key, row, atMs });
      this.#takeRow(key, row, fromMs, where);
    }
  }

  /** A line of `watch --plain`. */
  takeLine(line: string, atMs: number): void {
    this.counts.lines += 1;
    const [, key = '', told = ''] = / \[([^\]]+)\]: (.*)$/.exec(line) ?? [];
    const isValue = /probability|^(seizure pattern|focal pattern|quiet|unsure|not scorable|calibrating)\b/.test(told);
    if (!isValue) return;
    if (this.#isReplayed(key) && !told.includes('REPLAY')) this.#fault(`plain: a value of a replay without its mark`, line, atMs);
    const old = oldestMs(told.slice(0, told.lastIndexOf(' old')).split(', ').at(-1) ?? '');
    if (old === null) this.#fault('plain: a value without its age', line, atMs);
    else this.#notYounger('plain', key, old, 'judgedUs', atMs, line);
  }

  /** What storage lists. */
  takeRecordings(recordings: Recordings['recordings'], atMs: number): void {
    this.#listedMs = atMs;
    const open = new Set(recordings.filter(({ stream, open: isOpen }) => stream === 'eeg' && isOpen).map(({ device }) => device));
    for (const { stream, device } of recordings) {
      if (stream !== 'eeg') continue;
      if (open.has(device)) this.#endedMs.delete(device);
      else if (!this.#endedMs.has(device)) this.#endedMs.set(device, atMs);
    }
  }

  /** What storage says is the newest of each device, asked before `/v1/state`: for longer than a restart takes nothing older may be shown. */
  takeLatest(latest: readonly LatestOfDevice[], { patients }: WallState, atMs: number): void {
    for (const { device, numerics, eeg } of latest) {
      const patient = patients.find(({ devices }) => devices.includes(device));
      const shownOf = (stream: NumericStream) => patient?.numerics.find((one) => one.stream === stream && one.device === device) ?? null;
      const pairs = [
        ...numerics.map((one) => [numericFacts(one.stream).label, one, shownOf(one.stream)] as const),
        ['EEG', eeg, patient?.eeg?.device === device ? patient.eeg : null] as const,
      ];
      for (const [what, stored, shown] of pairs) {
        const storedUs = stored?.measuredAtUs;
        const shownUs = shown?.at.measuredAtUs ?? null;
        const key = `${device} ${what}`;
        if (patient === undefined || storedUs === undefined || (shownUs !== null && shownUs >= storedUs - MS)) this.#behindMs.delete(key);
        else if (atMs - (this.#behindMs.get(key) ?? atMs) > BACK_MS)
          this.#fault(
            `state: the ${what} is not the newest`,
            `${device}: ${JSON.stringify(shown)}, stored ${JSON.stringify(stored)}`,
            atMs,
          );
        else if (!this.#behindMs.has(key)) this.#behindMs.set(key, atMs);
      }
    }
  }

  /** What the ledger says of one patient, and the recordings as they were listed after it. */
  takeLedger({ recordings, spans }: Ledger, listed: Recordings['recordings'], atMs: number): void {
    this.counts.ledgers += 1;
    let storedUs = 0;
    for (const { recordingId, stream, state, missing, samplesStored } of recordings) {
      const recording = listed.find((one) => one.recordingId === recordingId);
      if (recording === undefined) continue;
      if (state === 'complete' && (recording.open || missing.length > 0)) this.#fault('ledger: complete, and it is not', recordingId, atMs);
      if (stream === 'eeg' && recording.rate !== null) storedUs += (samplesStored * 1e6 * recording.rate.den) / recording.rate.num;
    }
    const recorded = spans.filter(({ stream, state }) => stream === 'eeg' && state === 'recorded');
    const recordedUs = recorded.reduce((sum, { fromUs, toUs }) => sum + toUs - fromUs, 0);
    if (recordedUs > storedUs + MS * (1 + recorded.length))
      this.#fault('ledger: recorded where nothing is stored', `${recordedUs / 1e6} s of ${storedUs / 1e6} s`, atMs);
  }

  /** Holds everything that was shown against everything that is stored. Call it when all has arrived. */
  compareWith(stored: StoredTruth): void {
    for (const shown of this.#values.values()) this.#isStored(shown, stored);
    for (const { key, row, atMs } of this.#rows.values()) this.#heartWasMeasured(key, row, atMs, stored);
    for (const change of this.#changes) this.#isInTheLog(change, stored);
    for (const { alarm, atMs } of this.#alarms.values()) this.#overWasSeen(alarm, atMs, stored);
  }

  /** Every kind of falsehood once, with how often and the first of it. */
  get faults(): string[] {
    return [...this.#faults].map(
      ([kind, { text, count, firstMs }]) => `${kind} (${count}x, first ${new Date(firstMs).toISOString()}): ${text}`,
    );
  }

  #takePatient(patient: PatientState, nowUs: number, atMs: number, readMs: number, where: string): void {
    const { key, eeg, numerics, detection } = patient;
    this.#names.set(patient.label ?? patient.patient ?? key, key);
    const values = [eeg, ...numerics, detection].filter((one) => one !== null);
    const isReplayed = this.#isReplayed(key);
    if (isReplayed && values.length > 0 && patient.replay === null) {
      if (patient.replayKnown === false) this.counts.maybeReplay += 1;
      else this.#fault(`${where}: a value of a replay without its mark`, key, atMs);
    }
    if (!isReplayed && patient.replay !== null) this.#fault(`${where}: REPLAY on somebody who is not replayed`, key, atMs);
    if (isReplayed)
      for (const alarm of patient.alarms)
        if (alarm.category === 'physiological' && alarm.replay === null)
          this.#fault(`${where}: an alarm of a replay without its mark`, `${key} ${alarm.condition} ${alarm.alarmId}`, atMs);
    for (const { at } of values) {
      const age = ageMs(at, nowUs);
      const trueMs = atMs - at.measuredAtUs / MS;
      if (age === null) this.#fault(`${where}: a value without an age`, `${key} ${JSON.stringify(at)}`, atMs);
      else if (age < trueMs - STATE_MS) this.#fault(`${where}: younger than it is`, `${key}: ${age} ms, measured ${trueMs} ms ago`, atMs);
      if (at.measuredAtUs / MS > readMs + STATE_MS) this.#fault(`${where}: measured in the future`, `${key} ${JSON.stringify(at)}`, atMs);
    }
    const newest = this.#newest.get(key) ?? { eegUs: 0, heartUs: 0, judgedUs: 0 };
    this.#newest.set(key, {
      eegUs: Math.max(newest.eegUs, eeg?.at.measuredAtUs ?? 0),
      heartUs: Math.max(newest.heartUs, numerics.find(({ stream }) => stream === LEAD)?.at.measuredAtUs ?? 0),
      judgedUs: Math.max(newest.judgedUs, detection?.at.measuredAtUs ?? 0),
    });
    const id = [
      key,
      eeg?.at.measuredAtUs,
      ...numerics.flatMap(({ stream, at, value }) => [stream, at.measuredAtUs, value]),
      detection?.at.measuredAtUs,
      detection?.state,
    ];
    if (!this.#values.has(id.join(' '))) this.#values.set(id.join(' '), { atMs, patient });
    this.counts.values = this.#values.size;
  }

  /** EEG that stopped without an end must be told, by the device's own alarm. */
  #noDataIsTold({ key, eeg, alarms }: PatientState, atMs: number): void {
    if (eeg === null || this.#endedMs.has(eeg.device)) return;
    // What comes of a backlog is old, which its age says, but it comes.
    const silentMs = atMs - Math.max(eeg.at.measuredAtUs, eeg.at.receivedAtUs) / MS;
    if (silentMs < EEG_SILENT_MS + TOLD_MS) return;
    const dueMs = atMs - silentMs + EEG_SILENT_MS;
    if (dueMs > this.#alarmsKilledMs - RAISED_MS && atMs < this.#alarmsKilledMs + ALARMS_SILENT_MS + TOLD_MS) return;
    if (!alarms.some(({ condition, device, endedUs }) => condition === 'no-data' && device === eeg.device && endedUs === null))
      this.#fault('state: NO DATA is missing', `${key}: no EEG for ${Math.round(silentMs)} ms`, atMs);
  }

  #seizesNoMore({ key, eeg, alarms }: PatientState, atMs: number): void {
    const endedMs = eeg === null ? undefined : this.#endedMs.get(eeg.device);
    // Only while the list is of now: another recording may have begun since.
    if (endedMs === undefined || atMs < endedMs + TOLD_MS || atMs > this.#listedMs + LISTED_MS) return;
    for (const { condition, device, endedUs, episodes, alarmId } of alarms)
      if (condition === 'seizure' && device === eeg?.device && (endedUs === null || episodes?.at(-1)?.end === 'goes-on'))
        this.#fault('state: seizing after the recording ended', `${key} ${alarmId}, ended ${atMs - endedMs} ms before`, atMs);
  }

  #takeAlarms({ patients }: WallState, askedMs: number, atMs: number): void {
    const now = new Map(patients.flatMap(({ alarms }) => alarms.map((alarm) => [alarm.alarmId, alarm] as const)));
    for (const [alarmId, { alarm: from, atMs: sinceMs }] of this.#alarms) {
      const to = now.get(alarmId) ?? null;
      if (to?.state !== from.state || to.acknowledgedBy !== from.acknowledgedBy) this.#changes.push({ alarmId, from, to, sinceMs, atMs });
      if (to === null) this.#alarms.delete(alarmId);
    }
    for (const [alarmId, alarm] of now) this.#alarms.set(alarmId, { alarm, atMs, seenBeforeMs: askedMs });
  }

  #takeRow(key: string, row: WallRow, fromMs: number, where: string): void {
    const { state, probability, eegAge, heart, heartAge, mark } = row;
    const text = JSON.stringify(row);
    const isJudged = state !== '' && !/no data|not judged/.test(state);
    const hasValue = isJudged || heart !== '--' || eegAge !== '--' || probability !== '--';
    if (hasValue && this.#isReplayed(key) && !marks.has(mark)) this.#fault(`${where}: a value of a replay without its mark`, text, fromMs);
    if (!this.#isReplayed(key) && mark !== '') this.#fault(`${where}: REPLAY on somebody who is not replayed`, text, fromMs);
    if (heart !== '--') {
      const old = oldestMs(heartAge);
      if (old === null) this.#fault(`${where}: a heart rate without its age`, text, fromMs);
      else this.#notYounger(where, key, old, 'heartUs', fromMs, text);
    }
    if (eegAge !== '--') {
      const old = oldestMs(eegAge);
      if (old === null) this.#fault(`${where}: EEG without its age`, text, fromMs);
      else this.#notYounger(where, key, old, 'eegUs', fromMs, text);
    }
    if (isJudged) this.#notYounger(where, key, oldestMs(state) ?? STATE_WITHOUT_AGE_MS, 'judgedUs', fromMs, text);
    if (!isJudged && probability !== '--') this.#fault(`${where}: a probability without its word`, text, fromMs);
  }

  /** Judged when the state was asked for after it: another screen may have heard of something newer a moment before this watch did. */
  #notYounger(where: string, key: string, oldMs: number, of: keyof Newest, atMs: number, text: string): void {
    this.#pending.push({ where, key, oldMs, of, atMs, text });
  }

  #judgeAges(askedMs: number): void {
    for (const { where, key, oldMs, of, atMs, text } of this.#pending) {
      if (atMs >= askedMs) continue;
      const newestUs = this.#newest.get(key)?.[of] ?? 0;
      if (newestUs === 0) continue;
      const tooYoungMs = atMs - newestUs / MS - oldMs;
      this.youngestMs = Math.max(this.youngestMs, Math.round(tooYoungMs));
      if (tooYoungMs > FRAME_MS)
        this.#fault(`${where}: younger than it is`, `${key} ${of}, by ${Math.round(tooYoungMs)} ms: ${text}`, atMs);
    }
    this.#pending = this.#pending.filter(({ atMs }) => atMs >= askedMs);
  }

  /** Every value must be stored as it was shown, and a state must rest on windows that were judged so. */
  #isStored({ patient, atMs }: Shown, stored: StoredTruth): void {
    const { key, eeg, numerics, detection, replay } = patient;
    if (eeg !== null && !isNear(stored.eegEndsUs.get(eeg.recordingId) ?? [], eeg.at.measuredAtUs))
      this.#fault('stored: EEG was shown that is not stored', `${key} ${JSON.stringify(eeg)}`, atMs);
    for (const shown of numerics) {
      const readings = stored.readings.get(readingsKey(shown.device, shown.stream)) ?? [];
      if (!readings.some(({ atUs, value }) => atUs === shown.at.measuredAtUs && Math.abs(value - shown.value) < 0.01))
        this.#fault(`stored: ${numericFacts(shown.stream).label} was shown that is not stored`, `${key} ${JSON.stringify(shown)}`, atMs);
    }
    if (replay !== null && !stored.recordings.some((one) => one.patient === key && one.replay?.source === replay.source))
      this.#fault('stored: a mark of a replay nobody stored', `${key} ${JSON.stringify(replay)}`, atMs);
    if (detection === null) return;
    const windows = (stored.windows.get(detection.device) ?? []).filter(({ endUs }) => endUs <= detection.at.measuredAtUs + MS);
    const newest = windows.filter(({ endUs }) => endUs > detection.at.measuredAtUs - MS);
    if (newest.length === 0)
      this.#fault('stored: a state was shown of a window that is not stored', `${key} ${JSON.stringify(detection)}`, atMs);
    else if (!detection.provisional && !newest.some(({ verdict }) => verdict === detection.verdict))
      this.#fault('stored: another verdict was shown than is stored', `${key} ${JSON.stringify([detection, newest])}`, atMs);
    const recent = windows.slice(-3 * recentRule.windows);
    const { state } = shownState(patient, detection.at.measuredAtUs);
    if (state.key === 'quiet' && recent.filter(({ verdict }) => verdict === 'quiet').length < recentRule.needed)
      this.#fault('stored: quiet where it was not judged so', `${key} ${JSON.stringify(recent.slice(-6))}`, atMs);
  }

  /** A heart rate with an age was measured then, and no other was measured later that could have been shown. */
  #heartWasMeasured(key: string, { heart, heartAge }: WallRow, atMs: number, stored: StoredTruth): void {
    const bpm = Number(heart.replace(/[[\]]/g, ''));
    const old = oldestMs(heartAge);
    if (heart === '--' || old === null) return;
    const devices = new Set(stored.recordings.filter(({ patient }) => patient === key).map(({ device }) => device));
    const readings = [...devices].flatMap((device) => stored.readings.get(readingsKey(device, LEAD)) ?? []);
    const fromUs = (atMs - old - FRAME_MS) * MS;
    if (!readings.some((one) => one.atUs >= fromUs && one.atUs <= atMs * MS && Math.round(one.value) === bpm))
      this.#fault('wall: a heart rate that was not measured then', `${key} ${heart} ${heartAge}`, atMs);
  }

  /** Whatever became of an alarm stands in its log, at that time. */
  #isInTheLog({ alarmId, from, to, sinceMs, atMs }: AlarmChange, { alarmLines }: StoredTruth): void {
    const lines = alarmLines.filter((line) => line.alarmId === alarmId && line.atUs <= (atMs + STATE_MS) * MS);
    const isMerged = to === null && lines.some(({ transition }) => transition === 'merged');
    const recent = lines.filter(({ atUs }) => atUs >= (sinceMs - FRAME_MS) * MS);
    if (isMerged || recent.some(({ state }) => state === (to?.state ?? 'ended'))) return;
    // It may have been shown late, but never what the log does not say last.
    if (lines.at(-1)?.state === (to?.state ?? 'ended')) return;
    const what = to === null ? 'vanished' : `${from.state} by ${from.acknowledgedBy} became ${to.state} by ${to.acknowledgedBy}`;
    this.#fault(
      to === null ? 'state: an alarm vanished' : 'state: an alarm changed that nobody changed',
      `${from.device} ${from.condition} ${alarmId} ${what}`,
      atMs,
    );
  }

  /** "Over" needs windows after the last that spoke for it, which were judged and spoke against it. */
  #overWasSeen({ condition, device, episodes, alarmId }: AlarmInfo, atMs: number, stored: StoredTruth): void {
    if (condition !== 'seizure') return;
    for (const { seenUntilUs, end } of episodes ?? []) {
      const after = (stored.windows.get(device) ?? []).filter(({ endUs }) => endUs > seenUntilUs + MS).slice(0, 30);
      if (end === 'over' && !after.some(({ probability }) => probability !== null && probability < recentRule.off))
        this.#fault('state: over where nobody saw it end', `${device} ${alarmId} ${JSON.stringify(after.slice(0, 5))}`, atMs);
    }
  }

  #fault(kind: string, text: string, atMs: number): void {
    const known = this.#faults.get(kind);
    if (known === undefined) this.#faults.set(kind, { text, count: 1, firstMs: atMs });
    else known.count += 1;
  }
}

function isNear(moments: readonly number[], us: number): boolean {
  return moments.some((one) => Math.abs(one - us) < 5 * MS);
}
