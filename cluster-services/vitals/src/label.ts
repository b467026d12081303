/** What this software is not; shown wherever a person sees values. */
export const labelShort = 'Research and education software. Not a medical device.';

export const label =
  'Research and education software. Not a medical device: no intended medical purpose, not CE-marked, not FDA-cleared. ' +
  'Do not use for diagnosis, treatment, triage or alarm-dependent monitoring of people. ' +
  'Detection performance on unseen patients is unknown. Alarms may be late, false or missing. Replayed or synthetic data is marked REPLAY.';
