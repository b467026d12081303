import { type AlarmInfo, type EdgeWatch, labelShort } from '@vitalwire/contract';
import {
  ageMs,
  ageSince,
  alarmMeasure,
  alarmWord,
  compareAlarms,
  formatAge,
  isUnacknowledged,
  pastWord,
  shownNumerics,
  stateWord,
} from '@vitalwire/vitals';

type Device = EdgeWatch['devices'][number];

/** What the devices of a gateway measure and what alarms, for a person. Every value with its age; missing is never zero. */
export function watchLines(watch: EdgeWatch): string[] {
  const alarms = watch.alarms.toSorted(compareAlarms);
  return [
    `Gateway ${watch.gateway}: ${watch.online ? 'connected to the cluster' : 'CUT OFF from the cluster'}; ${detectorWords(watch)}`,
    ...alarms.map((alarm) => alarmLine(alarm, watch.nowUs)),
    ...(alarms.length === 0 ? ['  no alarm at this gateway'] : []),
    ...(watch.devices.length === 0 ? ['  no device has sent anything since this agent began to watch'] : []),
    ...watch.devices.map((device) => deviceLine(device, watch.nowUs)),
    labelShort,
  ];
}

/** The alarm that a single key acknowledges: the most urgent one that nobody has. */
export function alarmToAcknowledge(watch: EdgeWatch): AlarmInfo | null {
  return watch.alarms.filter(isUnacknowledged).sort(compareAlarms)[0] ?? null;
}

function detectorWords({ detector: { state, problem, modelVersion } }: EdgeWatch): string {
  if (state === 'running') return `detecting here with model ${modelVersion ?? '--'}`;
  if (state === 'behind') return 'NOT KEEPING UP: some readings were not looked at here';
  return problem === null ? 'the detector is starting' : `NOT DETECTING: ${problem}`;
}

function alarmLine(alarm: AlarmInfo, nowUs: number): string {
  const { mark, word } = alarmWord(alarm);
  const measure = alarmMeasure(alarm);
  const parts = [
    `  ${mark.padEnd(3)} ${word}`,
    alarm.device,
    alarm.state === 'latched' ? `${pastWord(alarm)}, not acknowledged` : alarm.state,
    `raised ${formatAge(ageSince(alarm.raisedAtUs, nowUs))} ago`,
    ...(measure === '' ? [] : [measure]),
    ...(alarm.replay === null ? [] : ['REPLAY']),
    alarm.alarmId,
  ];
  return parts.join('  ');
}

function deviceLine({ device, replay, eeg, detection, numerics }: Device, nowUs: number): string {
  // Times of a device count as they are: where its clock is ahead the arrival bounds the age from below.
  const age = (value: { measuredAtUs: number; receivedAtUs: number }) => ageMs({ ...value, clockOffsetUs: 0 }, nowUs);
  const { state } = stateWord(detection?.verdict ?? null, detection === null ? null : age(detection));
  const probability = detection?.probability == null || state.key === 'no-data' ? '' : ` ${detection.probability.toFixed(2)}`;
  const parts = [
    `  ${device}`,
    `EEG ${eeg === null ? '--' : `${eeg.channels} ch, ${eeg.open ? `${formatAge(age(eeg))} old` : 'ended'}`}`,
    `${state.ascii} ${state.word}${probability}${detection?.baseline === 'population' && probability !== '' ? ' (no baseline of its own yet)' : ''}`,
    ...shownNumerics({ numerics: numerics.map((one) => ({ ...one, device, at: { ...one, clockOffsetUs: 0 } })) }, nowUs).map(
      ({ short, value, unit, age: old }) => `${short} ${value} ${unit}, ${formatAge(old)} old`,
    ),
    ...(replay === null ? [] : ['REPLAY']),
  ];
  return parts.join('  ');
}
