import type { Client } from '@vitalwire/client';
import { viewOf } from './compose.ts';
import { WallFeed } from './feed.ts';
import { drawFrame } from './frame.ts';
import { layOut } from './layout.ts';
import { lookOf } from './look.ts';
import { traceColumns } from './trace.ts';
import type { Env } from './wall.ts';
import { WallModel } from './wall-model.ts';

export type SnapshotOptions = {
  readonly client: Client;
  readonly env: Env;
  readonly signal: AbortSignal;
  readonly width: number;
  readonly height: number;
  readonly unicode?: boolean;
  /** How long to collect, so that there is something on the strip. */
  readonly waitMs?: number;
};

const WAIT_MS = 3_000;
const STEP_MS = 50;

/** One moment of the wall as text. */
export async function takeSnapshot(options: SnapshotOptions): Promise<string> {
  const { client, width, height, signal } = options;
  const look = lookOf(options.env, options.unicode);
  const model = new WallModel(2);
  const feed = new WallFeed(client, model, () => {});
  try {
    const endMs = performance.now() + (options.waitMs ?? WAIT_MS);
    while (!signal.aborted && performance.now() < endMs) {
      const layout = layOut(viewOf(model, width, height, client.nowUs()));
      model.trace.resize(traceColumns(layout.strip.width, look.unicode ? 'braille' : 'ascii'));
      if (model.links !== null && model.selected()?.eeg == null) break; // nobody sends: there is nothing to wait for
      await new Promise((resolve) => setTimeout(resolve, STEP_MS));
    }
    return `${drawFrame(model, width, height, client.nowUs(), look).join('\n')}\n`;
  } finally {
    feed.close();
  }
}
