import { loadStreamDetector } from '@vitalwire/detector';
import { serve } from './serve.ts';

// A worker for tests: the real detector, which sleeps for 120 ms over every window that it judges. A processor too weak for its ward.

const SLEEP_MS = 120;
const never = new Int32Array(new SharedArrayBuffer(4));

process.once('disconnect', () => process.exit(0));

const detector = await loadStreamDetector({ backend: 'wasm' });
serve({
  ...detector,
  score: (windows) => {
    if (windows.length > 0) Atomics.wait(never, 0, 0, SLEEP_MS * windows.length);
    return detector.score(windows);
  },
});
