import type { WallOptions } from './wall.ts';

export { type PlainOptions, runPlain } from './plain.ts';
export { type SnapshotOptions, takeSnapshot } from './snapshot.ts';
export type { Terminal, WallOptions } from './wall.ts';

/** Shows the wall until it is quit. blessed is loaded only now: lines and snapshots do without it. */
export async function runWall(options: WallOptions): Promise<void> {
  const wall = await import('./wall.ts');
  await wall.runWall(options);
}
