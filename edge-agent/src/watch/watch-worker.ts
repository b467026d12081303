import { parentPort } from 'node:worker_threads';
import { AlarmEngine, type AlarmRecord } from '@vitalwire/vitals';
import { DeviceWatch } from './device-watch.ts';
import type { FromWatch, ToWatch } from './protocol.ts';

// The thread of the local watch: scores and alarms, so that the intake's own thread never waits for either.

const TICK_MS = 1_000;
/** Baselines move slowly: what a crash can lose of them is some percent. */
const KEEP_MS = 30_000;
const port = parentPort;
if (port === null) throw new Error('the watch runs in a worker thread');

const tell = (message: FromWatch): void => port.postMessage(message);
const tellRecords = (records: readonly AlarmRecord[]): void => {
  if (records.length > 0) tell({ kind: 'records', records });
};
const nowUs = (): number => Date.now() * 1000;

const { loadStreamDetector } = await import('@vitalwire/detector');
// WebAssembly: what native code breaks would take the agent with it.
const detector = await loadStreamDetector({ backend: 'wasm' });
let engine: AlarmEngine | null = null;
let watch: DeviceWatch | null = null;

port.on('message', (message: ToWatch) => {
  if (message.kind === 'begin') {
    engine = new AlarmEngine({ sender: message.gateway });
    engine.replay(message.records);
    watch = new DeviceWatch(detector, engine, message.kept);
  } else if (engine === null || watch === null) throw new Error('the watch was not begun');
  else if (message.kind === 'readings') {
    tellRecords(watch.take(message.readings, nowUs()));
    tell({ kind: 'taken' });
  } else if (message.kind === 'acknowledge') {
    const answer = engine.acknowledge(message.alarmId, message.by, nowUs());
    if (answer.ok) tellRecords(answer.records);
    tell({ kind: 'acknowledged', ticket: message.ticket, answer });
  } else tell({ kind: 'looked', ticket: message.ticket, view: watch.view() });
});
setInterval(() => tellRecords(engine?.tick(nowUs()) ?? []), TICK_MS);
setInterval(() => {
  const kept = watch?.baselines() ?? [];
  if (kept.length > 0) tell({ kind: 'baselines', kept });
}, KEEP_MS);
tell({ kind: 'ready', model: { modelHash: detector.modelHash, modelVersion: detector.modelVersion } });
