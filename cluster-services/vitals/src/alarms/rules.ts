/**
 * Numbers of the alarm engine. Sources: (n) our notes from monitors' manuals and the literature; (t) to be tuned on training data only.
 * Vocabulary inspired by IEC 60601-1-8; no compliance is claimed.
 */

/** From windows to a seizure episode. */
export type SeizureRule = {
  readonly on: number; // a window at or above it speaks for a seizure
  readonly off: number; // hysteresis: once begun, it goes on while windows reach this
  readonly needed: number; // of the last `windows` positions, one hop apart
  readonly windows: number;
  readonly lasting: { readonly on: number; readonly needed: number; readonly windows: number } | null; // weaker evidence that stays; null = none counts
  readonly minDurationUs: number; // evidence must span this before anything is raised
  readonly separateUs: number; // quiet that was seen for at least this parts two episodes
  readonly refractoryUs: number; // nothing judged for this parts two episodes; nearer ones belong to one alarm
};

/**
 * (n) on .8, off .5, 3 of 5, 90 s as the scorer merges. (t) the minimum duration: 6 s is what 3 windows of 4 s, one second apart, span;
 * the notes' 10 s would spend the whole of the 10 s that the median latency may be. (t) 10 s of quiet: less is the detector's hesitation.
 * (t) What a window calls a seizure alarms when it lasts, however far it stays below .8: from the detector's own threshold on, 15 of 20.
 */
export const seizureRule: SeizureRule = {
  on: 0.8,
  off: 0.5,
  needed: 3,
  windows: 5,
  lasting: { on: 0.42, needed: 15, windows: 20 },
  minDurationUs: 6_000_000,
  separateUs: 10_000_000,
  refractoryUs: 90_000_000,
};

/**
 * (t) A pattern of single channels: an artefact is often in one channel, so more of it is asked for than of the recording's. 6 of 10 at .8 in the
 * same channel, spanning 10 s.
 */
export const focalRule: SeizureRule = { ...seizureRule, needed: 6, windows: 10, lasting: null, minDurationUs: 10_000_000 };
/** (t) A focal pattern that lasts becomes urgent after this, on data time; one in as many channels as this at once. In a bipolar montage one electrode is two channels. */
export const focalEscalatesUs = 30_000_000;
export const focalSpreadChannels = 3;

/** (t) Readings that wait so long for a newest one from the future show that the receiver's clock was set back. On the wall clock. */
export const heldBackUs = 15_000_000;

/** (n) A bad signal must last so long, on data time. */
export const badSignalUs = 10_000_000;
/** (n) A lead that stays off becomes urgent after this, on data time. */
export const leadOffEscalatesUs = 60_000_000;
/** A hole longer than this between two windows was not observed: what was being counted begins anew, and a seizure may have ended in it. */
export const holeUs = 5_000_000;
/** A seizure that goes on is written into the log again after so much more of it: how long it was must not be lost with the engine. */
export const goesOnAgainUs = 60_000_000;

/** (n) An acknowledged alarm whose condition still holds signals again after this, on the wall clock. */
export const reAlarmUs = 180_000_000;
/** (t) A limit that is broken for so long and nobody answers becomes urgent, on the wall clock. */
export const unansweredUrgentUs = 120_000_000;
/** (n) The longest pause, on the wall clock. */
export const maxPauseUs = 120_000_000;

/** Bounds of memory; reaching one has the effect named beside it. */
export const alarmLimits = {
  windowsPerDevice: 4_096, // voting windows, an hour at one a second: beyond it those received longest ago are forgotten, never an alarm
  timelines: 4_096, // devices: what is counted for the one unheard for longest starts anew beyond it
  timelinesPerDevice: 8, // models and takes of replays: the same
  endedPerCondition: 32, // of a device: ended alarms remembered so that late data extends them; beyond it late data would raise a new one
  openPerDevice: 200, // seizures of a device nobody has acknowledged: beyond it a new episode extends the newest
  focalChannels: 32, // of a device: channels whose patterns are followed at once; beyond it those already told of stand for the others
  recordingEnds: 64, // of a device, for each model: the latest are remembered
  aliases: 4_096, // ids of alarms that were merged into others
} as const;
