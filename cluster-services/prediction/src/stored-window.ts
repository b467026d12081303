import type { RecordingInfo } from '@vitalwire/contract';
import type { PreparedWindow, StreamDetector } from '@vitalwire/detector';
import { windowShapeFor } from '@vitalwire/vitals';
import { Montages } from './montages.ts';
import type { ScoringPool, ScoringSession } from './scoring/pool.ts';
import { StoredSignal, type StoredSignalOptions } from './stored-signal.ts';

/**
 * One window as the detector saw it: what its score looks back on is read from storage and prepared again, here and now. null: its
 * samples are not all stored, or their scale is not known.
 */
export async function readStoredWindow(
  storage: StoredSignalOptions['storage'],
  detector: Pick<StreamDetector, 'openStream' | 'score' | 'modelHash'>,
  info: RecordingInfo,
  window: number,
  signal: AbortSignal,
): Promise<PreparedWindow | null> {
  const montages = new Montages('', { warn: () => undefined });
  if (info.channels.length > 0) montages.add(info.channels);
  let found: PreparedWindow | null = null;
  const pool: Pick<ScoringPool, 'open'> = {
    open: (_, rate, channels, recalled) => {
      const stream = detector.openStream(rate, channels, recalled);
      return sessionOf((push) => {
        const prepared = stream.push(push, push.before);
        found = prepared.find((one) => one.window === window) ?? found;
        return [];
      });
    },
  };
  const stored = new StoredSignal({ storage, pool, montages, modelHash: detector.modelHash });
  const reading = await stored.open(info, window, signal);
  if (reading === null || info.rate === null) return null;
  const { hopSamples, windowSamples } = windowShapeFor(info.rate);
  const toSample = window * hopSamples + windowSamples;
  for await (const _ of stored.read(info.recordingId, reading, { fromWindow: window, toSample }, signal)) if (found !== null) break;
  return found;
}

function sessionOf(push: (samples: Parameters<ScoringSession['push']>[0]) => []): ScoringSession {
  return {
    isLost: false,
    push: async (samples) => push(samples),
    fork: () => {
      throw new Error('one window is read once');
    },
    close: () => undefined,
  };
}
