import { type EdgeWatch, inTableOrder, isClockWrong, numericFacts, type Rate } from '@vitalwire/contract';
import { RecentMap } from '@vitalwire/runtime';
import type { AlarmEngine, AlarmRecord, DetectionInput } from '@vitalwire/vitals';
import type { KeptBaselines } from './kept-baselines.ts';
import type { Reading, View, WatchedStart } from './protocol.ts';

/** What of the detector is used; the package itself is loaded only where somebody asked for it. */
export type Detector = Pick<
  Awaited<ReturnType<typeof import('@vitalwire/detector')['loadStreamDetector']>>,
  'modelHash' | 'modelVersion' | 'openStream' | 'score'
>;
type EegStream = ReturnType<Detector['openStream']>;

/** After a longer pause electrodes may be others. */
const SAME_ELECTRODES_US = 600_000_000;
/** Devices that are watched; beyond it the one unheard for longest is forgotten. */
const MAX_DEVICES = 256;

type Eeg = {
  readonly start: WatchedStart;
  readonly rate: Rate;
  readonly stream: EegStream;
  readonly earlier: number; // samples of joined predecessors in the stream
  samples: number; // of this recording so far
  open: boolean;
  levels: KeptBaselines['levels']; // what its channels were compared with last
  judgedUs: number; // wall clock
};
type Device = { eeg: Eeg | null; seen: EdgeWatch['devices'][number] };
type Judged = {
  readonly device: Device;
  readonly eeg: Eeg;
  readonly prepared: ReturnType<EegStream['push']>;
  readonly timeOf: (sample: number) => number;
};

/**
 * The detector and the alarm engine on the readings of one gateway. A recording that goes on where its predecessor ended keeps filters
 * and baseline. Its detections are shown here and decide alarms; what is stored is computed by the cluster from the same samples.
 */
export class DeviceWatch {
  readonly #detector: Detector;
  readonly #engine: AlarmEngine;
  readonly #devices = new RecentMap<string, Device>(MAX_DEVICES); // last in the map = heard last
  readonly #recordings = new Map<string, string>(); // open recording → its device

  readonly #kept: ReadonlyMap<string, KeptBaselines>; // by device, of an earlier run

  constructor(detector: Detector, engine: AlarmEngine, kept: readonly KeptBaselines[] = []) {
    this.#detector = detector;
    this.#engine = engine;
    this.#kept = new Map(kept.map((one) => [one.device, one]));
  }

  /** What the channels of each device were compared with last: to be kept over restarts. */
  baselines(): KeptBaselines[] {
    return [...this.#devices].flatMap(([device, { eeg }]) => {
      if (eeg === null || eeg.levels.every((level) => level === null)) return this.#kept.get(device) ?? [];
      return [keptOf(device, eeg)];
    });
  }

  /** Takes readings in the order they were committed; all windows they complete are scored together. */
  take(readings: readonly Reading[], nowUs: number): AlarmRecord[] {
    const records: AlarmRecord[] = [];
    const judged: Judged[] = [];
    for (const reading of readings) {
      if (reading.kind === 'start') this.#start(reading.start, nowUs);
      else if (reading.kind === 'end') records.push(...this.#end(reading, nowUs));
      else if (reading.kind === 'eeg') judged.push(...this.#push(reading, nowUs));
      else records.push(...this.#numeric(reading, nowUs));
    }
    const scores = this.#detector.score(judged.flatMap(({ prepared }) => prepared));
    let next = 0;
    for (const { device, eeg, prepared, timeOf } of judged) {
      for (const _ of prepared) {
        const score = scores[next++];
        if (score !== undefined) records.push(...this.#detection(device, eeg, score, timeOf, nowUs));
      }
    }
    return records;
  }

  view(): View {
    const { alarms, pauses } = this.#engine.now();
    return { devices: [...this.#devices.values()].map(({ seen }) => seen).sort((a, b) => (a.device < b.device ? -1 : 1)), alarms, pauses };
  }

  #start(start: WatchedStart, nowUs: number): void {
    const device = this.#deviceOf(start.device);
    device.seen = { ...device.seen, replay: start.replay };
    this.#recordings.set(start.subject, start.device);
    if (start.of !== 'eeg' || start.rate === null) return;
    const before = device.eeg;
    const goesOn = before !== null && joins(before, start);
    const kept = before === null || before.levels.length === 0 ? this.#kept.get(start.device) : keptOf(start.device, before);
    const recalled = kept !== undefined && isSameHead(kept, start, nowUs) ? [{ window: Number.MIN_SAFE_INTEGER, levels: kept.levels }] : [];
    device.eeg = {
      start,
      rate: start.rate,
      stream: goesOn ? before.stream : this.#detector.openStream(start.rate, start.channels, recalled),
      earlier: goesOn ? before.earlier + before.samples : 0,
      samples: 0,
      open: true,
      levels: goesOn ? before.levels : [],
      judgedUs: goesOn ? before.judgedUs : 0,
    };
  }

  #end({ recordingId, reason }: Extract<Reading, { kind: 'end' }>, nowUs: number): readonly AlarmRecord[] {
    const device = this.#devices.get(this.#recordings.get(recordingId) ?? '');
    this.#recordings.delete(recordingId);
    if (device?.eeg?.start.subject !== recordingId) return [];
    device.eeg.open = false;
    const { seen } = device;
    if (seen.eeg === null) return [];
    device.seen = { ...seen, eeg: { ...seen.eeg, open: false } };
    if (reason !== 'stopped' && reason !== 'capture-ended') return []; // another goes on at once
    const { start } = device.eeg;
    const ending = { device: seen.device, atUs: seen.eeg.measuredAtUs, take: takeOf(start), recording: recordingId };
    return this.#engine.recordingEnded(ending, nowUs);
  }

  #push(reading: Extract<Reading, { kind: 'eeg' }>, nowUs: number): Judged[] {
    const device = this.#devices.get(this.#recordings.get(reading.recordingId) ?? '');
    const eeg = device?.eeg;
    if (device === undefined || eeg == null || eeg.start.subject !== reading.recordingId) return []; // begun before the watch was
    const { samplesPerChannel, samples, measuredAtUs } = reading;
    eeg.samples = reading.firstSample + samplesPerChannel;
    const usPerSample = (1e6 * eeg.rate.den) / eeg.rate.num;
    const firstSample = eeg.earlier + reading.firstSample;
    const timeOf = (sample: number) => Math.round(measuredAtUs + (sample - firstSample) * usPerSample);
    device.seen = {
      ...device.seen,
      eeg: {
        recordingId: reading.recordingId,
        channels: eeg.start.channels.length,
        rateHz: eeg.rate.num / eeg.rate.den,
        open: true,
        measuredAtUs: timeOf(firstSample + samplesPerChannel),
        receivedAtUs: nowUs,
      },
    };
    return [{ device, eeg, prepared: eeg.stream.push({ firstSample, samplesPerChannel, samples }), timeOf }];
  }

  #detection(
    device: Device,
    eeg: Eeg,
    score: ReturnType<Detector['score']>[number],
    timeOf: Judged['timeOf'],
    nowUs: number,
  ): readonly AlarmRecord[] {
    const { window, firstSample, samples, probability, verdict, reason, channel, channelProbabilities, baseline } = score;
    const { modelHash } = this.#detector;
    const input: DetectionInput = {
      device: device.seen.device,
      key: `${eeg.start.subject}/${modelHash}/${window}`,
      model: modelHash,
      fromUs: timeOf(firstSample),
      toUs: timeOf(firstSample + samples),
      hopUs: Math.round((eeg.stream.shape.hopSamples * 1e6 * eeg.rate.den) / eeg.rate.num),
      probability,
      verdict,
      reason,
      channel,
      channelProbabilities,
      channelLabels: eeg.start.channels.map(({ label }) => label),
      replay: eeg.start.replay,
      take: takeOf(eeg.start),
      recording: eeg.start.subject,
      originUs: timeOf(0),
    };
    eeg.levels = [...score.channelBaselines];
    eeg.judgedUs = nowUs;
    device.seen = {
      ...device.seen,
      detection: { verdict, probability, reason, baseline, channel, measuredAtUs: input.toUs, receivedAtUs: nowUs },
    };
    return this.#engine.detection(input, nowUs);
  }

  #numeric({ recordingId, stream, of, readings }: Extract<Reading, { kind: 'numeric' }>, nowUs: number): AlarmRecord[] {
    const device = this.#devices.get(this.#recordings.get(recordingId) ?? '');
    if (device === undefined) return [];
    for (const { atUs, value } of readings) {
      const shown = device.seen.numerics.find((one) => one.stream === stream);
      // The newest by its measurement: neither a backfill of yesterday nor a reading of the future is what holds now.
      const isNewer = shown === undefined || Math.min(atUs, nowUs) >= Math.min(shown.measuredAtUs, shown.receivedAtUs);
      if (!isNewer || (device.seen.replay === null && isClockWrong(atUs, null, nowUs))) continue;
      const others = device.seen.numerics.filter((one) => one.stream !== stream);
      const newest = { stream, value, kind: of, measuredAtUs: atUs, receivedAtUs: nowUs };
      device.seen = { ...device.seen, numerics: inTableOrder([...others, newest]) };
    }
    if (of === 'phone') return []; // history, sent hours later
    const { device: id, replay } = device.seen;
    const limits = numericFacts(stream).limits.usual;
    return readings.flatMap(({ atUs, value }) => [...this.#engine.numeric({ device: id, stream, atUs, value, limits, replay }, nowUs)]);
  }

  #deviceOf(id: string): Device {
    const device = this.#devices.get(id) ?? {
      eeg: null,
      seen: { device: id, replay: null, eeg: null, detection: null, numerics: [] },
    };
    this.#devices.renew(id, device);
    return device;
  }
}

/** Of a replay: which one. '' = the device itself. */
function takeOf({ replay, captureId }: WatchedStart): string {
  return replay === null ? '' : captureId;
}

function keptOf(device: string, { start, rate, levels, judgedUs }: Eeg): KeptBaselines {
  const { captureId, montageHash, replay } = start;
  return { device, captureId, replayed: replay !== null, montageHash, rate, levels, seenUs: judgedUs };
}

/** Whether what was usual a moment ago still is: the same montage and rate, and of replays the same take. */
function isSameHead(kept: KeptBaselines, { captureId, montageHash, rate, replay }: WatchedStart, nowUs: number): boolean {
  const isReplayed = replay !== null;
  return (
    Math.abs(nowUs - kept.seenUs) <= SAME_ELECTRODES_US &&
    kept.montageHash === montageHash &&
    kept.rate.num === rate?.num &&
    kept.rate.den === rate.den &&
    kept.replayed === isReplayed &&
    (!isReplayed || kept.captureId === captureId)
  );
}

/** Whether a recording goes on, sample after sample, where the one before ended: the device's own count says so. */
function joins({ start: before, samples }: Eeg, start: WatchedStart): boolean {
  return (
    samples > 0 &&
    start.predecessor === before.subject &&
    start.captureId === before.captureId &&
    start.captureFirstSample === before.captureFirstSample + samples &&
    start.montageHash === before.montageHash &&
    start.rate?.num === before.rate?.num &&
    start.rate?.den === before.rate?.den
  );
}
