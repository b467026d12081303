/**
 * What one capture plays: a stretch of a patient's line. A replay begins a new one wherever the device's clock or its place in the source
 * would otherwise jump unseen: at a change of speed, a seek, a restart of the device.
 */
export type Leg = {
  readonly fromUs: number; // line time of the capture's first position
  readonly toUs: number | null; // line time at which it ends; null = with the source
  readonly takeFromUs: number; // line time at which data time is 0; below 0 while a staggered patient has not begun
};

/** Data time in ms of a moment of the line. */
export function dataMsOf(leg: Leg, lineUs: number): number {
  return (lineUs - leg.takeFromUs) / 1_000;
}

/** Line time of a moment of data time, not beyond the leg's end. */
export function lineUsOf(leg: Leg, dataMs: number): number {
  return Math.min(leg.takeFromUs + dataMs * 1_000, leg.toUs ?? Number.POSITIVE_INFINITY);
}
