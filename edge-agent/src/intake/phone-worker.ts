import { parentPort } from 'node:worker_threads';
import { NoExport, PhoneExport, TooManyPoints } from './health-auto-export.ts';
import { JsonProblem } from './json-scanner.ts';
import type { FromPhone, PhoneProblem, PhoneQuestion, ToPhone } from './phone-protocol.ts';

// The thread that reads phone exports: tens of megabytes of text must not hold up the loop that talks to devices.

const MAX_HELD_POINTS = 1_500_000; // of all exports together: some 50 MB

const port = parentPort;
if (port === null) throw new Error('exports are read in a worker thread');
const exports = new Map<number, PhoneExport>();

port.on('message', (message: ToPhone) => {
  if (message.op === 'drop') exports.delete(message.exportId);
  else port.postMessage({ ticket: message.ticket, ...answer(message) } satisfies FromPhone);
});

function answer(message: PhoneQuestion): { ok: true; batch: FromBatch; summary: FromSummary } | { ok: false; problem: PhoneProblem } {
  try {
    return { ok: true, ...run(message) };
  } catch (error) {
    exports.delete(message.exportId);
    const problem = problemOf(error);
    if (problem === null) throw error;
    return { ok: false, problem };
  }
}

type FromBatch = Extract<FromPhone, { ok: true }>['batch'];
type FromSummary = Extract<FromPhone, { ok: true }>['summary'];

function run(message: PhoneQuestion): { batch: FromBatch; summary: FromSummary } {
  if (message.op === 'open') {
    exports.set(message.exportId, new PhoneExport(message.options));
    return { batch: null, summary: null };
  }
  const one = exports.get(message.exportId);
  if (one === undefined) return { batch: null, summary: null };
  if (message.op === 'bytes') {
    one.write(message.bytes);
    if ([...exports.values()].reduce((sum, { held }) => sum + held, 0) > MAX_HELD_POINTS) throw new TooBusy();
  } else if (message.op === 'finish') one.finish();
  return { batch: one.take(), summary: message.op === 'finish' || message.op === 'take' ? one.summary : null };
}

class TooBusy extends Error {}

function problemOf(error: unknown): PhoneProblem | null {
  if (error instanceof JsonProblem) return { kind: 'no-json', message: error.message };
  if (error instanceof NoExport) return { kind: 'no-export', message: error.message };
  if (error instanceof TooManyPoints) return { kind: 'too-many-points', message: 'one metric has more points than are held in memory' };
  return error instanceof TooBusy ? { kind: 'too-busy', message: 'other exports are being read' } : null;
}
