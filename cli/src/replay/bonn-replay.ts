import path from 'node:path';
import type { Client } from '@vitalwire/client';
import { type Assignments, encodeSampleBlock, sampleBlockMediaType } from '@vitalwire/contract';
import { assembleBonnPatients, assembledLabel, type BonnPatient, bonnScale, readMitBeats } from '@vitalwire/datasets';
import type { Clock } from '@vitalwire/runtime';
import { type DataDir, ensureTokenFile } from '../stack/data-dir.ts';
import { eegFeed, eventFeed, type FeedBeat, type FeedEvent, heartRateFeed } from './bonn-feeds.ts';
import { CaptureSender, type Deliver } from './capture-sender.ts';
import type { IntakeClient } from './intake-client.ts';
import { type Manifest, manifestPath, writeManifest } from './manifest.ts';
import { Pace, type Speed } from './pace.ts';

export type BonnReplayOptions = {
  readonly patients: number;
  readonly seed: number;
  readonly speed: Speed;
  /** How long in ms of wall time; of data time at maximal speed. Endless unless given (one round of the sequence at maximal speed). */
  readonly forMs?: number | undefined;
  readonly dirs: DataDir;
  readonly intake: IntakeClient;
  readonly web: Client;
  readonly edgeTokensDir: string;
  readonly clock: Clock;
};

export type ReplayProgress = {
  readonly id: string;
  readonly dataS: number;
  readonly samplesSent: number;
  readonly readingsSent: number; // of heart rate and events
  readonly resends: number;
  readonly lateMs: number;
  readonly failure: string | null;
};

/** What a replay says of itself wherever its readings are shown. */
const REPLAY_SOURCE = `Bonn, ${assembledLabel}`;
const HEART_RATE_SOURCE = 'MIT-BIH record 100, another person';
const MANIFEST_EVERY_MS = 1_000;
const deviceKinds = ['eeg', 'heart-rate'] as const;

type Stream = Manifest['captures'][number]['stream'];
type Capture = {
  readonly index: number;
  readonly patient: string;
  readonly device: string;
  readonly stream: Stream;
  readonly captureId: string;
  readonly sender: Pick<CaptureSender<never>, 'answered' | 'resends' | 'lateMs' | 'ended' | 'failure' | 'run'>;
};

/** Several made-up patients, each an EEG device and a heart-rate device, played through the agent's intake like any device. */
export class BonnReplay {
  readonly id: string;
  readonly manifestFile: string;
  readonly #options: BonnReplayOptions;
  readonly #patients: readonly BonnPatient[];
  #captures: Capture[] = [];
  #startedAtUs = 0;
  #pace: Pace | null = null;

  constructor(options: BonnReplayOptions) {
    this.#options = options;
    this.id = `bonn-${options.seed}-${new Date(options.clock.nowMs()).toISOString().replace(/[-:.]/g, '')}`;
    this.manifestFile = manifestPath(options.dirs, this.id);
    this.#patients = assembleBonnPatients({ patients: options.patients, seed: options.seed });
  }

  /** Makes the devices known: their tokens at the gateway, themselves and whose they are in the registry. */
  async register(): Promise<ReadonlyMap<string, string>> {
    const { web, edgeTokensDir } = this.#options;
    const tokens = new Map<string, string>();
    // Tokens first: the gateway has read them by the time the first block is due.
    for (const patient of this.#patients) {
      for (const kind of deviceKinds) {
        const device = deviceId(patient, kind);
        tokens.set(device, await ensureTokenFile(path.join(edgeTokensDir, device)));
      }
    }
    const { assignments } = await web.assignments();
    await Promise.all(this.#patients.map((patient, index) => this.#registerPatient(patient, index, assignments)));
    return tokens;
  }

  async #registerPatient(patient: BonnPatient, index: number, assignments: Assignments['assignments']): Promise<void> {
    const { web, clock } = this.#options;
    await web.putPatient(patient.id, { label: `Bonn ${index + 1}`, notes: patient.label });
    for (const kind of deviceKinds) {
      const device = deviceId(patient, kind);
      await web.putDevice(device, { kind, label: `${patient.id} ${kind}` });
      if (assignments.some((one) => one.device === device && one.patient === patient.id && one.toUs === null)) continue;
      await web.putAssignment({ device, patient: patient.id, fromUs: clock.nowUs(), toUs: null });
    }
  }

  /** Plays until `stop` or its own end, then ends every capture; gives up on what is unanswered only at `giveUp`. */
  async run(tokens: ReadonlyMap<string, string>, stop: AbortSignal, giveUp: AbortSignal): Promise<void> {
    const { clock, speed } = this.#options;
    const pace = new Pace(speed, clock);
    this.#pace = pace;
    this.#startedAtUs = pace.startUs;
    this.#captures = this.#patients.flatMap((patient, index) => this.#capturesOf(patient, index, pace, tokens));
    const written = new AbortController();
    const writing = this.#keepManifest(written.signal);
    await Promise.all(this.#captures.map(({ sender }) => sender.run(stop, giveUp)));
    written.abort();
    await writing;
    await writeManifest(this.manifestFile, this.manifest(true));
  }

  progress(): ReplayProgress {
    const answered = (wanted: (stream: Stream) => boolean): number =>
      this.#captures.filter(({ stream }) => wanted(stream)).reduce((sum, { sender }) => sum + sender.answered, 0);
    const dataMs = this.#pace?.dataMs() ?? 0;
    return {
      id: this.id,
      dataS: Number.isFinite(dataMs) ? Math.round(dataMs / 100) / 10 : 0,
      samplesSent: answered((stream) => stream === 'eeg'),
      readingsSent: answered((stream) => stream !== 'eeg'),
      resends: this.#captures.reduce((sum, { sender }) => sum + sender.resends, 0),
      lateMs: Math.round(Math.max(0, ...this.#captures.map(({ sender }) => sender.lateMs))),
      failure: this.#captures.map(({ sender }) => sender.failure).find((failure) => failure !== null) ?? null,
    };
  }

  manifest(finished: boolean): Manifest {
    const { seed, speed, patients } = this.#options;
    return {
      manifest: 1,
      id: this.id,
      source: 'bonn',
      seed,
      speed: Number.isFinite(speed) ? speed : null,
      patients,
      startedAtUs: this.#startedAtUs,
      finished,
      captures: this.#captures.map(({ index, patient, device, stream, captureId, sender }) => ({
        index,
        patient,
        device,
        stream,
        captureId,
        answered: sender.answered,
        ended: sender.ended,
      })),
    };
  }

  /** Captures whose end was not answered: what is missing there may be sent but was never promised. */
  unfinished(): string[] {
    return this.#captures
      .filter(({ sender }) => !sender.ended)
      .map(({ device, stream, sender }) => `${device} ${stream}: ${sender.failure ?? 'not answered in time'}`);
  }

  #capturesOf(patient: BonnPatient, index: number, pace: Pace, tokens: ReadonlyMap<string, string>): Capture[] {
    const { seed, intake, clock } = this.#options;
    const eeg = deviceId(patient, 'eeg');
    const heart = deviceId(patient, 'heart-rate');
    const captureId = (stream: Stream): string => `${this.id}-${patient.id}-${stream}`;
    const beats = readMitBeats();
    const at = (ms: number): number => Math.round(pace.startUs + ms * 1000);
    const replay = { speed: Number.isFinite(pace.speed) ? pace.speed : 0, source: REPLAY_SOURCE }; // 0 = as fast as possible
    const token = (device: string): string => tokens.get(device) ?? '';
    const endMs = this.#endMs(patient);
    const { num, den } = patient.rate;

    const sendEeg: Deliver<Int16Array> = ({ firstSample, items, count, end }) =>
      intake.post({
        path: '/v1/eeg',
        token: token(eeg),
        contentType: sampleBlockMediaType,
        body: encodeSampleBlock({
          device: eeg,
          captureId: captureId('eeg'),
          firstSample,
          measuredAtUs: at((firstSample * den * 1000) / num),
          rate: patient.rate,
          channels: [{ ...bonnScale, reference: '' }],
          sampleBits: 16,
          samplesPerChannel: count,
          samples: items,
          replay,
          source: REPLAY_SOURCE,
          end,
        }),
      });
    const sendBeats: Deliver<FeedBeat[]> = ({ firstSample, items, end }) =>
      intake.post(
        json('/v1/heart-rate', token(heart), {
          device: heart,
          captureId: captureId('heart-rate'),
          firstSample,
          kind: 'ecg',
          readings: items.map((beat) => ({ atUs: at(beat.atMs), bpm: beat.bpm })),
          replay,
          source: HEART_RATE_SOURCE,
          ...(end ? { end } : {}),
        }),
      );
    const sendEvents: Deliver<FeedEvent[]> = ({ firstSample, items, end }) =>
      intake.post(
        json('/v1/events', token(eeg), {
          device: eeg,
          captureId: captureId('event'),
          firstSample,
          events: items.map((event) => ({
            atUs: at(event.atMs),
            durationUs: event.durationMs === null ? null : Math.round(event.durationMs * 1000),
            type: event.type,
            text: event.text,
            source: REPLAY_SOURCE,
          })),
          replay,
          ...(end ? { end } : {}),
        }),
      );

    const options = { pace, clock, endMs };
    const of = { index, patient: patient.id };
    return [
      {
        ...of,
        device: eeg,
        stream: 'eeg',
        captureId: captureId('eeg'),
        sender: new CaptureSender({ ...options, feed: eegFeed(patient), deliver: sendEeg }),
      },
      {
        ...of,
        device: heart,
        stream: 'heart-rate',
        captureId: captureId('heart-rate'),
        sender: new CaptureSender({ ...options, feed: heartRateFeed(beats, seed, index), deliver: sendBeats }),
      },
      {
        ...of,
        device: eeg,
        stream: 'event',
        captureId: captureId('event'),
        sender: new CaptureSender({ ...options, feed: eventFeed(patient, beats), deliver: sendEvents }),
      },
    ];
  }

  #endMs(patient: BonnPatient): number | undefined {
    const { speed, forMs } = this.#options;
    if (Number.isFinite(speed)) return forMs === undefined ? undefined : forMs * speed;
    return forMs ?? (patient.loopSamples * patient.rate.den * 1000) / patient.rate.num;
  }

  async #keepManifest(until: AbortSignal): Promise<void> {
    while (!until.aborted) {
      // A full disk must not silence the devices; the last word, at the end, has to be written.
      await writeManifest(this.manifestFile, this.manifest(false)).catch(() => {});
      await this.#options.clock.sleep(MANIFEST_EVERY_MS, until).catch(() => {});
    }
  }
}

function deviceId(patient: BonnPatient, kind: 'eeg' | 'heart-rate'): string {
  return `${patient.id}-${kind === 'eeg' ? 'eeg' : 'hr'}`;
}

function json(target: string, token: string, body: unknown): { path: string; token: string; contentType: string; body: string } {
  return { path: target, token, contentType: 'application/json', body: JSON.stringify(body) };
}
