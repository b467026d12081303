/** What this software is not, in the words used everywhere a person starts it or sees values. */
export const labelShort = 'Research and education software. Not a medical device.';

export const labelLines: readonly string[] = [
  'Research and education software. Not a medical device: no intended medical purpose, not CE-marked, not FDA-cleared.',
  'Do not use for diagnosis, treatment, triage or alarm-dependent monitoring of people.',
  'Detection performance on unseen patients is unknown. Alarms may be late, false or missing.',
  'Replayed or synthetic data is marked REPLAY.',
];

export const label = labelLines.join(' ');
