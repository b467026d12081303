import { encodeSampleBlock, type NumericStream, type ReplayMark, type Samples, sampleBlockMediaType } from '@vitalwire/contract';
import type { Deliver, Delivery } from './capture-sender.ts';
import type { LineEvent } from './event-feed.ts';
import type { IntakeRequest } from './intake-client.ts';
import type { Leg } from './leg.ts';
import type { Take } from './manifest.ts';
import type { LineReading } from './numeric-feed.ts';
import { deviceUs, type EegDevice, type VirtualPatient } from './virtual-patient.ts';

/** Where the requests of one capture go, and under which name. */
export type Addressed = {
  readonly patient: VirtualPatient;
  readonly take: Take;
  readonly leg: Leg;
  readonly captureId: string;
  readonly token: string;
  readonly post: (request: IntakeRequest) => Promise<Delivery>;
};

/** EEG as sample blocks: a device that sends much does not write numbers as text. */
export function eegDelivery(to: Addressed, { device, rate, channels, sampleBits, signal }: EegDevice): Deliver<Samples> {
  const { patient, take, leg, token, post } = to;
  const first = signal.line.completeBy(leg.fromUs);
  return ({ firstSample, items, count, end, late }) =>
    post({
      path: '/v1/eeg',
      token,
      contentType: sampleBlockMediaType,
      body: encodeSampleBlock({
        device,
        captureId: captureIdOf(to, firstSample, late),
        firstSample,
        measuredAtUs: deviceUs(patient, take, signal.line.timeUs(first + firstSample)),
        rate,
        channels,
        sampleBits,
        samplesPerChannel: count,
        samples: items,
        replay: replayMark(patient, take),
        source: patient.sourceName,
        end,
      }),
    });
}

export function numericDelivery(to: Addressed, stream: NumericStream): Deliver<LineReading[]> {
  const { patient, take } = to;
  const vital = patient.monitor?.vitals.find((one) => one.stream === stream);
  if (patient.monitor === null || vital === undefined) throw new RangeError(`${patient.id} has no ${stream}`);
  const { device } = patient.monitor;
  return ({ firstSample, items, end, late }) =>
    postJson(to, `/v1/numeric/${stream}`, {
      device,
      captureId: captureIdOf(to, firstSample, late),
      firstSample,
      kind: vital.kind,
      readings: items.map(({ atUs, value }) => ({ atUs: deviceUs(patient, take, atUs), value })),
      replay: replayMark(patient, take),
      source: vital.from,
      ...(end ? { end } : {}),
    });
}

export function eventDelivery(to: Addressed): Deliver<LineEvent[]> {
  const { patient, take } = to;
  return ({ firstSample, items, end, late }) =>
    postJson(to, '/v1/events', {
      device: patient.eventDevice,
      captureId: captureIdOf(to, firstSample, late),
      firstSample,
      events: items.map(({ atUs, durationUs, type, text }) => ({
        atUs: deviceUs(patient, take, atUs),
        durationUs: durationUs === null ? null : Math.round(durationUs),
        type,
        text,
        source: patient.sourceName,
      })),
      replay: replayMark(patient, take),
      ...(end ? { end } : {}),
    });
}

/** What was overtaken cannot go back into its capture, so it becomes one of its own. */
export function captureIdOf({ captureId }: Pick<Addressed, 'captureId'>, firstSample: number, late: boolean): string {
  return late ? `${captureId}-late-${firstSample}` : captureId;
}

function replayMark({ sourceName }: VirtualPatient, { speed }: Take): ReplayMark {
  return { speed: speed ?? 0, source: sourceName }; // 0 = as fast as possible
}

function postJson({ token, post }: Addressed, path: string, body: unknown): Promise<Delivery> {
  return post({ path, token, contentType: 'application/json', body: JSON.stringify(body) });
}
