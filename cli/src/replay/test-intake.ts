import { decodeSampleBlock, type EventsIntake, type SampleBlock } from '@vitalwire/contract';
import type { Delivery } from './capture-sender.ts';
import type { IntakeRequest } from './intake-client.ts';

/** For tests: an intake that takes everything at once, and like the agent never goes back within a capture. */
export class TestIntake {
  readonly #next = new Map<string, number>();
  readonly #seen = new Set<string>();

  readonly post = async ({ path, body }: Pick<IntakeRequest, 'path' | 'body'>): Promise<Delivery> => {
    const { captureId, firstSample, count } = shapeOf(path, body);
    const next = this.#next.get(captureId) ?? 0;
    const place = `${captureId} ${firstSample}`;
    if (count > 0 && firstSample < next && !this.#seen.has(place)) return { kind: 'refused', reason: '409 passed over' };
    this.#seen.add(place);
    const nextSample = Math.max(next, firstSample + count);
    this.#next.set(captureId, nextSample);
    return { kind: 'answered', nextSample };
  };
}

export function blockOf(body: Uint8Array): SampleBlock {
  const decoded = decodeSampleBlock(body);
  if (!decoded.ok) throw new Error(decoded.reason);
  return decoded.value;
}

function shapeOf(path: string, body: string | Uint8Array): { captureId: string; firstSample: number; count: number } {
  if (typeof body !== 'string') {
    const { captureId, firstSample, samplesPerChannel } = blockOf(body);
    return { captureId, firstSample, count: samplesPerChannel };
  }
  const json = JSON.parse(body) as EventsIntake & { readings: unknown[] };
  return { captureId: json.captureId, firstSample: json.firstSample, count: (path === '/v1/events' ? json.events : json.readings).length };
}
