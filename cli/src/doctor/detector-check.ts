import { sentenceOf } from '../errors.ts';

/** Loads the shipped model; loading includes the comparison with its golden outputs. */
export async function selfTest(): Promise<{ ok: boolean; text: string }> {
  try {
    const { loadStreamDetector } = await import('@vitalwire/detector');
    const detector = await loadStreamDetector();
    try {
      return { ok: true, text: `model ${detector.modelVersion} reproduces its golden outputs on ${detector.backend}` };
    } finally {
      detector.dispose();
    }
  } catch (error) {
    return { ok: false, text: sentenceOf(error) };
  }
}
