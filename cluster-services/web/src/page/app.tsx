import type { PatientState } from '@vitalwire/contract';
import { label } from '@vitalwire/contract';
import {
  acuity,
  acuityClass,
  alarmFromText,
  alarmWord,
  arrivalOf,
  durationMs,
  everyText,
  formatAge,
  isUnacknowledged,
  offGateways,
  reasonText,
  sourceMarks,
} from '@vitalwire/vitals';
import { useEffect, useReducer } from 'preact/hooks';
import { Alert, AudioButton, PatientAlarms, Polite, SystemAlarms, TileAlarm, timeOfDay, WhoField } from './alarms.tsx';
import { percent, type Reading, readingOf } from './reading.ts';
import { SweepCanvas } from './sweep-canvas.tsx';
import { isSeizure, type WardStore } from './ward-store.ts';

/** Draws again when something arrived, and twice a second for ages and the clock. */
function useDrawn(store: WardStore): void {
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  useEffect(() => {
    let pending = false;
    store.subscribe(() => {
      if (pending) return;
      pending = true;
      requestAnimationFrame(() => {
        pending = false;
        redraw(undefined);
      });
    });
    const ticker = setInterval(() => redraw(undefined), 500);
    const sounder = setInterval(() => store.soundIfNeeded(), 250); // apart from drawing: a hidden tab draws nothing, and must sound
    return () => {
      clearInterval(ticker);
      clearInterval(sounder);
    };
  }, [store]);
}

/** The page. */
export function App({ store }: { store: WardStore }) {
  useDrawn(store);
  const nowUs = store.link.nowUs();
  const patients = store.patients();
  const selected = store.selected();
  const off = offGateways(store.systemAlarms());
  return (
    <div class="shell">
      <Bar store={store} patients={patients} nowUs={nowUs} />
      <SystemAlarms alarms={store.systemAlarms()} problems={store.links?.problems ?? []} nowUs={nowUs} />
      <main class="ward">
        <h1 class="quietly">Patients</h1>
        {store.condition === 'refused' ? (
          <p class="empty is-bad" role="alert">
            This token is not, or no longer, valid here. Open the address that "vitalwire up" or "vitalwire demo" prints now: it ends in
            #token=…
          </p>
        ) : null}
        {patients.length === 0 ? (
          store.condition === 'refused' ? null : (
            <p class="empty">
              {store.condition === 'live' ? 'No patients yet. "vitalwire replay" sends some.' : 'Waiting for the connection.'}
            </p>
          )
        ) : (
          <ul class="patients">
            {patients.map((patient) => (
              <li key={patient.key}>
                <Tile
                  patient={patient}
                  reading={readingOf(patient, nowUs)}
                  nowUs={nowUs}
                  offGateways={off}
                  isSelected={patient.key === store.selectedKey}
                  onSelect={() => {
                    store.select(patient.key);
                    showPatient();
                  }}
                />
              </li>
            ))}
          </ul>
        )}
        {selected === null ? null : <Patient store={store} patient={selected} nowUs={nowUs} />}
      </main>
      <Alert store={store} patients={patients} />
      <Polite text={politeText(patients, nowUs)} />
      {store.notice === null ? null : (
        <aside class={store.notice.isBad ? 'notice is-bad' : 'notice'} aria-label="What was asked">
          {store.notice.text}
        </aside>
      )}
      <footer class="label">
        <Label />
      </footer>
    </div>
  );
}

const PATIENT = 'patient';
// As in the style sheet: below this the patient stands under the ward instead of beside it.
const NARROW = '(max-width: 1000px)';

/** Where the patient is not beside the ward, a tap on a tile brings it into sight. */
function showPatient(): void {
  if (!matchMedia(NARROW).matches) return;
  requestAnimationFrame(() => document.getElementById(PATIENT)?.scrollIntoView({ block: 'start' }));
}

export function Label() {
  const end = label.indexOf(':');
  return (
    <p>
      <strong>{label.slice(0, end)}</strong>
      {label.slice(end)}
    </p>
  );
}

function Bar({ store, patients, nowUs }: { store: WardStore; patients: readonly PatientState[]; nowUs: number }) {
  const time = new Date(nowUs / 1000);
  // Only what goes on is counted as such; what is over and waits for somebody is told apart.
  const alarms = patients.flatMap((patient) => patient.alarms);
  const unanswered = alarms.filter((alarm) => acuityClass([alarm]) === acuity.activeHigh).length;
  const over = alarms.filter((alarm) => acuityClass([alarm]) === acuity.latchedHigh).length;
  const link = linkOf(store, patients, nowUs);
  return (
    <header class="bar">
      <Mark />
      <span class="summary">{patients.length === 1 ? '1 patient' : `${patients.length} patients`}</span>
      {unanswered > 0 ? <span class="unanswered">*** {unanswered} not acknowledged</span> : null}
      {over > 0 ? <span class="summary">{over} over, not acknowledged</span> : null}
      {patients.some(({ replay }) => replay !== null) ? <span class="replay">REPLAY</span> : null}
      <span class="push" />
      <WhoField store={store} />
      <AudioButton store={store} />
      {store.links?.storage === 'down' && store.condition === 'live' ? (
        <span class="pill" data-link="behind">
          <span aria-hidden="true">◆</span> database down, live values go on
        </span>
      ) : null}
      <span class="pill" data-link={link.kind}>
        <span aria-hidden="true">●</span> {link.words}
      </span>
      <time class="clock" dateTime={time.toISOString()}>
        {timeOfDay(nowUs)}
      </time>
    </header>
  );
}

export function Mark() {
  return (
    <span class="mark">
      <svg viewBox="0 0 32 32" aria-hidden="true">
        <path
          d="M3 17h6l3-9 5 17 4-12 2 4h6"
          fill="none"
          stroke="#5fd4b1"
          stroke-width="2.4"
          stroke-linecap="round"
          stroke-linejoin="round"
        />
      </svg>
      Vitalwire
    </span>
  );
}

/** How the page itself is doing, so that nothing on it is taken for a patient's state. */
function linkOf(store: WardStore, patients: readonly PatientState[], nowUs: number): { kind: string; words: string } {
  if (store.condition === 'connecting') return { kind: 'connecting', words: 'connecting' };
  if (store.condition === 'refused') return { kind: 'refused', words: 'token refused' };
  if (store.condition === 'lost') return { kind: 'lost', words: 'connection lost, trying again' };
  if (store.links?.frontDoor === 'down') return { kind: 'lost', words: 'no live values: front door lost' };
  if (Date.now() < store.behindUntilMs) return { kind: 'behind', words: 'behind: some chunks not shown' };
  const { arrives, age } = arrivalOf(patients, nowUs);
  if (arrives) return { kind: 'live', words: 'live' };
  if (patients.length === 0) return { kind: 'connecting', words: 'connected, nobody sends' };
  return { kind: 'lost', words: age === null ? 'nothing arrives' : `nothing arrives for ${formatAge(age)}` };
}

function Tile({
  patient,
  reading,
  nowUs,
  offGateways: off,
  isSelected,
  onSelect,
}: {
  patient: PatientState;
  reading: Reading;
  nowUs: number;
  offGateways: ReadonlySet<string>;
  isSelected: boolean;
  onSelect: () => void;
}) {
  const { state, stateText, stateTone, stateFreshness } = reading;
  const [first, ...others] = reading.numerics;
  const [worst] = patient.alarms;
  return (
    <button
      type="button"
      class={`tile tone-${stateTone} ${worst === undefined ? '' : `edge-${alarmWord(worst).key}`}`}
      aria-current={isSelected ? 'true' : undefined}
      onClick={onSelect}
    >
      <TileAlarm patient={patient} offGateways={off} nowUs={nowUs} />
      <span class="state">
        <span aria-hidden="true">{state.symbol}</span>
        <span class={staleClass(stateFreshness)}>{stateText}</span>
      </span>
      <span class="who">
        <span class="name">{reading.name}</span>
        {sourceMarks(patient).map((mark) => (
          <span class="replay" key={mark}>
            {mark}
          </span>
        ))}
      </span>
      <span class="cell prob">
        <span class={`value ${staleClass(stateFreshness)}`}>{reading.probability}</span>
        <span class="unit">{everyText(patient.detection) || 'probability'}</span>
      </span>
      <span class="cell vital">
        <span class={`value ${first === undefined ? 'stale' : staleClass(first.freshness)}`}>{first?.value ?? '--'}</span>
        <span class="unit">{first === undefined ? 'no vitals' : `${first.short} ${first.unit}, ${first.age}`}</span>
      </span>
      <span class="cell age">
        <span class={`value ${staleClass(reading.eegFreshness)}`}>{reading.eegAge}</span>
        <span class="unit">EEG age</span>
      </span>
      {others.length === 0 ? null : (
        <span class="vitals">
          {others.map((one) => (
            <span key={one.stream}>
              {one.short} <b class={staleClass(one.freshness)}>{one.value}</b> {one.unit} <small>{one.age}</small>
            </span>
          ))}
        </span>
      )}
    </button>
  );
}

function Patient({ store, patient, nowUs }: { store: WardStore; patient: PatientState; nowUs: number }) {
  const reading = readingOf(patient, nowUs);
  const { detection, eeg, replay } = patient;
  const isFresh = reading.eegFreshness === 'fresh';
  const channels = reading.stateFreshness === 'hidden' ? '' : highestChannels(store, patient);
  return (
    <section class="patient" id={PATIENT} aria-label={`Patient ${reading.name}`}>
      <button type="button" class="act to-ward" onClick={() => scrollTo({ top: 0 })}>
        ↑ All patients
      </button>
      <header class={`tone-${reading.stateTone}`}>
        <h2>{reading.name}</h2>
        <span class="state">
          <span aria-hidden="true">{reading.state.symbol}</span> {reading.stateText}
        </span>
        {replay === null ? null : (
          <span class="replay">
            REPLAY {replay.speed}x{replay.source === '' ? '' : ` · ${replay.source}`}
          </span>
        )}
      </header>
      <PatientAlarms store={store} patient={patient} nowUs={nowUs} />
      <figure class="strip">
        <SweepCanvas trace={store.trace} isFresh={isFresh} description={`EEG of ${reading.name}, last 10 seconds, ${reading.eegAge} old`} />
        {isFresh ? null : <span class="veil">{eeg === null ? 'no EEG' : `no EEG for ${reading.eegAge}`}</span>}
      </figure>
      <Facts patient={patient} reading={reading} />
      {detection?.baseline === 'population' ? (
        <p class="note">Baseline: population. What is usual in this recording is not known yet, so the probability is less certain.</p>
      ) : null}
      {channels === '' ? null : <p class="note">Highest channels: {channels}</p>}
      {eeg === null ? null : (
        <p class="note">
          Device {eeg.device} at gateway {eeg.gateway}, {eeg.channels === 1 ? '1 channel' : `${eeg.channels} channels`},{' '}
          {Math.round((eeg.rate.num / eeg.rate.den) * 100) / 100} Hz
        </p>
      )}
    </section>
  );
}

function Facts({ patient, reading }: { patient: PatientState; reading: Reading }) {
  const { detection } = patient;
  return (
    <dl class="facts">
      <Fact
        name="seizure probability"
        value={reading.probability}
        isStale={reading.stateFreshness !== 'fresh'}
        note={[everyText(detection), whyOf(detection)].filter(Boolean).join(', ')}
      />
      {reading.numerics.map(({ stream, label, value, unit, age, note, freshness }) => (
        <Fact
          key={stream}
          name={label}
          value={value}
          isStale={freshness !== 'fresh'}
          note={[unit, `${age} old`, note].filter(Boolean).join(', ')}
        />
      ))}
      <Fact name="EEG age" value={reading.eegAge} isStale={reading.eegFreshness !== 'fresh'} note={clockNote(patient)} />
      {reading.numerics.map(({ stream, news2 }) =>
        news2 === null ? null : (
          <Fact
            key={stream}
            name={`NEWS2 ${news2.name} component`}
            value={String(news2.points)}
            isStale={false}
            note="of 3; one of seven"
          />
        ),
      )}
      <Fact
        name="model"
        value={detection?.modelVersion ?? '--'}
        isStale={false}
        note={detection?.baseline === 'population' ? 'vs population' : detection?.baseline === 'own' ? 'vs own usual' : ''}
      />
    </dl>
  );
}

/** Why there is no verdict, or what becomes of one. */
function whyOf(detection: PatientState['detection']): string {
  if (detection?.reason != null) return reasonText(detection.reason);
  return detection?.provisional === true ? 'provisional' : alarmFromText;
}

function Fact({ name, value, note, isStale }: { name: string; value: string; note: string; isStale: boolean }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        <span class={isStale ? 'stale' : ''}>{value}</span>
        <small>{note}</small>
      </dd>
    </div>
  );
}

// What may wait: seizure patterns, which are no alarm yet, and alarms that are not high.
function politeText(patients: readonly PatientState[], nowUs: number): string {
  const names = patients.filter((patient) => isSeizure(patient, nowUs)).map((patient) => readingOf(patient, nowUs).name);
  const others = patients.filter(({ alarms }) => alarms.some((alarm) => alarm.priority !== 'high' && isUnacknowledged(alarm)));
  const said = [
    names.length === 0 ? '' : `Seizure pattern: ${names.join(', ')}`,
    others.length === 0 ? '' : `Alarms: ${others.map((patient) => readingOf(patient, nowUs).name).join(', ')}`,
  ];
  return said.filter((part) => part !== '').join('. ');
}

/** The channels of the newest window with the highest probabilities; '' for a single channel. */
function highestChannels(store: WardStore, { detection }: PatientState): string {
  const scored = (detection?.channelProbabilities ?? []).flatMap((probability, channel) =>
    probability === null ? [] : [{ probability, channel }],
  );
  if (scored.length < 2) return '';
  scored.sort((a, b) => b.probability - a.probability);
  return scored
    .slice(0, 4)
    .map(({ channel, probability }) => `${store.trace.labelOf(channel)} ${percent(probability)}`)
    .join(', ');
}

function clockNote({ eeg }: PatientState): string {
  if (eeg === null) return '';
  if (eeg.at.clockOffsetUs === null) return 'gateway clock not measured';
  const offMs = durationMs(Math.abs(eeg.at.clockOffsetUs) / 1000);
  return offMs < 1_000 ? '' : `gateway clock ${formatAge(offMs)} off, corrected`;
}

function staleClass(freshness: Reading['stateFreshness']): string {
  return freshness === 'fresh' || freshness === 'hidden' ? '' : 'stale';
}
