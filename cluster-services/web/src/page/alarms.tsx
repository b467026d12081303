import type { AlarmInfo, AlarmPause, PatientState, Problem } from '@vitalwire/contract';
import { maxPauseSeconds } from '@vitalwire/contract';
import {
  ageSince,
  alarmMeasure,
  alarmText,
  alarmWord,
  formatAge,
  formatCountdown,
  isSignalling,
  isUnacknowledged,
  isUnseen,
  pastWord,
  pauseOf,
  runningPause,
} from '@vitalwire/vitals';
import { useEffect, useRef, useState } from 'preact/hooks';
import { nameOf } from './reading.ts';
import type { WardStore } from './ward-store.ts';

const POLITE_EVERY_MS = 5_000;

/** Mark and word of an alarm: the only thing that flashes, and only while it asks for attention. Without filling: acknowledged. */
function Badge({ alarm, pauses, nowUs }: { alarm: AlarmInfo; pauses: readonly AlarmPause[]; nowUs: number }) {
  const { key, mark, word } = alarmWord(alarm);
  const fill = isUnacknowledged(alarm) ? 'is-filled' : '';
  const flash = isSignalling(alarm, pauses, nowUs) && alarm.category === 'physiological' && alarm.priority !== 'low' ? 'is-flashing' : '';
  return (
    <span class={`badge ${key} ${fill} ${flash}`}>
      <span aria-hidden="true">{mark}</span> <span class="quietly">{alarm.priority} priority: </span>
      {word}
    </span>
  );
}

/** What became of an alarm: answered by whom and when, over, silenced until when. */
function stateText(alarm: AlarmInfo, pauses: readonly AlarmPause[], nowUs: number): string {
  if (alarm.state === 'acknowledged')
    return `acknowledged by ${alarm.acknowledgedBy ?? '?'} ${timeOfDay(alarm.acknowledgedAtUs ?? alarm.changedAtUs)}`;
  const pause = pauseOf(alarm, pauses, nowUs);
  const over =
    alarm.state === 'latched'
      ? `${pastWord(alarm)}, stays until acknowledged`
      : isUnseen(alarm)
        ? 'not observable now, not acknowledged'
        : 'not acknowledged';
  return pause === null ? over : `${over}, sound off ${formatCountdown(pause.untilUs, nowUs)} by ${pause.by}`;
}

/** The worst alarm of a patient on a tile, that no data arrives beside whatever is worse, and a pause for as long as it lasts. */
export function TileAlarm({ patient, offGateways, nowUs }: { patient: PatientState; offGateways: ReadonlySet<string>; nowUs: number }) {
  const [worst, ...others] = patient.alarms;
  const pause = runningPause(patient.pauses, nowUs);
  const paused = pause === null ? '' : `sound off ${formatCountdown(pause.untilUs, nowUs)} by ${pause.by}`;
  if (worst === undefined)
    return pause === null ? null : (
      <span class="tile-alarm">
        <span class="about">{paused}</span>
      </span>
    );
  const measure = alarmMeasure(worst);
  const noData = worst.condition === 'no-data' ? undefined : others.find(({ condition }) => condition === 'no-data');
  const more = others.length - (noData === undefined ? 0 : 1);
  const state = stateText(worst, patient.pauses, nowUs);
  const isOff = patient.eeg !== null && offGateways.has(patient.eeg.gateway) && (worst.condition === 'no-data' || noData !== undefined);
  const about = [
    measure,
    state,
    state.includes('sound off') ? '' : paused,
    isOff ? `gateway ${patient.eeg?.gateway} is off` : '',
    more > 0 ? `and ${more} more` : '',
  ];
  return (
    <span class="tile-alarm">
      <Badge alarm={worst} pauses={patient.pauses} nowUs={nowUs} />
      {noData === undefined ? null : <Badge alarm={noData} pauses={patient.pauses} nowUs={nowUs} />}
      <span class="about">{about.filter((part) => part !== '').join(', ')}</span>
    </span>
  );
}

/** Every alarm of the selected patient, with what may be done about it. */
export function PatientAlarms({ store, patient, nowUs }: { store: WardStore; patient: PatientState; nowUs: number }) {
  const { alarms, pauses } = patient;
  const pause = runningPause(pauses, nowUs) ?? undefined;
  const unanswered = alarms.filter(isUnacknowledged).length;
  if (alarms.length === 0 && pause === undefined) return null;
  return (
    <section class="alarms" aria-label={`Alarms of ${nameOf(patient)}`}>
      <ul>
        {alarms.map((alarm) => (
          <li key={alarm.alarmId}>
            <Badge alarm={alarm} pauses={pauses} nowUs={nowUs} />
            <span class="about">
              <strong>{alarmMeasure(alarm)}</strong> {stateText(alarm, pauses, nowUs)}
              <small>
                {alarm.endedUs === null
                  ? `since ${timeOfDay(alarm.onsetUs)} (${formatAge(ageSince(alarm.onsetUs, nowUs))})`
                  : `began ${timeOfDay(alarm.onsetUs)}`}
                {alarm.replay === null ? '' : ' · REPLAY'}
                {alarm.senders.includes('alarms') ? '' : ` · raised at ${alarm.senders.join(', ')}`}
                {alarm.text === '' ? '' : ` · ${alarmText(alarm, timeOfDay)}`}
              </small>
            </span>
            {isUnacknowledged(alarm) ? (
              <button type="button" class="act" onClick={() => void store.acknowledge(alarm)}>
                Acknowledge <span class="quietly">{alarmWord(alarm).word}</span>
              </button>
            ) : null}
          </li>
        ))}
      </ul>
      <p class="sound">
        {unanswered > 1 ? (
          <button type="button" class="act" onClick={() => void store.acknowledgeAll(patient)}>
            Acknowledge all {unanswered}
          </button>
        ) : null}
        {pause === undefined ? (
          <button type="button" class="act" onClick={() => void store.pause(patient, maxPauseSeconds)}>
            Sound off for {maxPauseSeconds} s
          </button>
        ) : (
          <>
            <span>
              Sound off for <strong>{formatCountdown(pause.untilUs, nowUs)}</strong>, by {pause.by}. A higher priority than {pause.above}{' '}
              still sounds.
            </span>
            <button type="button" class="act" onClick={() => void store.pause(patient, 0)}>
              Sound on
            </button>
          </>
        )}
      </p>
    </section>
  );
}

/** What is wrong with the system: its alarms (gateways, storage, the alarm path itself), then what somebody must do something about. */
export function SystemAlarms({ alarms, problems, nowUs }: { alarms: readonly AlarmInfo[]; problems: readonly Problem[]; nowUs: number }) {
  if (alarms.length === 0 && problems.length === 0) return null;
  return (
    <section class="system" aria-label="Alarms of the system">
      <ul>
        {alarms.map((alarm) => (
          <li key={alarm.alarmId}>
            <Badge alarm={alarm} pauses={[]} nowUs={nowUs} />
            <span>
              {alarm.condition === 'alarm-path' ? '' : `${alarm.device}: `}
              {alarm.text}
              {alarm.onsetUs > 0 ? `, since ${timeOfDay(alarm.onsetUs)}` : ''}
              {alarm.state === 'acknowledged' ? `, ${stateText(alarm, [], nowUs)}` : ''}
            </span>
          </li>
        ))}
        {problems.map(({ about, text }) => (
          <li key={about} class="problem">
            <span class="badge">PROBLEM</span>
            <span>
              {about}: {text}
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** Spoken at once: high alarms that nobody has answered, and nothing else. The words change only when such an alarm is new or over. */
export function Alert({ store, patients }: { store: WardStore; patients: readonly PatientState[] }) {
  const high = [
    ...patients.flatMap((patient) => patient.alarms.map((alarm) => ({ alarm, of: nameOf(patient) }))),
    ...store.systemAlarms().map((alarm) => ({ alarm, of: '' })),
  ].filter(({ alarm }) => alarm.priority === 'high' && isUnacknowledged(alarm));
  return (
    <div class="quietly" role="alert">
      {high.map(({ alarm, of }) => `${alarmWord(alarm).word}${of === '' ? '' : `: ${of}`}`).join('. ')}
    </div>
  );
}

/** Spoken when there is time for it, at most every few seconds. */
export function Polite({ text }: { text: string }) {
  const [spoken, setSpoken] = useState(text);
  const lastMs = useRef(Number.NEGATIVE_INFINITY);
  useEffect(() => {
    if (text === spoken) return;
    const speak = (): void => {
      lastMs.current = performance.now();
      setSpoken(text);
    };
    const waitMs = lastMs.current + POLITE_EVERY_MS - performance.now();
    if (waitMs <= 0) {
      speak();
      return;
    }
    const timer = setTimeout(speak, waitMs);
    return () => clearTimeout(timer);
  }, [text, spoken]);
  return (
    <div class="quietly" role="status">
      {spoken}
    </div>
  );
}

/** Browsers give no sound without a gesture: it says AUDIO OFF until somebody switched it on. */
export function AudioButton({ store }: { store: WardStore }) {
  const isOn = store.sound.isOn;
  return (
    <button type="button" class="pill audio" data-audio={isOn ? 'on' : 'off'} aria-pressed={isOn} onClick={() => store.toggleSound()}>
      {isOn ? 'AUDIO ON' : 'AUDIO OFF: switch on'}
    </button>
  );
}

/** Who acknowledges and pauses at this screen: an id, kept for this tab. */
export function WhoField({ store }: { store: WardStore }) {
  return (
    <label class="who-field">
      Your id
      <input
        type="text"
        value={store.by}
        maxLength={63}
        size={10}
        autocomplete="off"
        spellcheck={false}
        placeholder="not set"
        aria-invalid={store.by !== '' && !store.isByValid()}
        onInput={(event) => store.setBy(event.currentTarget.value)}
      />
    </label>
  );
}

export function timeOfDay(us: number): string {
  const time = new Date(us / 1000);
  return [time.getHours(), time.getMinutes(), time.getSeconds()].map((part) => String(part).padStart(2, '0')).join(':');
}
