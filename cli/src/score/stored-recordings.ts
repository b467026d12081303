import type { Client } from '@vitalwire/client';
import { type AlarmLine, type DetectionInfo, decodeMessage, type RecordingInfo } from '@vitalwire/contract';
import { orderedEvents, rawThresholdAlarms, type TimeEvent } from '@vitalwire/vitals';
import { readDetections } from '../compare/stored-capture.ts';
import { annotatingGroups, type CaptureGroup, captureGroups } from './capture-groups.ts';
import { coveredSeconds, type Hypothesis, type ScoredRecording, type WindowCount } from './scored-recording.ts';
import { runSeizureRule, type TimedVote } from './seizure-rule.ts';
import { engineHypothesis, type StoredSeizureAlarm, seizureAlarms } from './stored-alarms.ts';

/** Which stored recordings to score. Nothing named = everything that is stored. */
export type StoredWish = {
  readonly devices: readonly string[];
  readonly patients: readonly string[];
  readonly captures: readonly string[] | null; // capture ids of what replays have sent; null = any
  readonly fromUs?: number | undefined; // data time
  readonly toUs?: number | undefined;
  readonly model?: string | undefined; // its hash; the model of the newest detection if not given
  readonly isWhole?: boolean; // also what lies behind the last detection, which may not have been judged yet
};

/** Everything that is stored about the wanted captures of EEG, as scoring wants it. */
export async function readStoredRecordings(web: Client, wish: StoredWish, signal: AbortSignal): Promise<ScoredRecording[]> {
  const { captures } = wish;
  const all = await recordingsOf(web, wish, 'eeg');
  const eeg = captureGroups(all);
  const wanted = captures === null ? eeg : captureGroups(all.filter(({ captureId }) => captureId !== null && captures.includes(captureId)));
  const events = captureGroups(await recordingsOf(web, wish, 'event'));
  const alarms = await seizureAlarms(web, [...new Set(wanted.map(({ device }) => device))]);
  const scored: ScoredRecording[] = [];
  for (const group of wanted) {
    signal.throwIfAborted();
    const one = await scoredRecording(web, wish, group, { events, all: eeg, alarms });
    if (one !== null) scored.push(one);
  }
  return scored;
}

async function recordingsOf(web: Client, wish: StoredWish, stream: 'eeg' | 'event'): Promise<RecordingInfo[]> {
  const { devices, patients, fromUs, toUs } = wish;
  const whose = [...devices.map((device) => ({ device })), ...patients.map((patient) => ({ patient }))];
  const found = new Map<string, RecordingInfo>();
  for (const one of whose.length === 0 ? [{}] : whose) {
    const query = { ...one, stream, ...(fromUs === undefined ? {} : { fromUs }), ...(toUs === undefined ? {} : { toUs }) };
    for await (const recording of web.eachRecording(query)) found.set(recording.recordingId, recording);
  }
  return [...found.values()];
}

type Stored = {
  readonly events: readonly CaptureGroup[];
  readonly all: readonly CaptureGroup[]; // of EEG
  readonly alarms: readonly StoredSeizureAlarm[] | null;
};

async function scoredRecording(web: Client, wish: StoredWish, group: CaptureGroup, stored: Stored): Promise<ScoredRecording | null> {
  const notes: string[] = [];
  const spans = await Promise.all(group.recordings.map((one) => spanOf(web, one)));
  const fromUs = Math.max(wish.fromUs ?? Number.NEGATIVE_INFINITY, Math.min(...spans.map((span) => span.fromUs)));
  const toUs = Math.min(wish.toUs ?? Number.POSITIVE_INFINITY, Math.max(...spans.map((span) => span.toUs)));
  const storedS = (toUs - fromUs) / 1e6;
  if (!(storedS >= 1)) return null; // too short for one sample of the mask, or outside the wanted time
  const secondsOf = (us: number): number => (us - fromUs) / 1e6;
  const { detections, model, others } = await detectionsOf(web, group.recordings, wish.model);
  if (others > 0) notes.push(`${others} other models have scored it too; --model chooses`);
  const votes = detections
    .map(({ recording, detection }) => voteOf(recording, detection, secondsOf))
    .filter(({ startS, endS }) => endS > 0 && startS < storedS);
  const judged = votes.filter(({ probability }) => probability !== null);
  const lastS = Math.min(storedS, Math.max(0, ...votes.map(({ endS }) => endS)));
  // Detections may still come, and what has none yet is neither found nor missed.
  const isCut = wish.isWhole !== true && votes.length > 0 && lastS >= 1 && storedS - lastS > 1;
  const durationS = isCut ? lastS : storedS;
  const toScoredUs = fromUs + durationS * 1e6;
  const recordedS =
    spans.reduce((sum, span) => sum + Math.max(0, Math.min(toScoredUs, span.toUs) - Math.max(fromUs, span.fromUs)), 0) / 1e6;
  const monitoredS = coveredSeconds(judged, durationS);
  if (durationS - recordedS > 1) notes.push(`${(durationS - recordedS).toFixed(1)} s of it are not stored`);

  const annotated = await seizureEvents(web, annotatingGroups(group, stored.events, toUs), secondsOf);
  if (annotated.endless > 0) notes.push(`${annotated.endless} seizures are annotated without an end: they count as moments`);
  const reference = orderedEvents(annotated.events, durationS);
  const behind = annotated.events.filter(({ startS }) => startS >= durationS).length;
  if (isCut)
    notes.push(
      `scored up to the last detection: ${(storedS - durationS).toFixed(0)} s and ${behind} seizures behind it are left out (--whole scores them)`,
    );
  if (votes.length === 0) notes.push('no window has a detection: nothing was judged, so nothing is scored');
  else if (monitoredS === 0) notes.push('no window could be judged, so nothing is scored');
  const unseen = reference.filter((event) => !judged.some(({ startS, endS }) => startS < event.endS && endS > event.startS)).length;
  if (monitoredS > 0 && unseen > 0) notes.push(`${unseen} of the seizures lie where nothing was judged: they count as missed`);

  const raw = rawThresholdAlarms(votes);
  const rule = runSeizureRule(votes, durationS);
  if (stored.alarms === null) notes.push("no alarm of a seizure is stored: the engine's rule was run over the stored detections instead");
  const own = stored.alarms === null ? null : alarmsOf(group, stored.all, stored.alarms);
  const engine: Hypothesis = own === null ? { name: 'rule', ...rule } : engineHypothesis(own, { fromUs, toUs: toScoredUs }, rule, notes);
  const hypotheses: Hypothesis[] = [engine, { name: 'raw', alarms: raw, signals: raw }];
  const replay = group.recordings.find((one) => one.replay !== null)?.replay ?? null;
  return {
    subject: group.patient ?? group.device,
    name: group.captureId ?? group.recordings[0]?.recordingId ?? group.device,
    startedAtUs: fromUs,
    durationS,
    recordedS,
    monitoredS,
    reference,
    hypotheses,
    source: replay?.source ?? group.recordings[0]?.source ?? '',
    speed: replay?.speed ?? null,
    windows: windowCount(votes, model),
    notes,
  };
}

/** When the stored part of a recording begins and ends on the device's clock. */
async function spanOf(web: Client, recording: RecordingInfo): Promise<{ fromUs: number; toUs: number }> {
  if (recording.endedAtUs !== null) return { fromUs: recording.startedAtUs, toUs: recording.endedAtUs };
  const { spans } = await web.ledger({ recording: recording.recordingId });
  const recorded = spans.filter(({ state }) => state === 'recorded');
  return { fromUs: recording.startedAtUs, toUs: Math.max(recording.startedAtUs, ...recorded.map(({ toUs }) => toUs)) };
}

async function seizureEvents(
  web: Client,
  groups: readonly CaptureGroup[],
  secondsOf: (us: number) => number,
): Promise<{ events: TimeEvent[]; endless: number }> {
  const events: TimeEvent[] = [];
  let endless = 0;
  for (const { recordingId } of groups.flatMap(({ recordings }) => recordings)) {
    for await (const bytes of web.eachChunk(recordingId)) {
      const message = decodeMessage(bytes);
      if (!message.ok || message.value.stream !== 'event') continue; // damaged bytes are verify's to tell
      for (const { type, atUs, durationUs } of message.value.events) {
        if (type !== 'seizure') continue;
        if (durationUs === null) endless += 1;
        events.push({ startS: secondsOf(atUs), endS: secondsOf(atUs + (durationUs ?? 0)) });
      }
    }
  }
  return { events, endless };
}

type Judged = { readonly recording: RecordingInfo; readonly detection: DetectionInfo };

/** The detections of one model: the wanted one, or that of the newest detection. */
async function detectionsOf(
  web: Client,
  recordings: readonly RecordingInfo[],
  wanted: string | undefined,
): Promise<{ detections: Judged[]; model: string; others: number }> {
  const firsts = (await Promise.all(recordings.map(({ recordingId }) => web.detections(recordingId, { limit: 100 })))).flatMap(
    ({ detections }) => detections,
  );
  const newest = firsts.toSorted((a, b) => b.committedAtUs - a.committedAtUs)[0];
  const hash = wanted ?? newest?.modelHash;
  if (hash === undefined) return { detections: [], model: '', others: 0 };
  const detections: Judged[] = [];
  for (const recording of recordings) {
    for (const detection of await readDetections(web, recording.recordingId, { model: hash })) detections.push({ recording, detection });
  }
  const others = new Set(firsts.map(({ modelHash }) => modelHash).filter((one) => one !== hash)).size;
  return { detections, model: detections[0]?.detection.modelVersion ?? '', others };
}

function voteOf(recording: RecordingInfo, detection: DetectionInfo, secondsOf: (us: number) => number): TimedVote {
  const { num, den } = recording.rate ?? { num: 1, den: 1 }; // without its start record the rate is unknown: windows are then moments
  const spanUs = recording.rate === null ? 0 : (detection.samples * den * 1e6) / num;
  return {
    startS: secondsOf(detection.measuredAtUs),
    endS: secondsOf(detection.measuredAtUs + spanUs),
    verdict: detection.verdict,
    probability: detection.probability,
    channel: detection.channel,
    key: `${recording.recordingId} ${detection.window}`,
    // Window w begins at sample w x hop; of window 0 alone the hop cannot be told.
    hopS: detection.window > 0 ? ((detection.firstSample / detection.window) * den) / num : Math.min(1, spanUs / 1e6),
  };
}

function windowCount(votes: readonly TimedVote[], model: string): WindowCount {
  const seizure = votes.filter(({ verdict }) => verdict === 'seizure' || verdict === 'focal').length;
  const quiet = votes.filter(({ verdict }) => verdict === 'quiet').length;
  return { model, windows: votes.length, seizure, unjudged: votes.length - seizure - quiet };
}

/** Alarms were raised after their capture began, and before the device's next one did: of replays above 1x only that tells them apart. */
function alarmsOf(group: CaptureGroup, all: readonly CaptureGroup[], alarms: readonly StoredSeizureAlarm[]): AlarmLine[] {
  const begins = (one: CaptureGroup): number => one.recordings[0]?.startedAtUs ?? 0;
  const later = all
    .filter(({ device }) => device === group.device)
    .map(begins)
    .filter((us) => us > begins(group));
  const untilUs = Math.min(Number.POSITIVE_INFINITY, ...later);
  return alarms
    .filter(({ newest, firstAtUs }) => newest.device === group.device && firstAtUs >= begins(group) && firstAtUs < untilUs)
    .map(({ newest }) => newest);
}
