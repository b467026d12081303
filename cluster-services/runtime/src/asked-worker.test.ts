import { Worker } from 'node:worker_threads';
import { VirtualClock } from '@vitalwire/testkit';
import { afterEach, expect, test, vi } from 'vitest';
import { AskedWorker, type AskedWorkerOptions } from './asked-worker.ts';

type ToThread =
  | { readonly op: 'double'; readonly ticket: number; readonly value: number }
  | { readonly op: 'length'; readonly ticket: number; readonly bytes: ArrayBuffer }
  | { readonly op: 'nothing' | 'die' | 'throw' | 'close'; readonly ticket: number }
  | { readonly op: 'note'; readonly text: string };
type FromThread = { readonly ticket: number; readonly value: number } | { readonly heard: string };

const thread = `
  const { parentPort } = require('node:worker_threads');
  parentPort.on('message', (message) => {
    if (message.op === 'note') parentPort.postMessage({ heard: message.text });
    else if (message.op === 'double') parentPort.postMessage({ ticket: message.ticket, value: 2 * message.value });
    else if (message.op === 'length') parentPort.postMessage({ ticket: message.ticket, value: message.bytes.byteLength });
    else if (message.op === 'die') process.exit(1);
    else if (message.op === 'throw') throw new Error('it broke');
    else if (message.op === 'close') { parentPort.postMessage({ ticket: message.ticket, value: 0 }); parentPort.close(); }
  });`;

let clock = new VirtualClock();
const begun: Worker[] = [];

function worker(options: Partial<AskedWorkerOptions<FromThread>> = {}): AskedWorker<ToThread, FromThread> {
  return new AskedWorker<ToThread, FromThread>({
    clock,
    spawn: () => {
      const one = new Worker(thread, { eval: true });
      begun.push(one);
      return one;
    },
    unanswered: (why, cause) => new Error(`unanswered: ${why}`, { cause }),
    ...options,
  });
}

afterEach(async () => {
  clock = new VirtualClock(); // threads of an earlier test are not started again
  await Promise.all(begun.splice(0).map((one) => one.terminate()));
});

test('each question gets its own answer, and what is transferred is not copied', async () => {
  const asked = worker();
  const bytes = new ArrayBuffer(64);
  const answers = [
    asked.ask({ op: 'double', value: 2 }),
    asked.ask({ op: 'length', bytes }, { transfer: [bytes] }),
    asked.ask({ op: 'double', value: 3 }),
  ];
  expect(bytes.byteLength).toBe(0);
  expect((await Promise.all(answers)).map((answer) => 'value' in answer && answer.value)).toEqual([4, 64, 6]);
  expect(begun).toHaveLength(1);
});

test('what the thread says by itself is a note, and what it is told needs no answer', async () => {
  const heard = Promise.withResolvers<string>();
  const asked = worker({ onNote: (note) => heard.resolve(note.heard) });
  asked.tell({ op: 'note', text: 'nobody is there yet' });
  asked.start();
  asked.tell({ op: 'note', text: 'good morning' });
  expect(await heard.promise).toBe('good morning');
});

test('a question that is not answered in time fails, and the next ones are answered', async () => {
  const asked = worker();
  const late = expect(asked.ask({ op: 'nothing' }, { deadlineMs: 3_000 })).rejects.toThrow('unanswered: no answer within 3000 ms');
  const answered = asked.ask({ op: 'double', value: 4 }, { deadlineMs: 3_000 });
  expect(await answered).toMatchObject({ value: 8 });
  await clock.advance(3_000);
  await late;
  expect(await asked.ask({ op: 'double', value: 5 })).toMatchObject({ value: 10 });
});

test.each(['die', 'throw'] as const)('when the thread ends (%s) everybody who waits is told at once, then whoever owns it', async (op) => {
  const told: string[] = [];
  const asked = worker({ onLost: (cause) => told.push(`lost: ${cause.message}`) });
  const waiting = [asked.ask({ op: 'nothing' }, { deadlineMs: 60_000 }), asked.ask({ op: 'nothing' }), asked.ask({ op })];
  await Promise.all(waiting.map((one) => one.catch((error: Error) => told.push(error.message))));
  const why = op === 'die' ? 'the thread ended' : 'it broke';
  await vi.waitFor(() => expect(told).toHaveLength(4));
  expect(told.toSorted()).toEqual([`lost: ${why}`, ...Array.from({ length: 3 }, () => `unanswered: ${why}`)]);
});

test('without a time to start again the next question starts another thread', async () => {
  const asked = worker();
  await expect(asked.ask({ op: 'die' })).rejects.toThrow('the thread ended');
  expect(begun).toHaveLength(1);
  expect(await asked.ask({ op: 'double', value: 6 })).toMatchObject({ value: 12 });
  expect(begun).toHaveLength(2);
});

test('with one, another is started after it, once; questions meanwhile are refused', async () => {
  const asked = worker({ respawnMs: () => 1_000 });
  asked.start();
  asked.start();
  await expect(asked.ask({ op: 'die' })).rejects.toThrow('the thread ended');
  await expect(asked.ask({ op: 'double', value: 7 })).rejects.toThrow('unanswered: the thread is not running');
  await clock.advance(999);
  expect(begun).toHaveLength(1);
  await clock.advance(1);
  expect(await asked.ask({ op: 'double', value: 7 })).toMatchObject({ value: 14 });
  expect(begun).toHaveLength(2);
});

test('at its end it answers what was asked before, waits until the thread is gone, and starts no other', async () => {
  const lost = vi.fn();
  const asked = worker({ respawnMs: () => 0, onLost: lost });
  asked.start();
  const before = asked.ask({ op: 'double', value: 8 });
  await asked.end({ op: 'close' });
  expect(await before).toMatchObject({ value: 16 });
  expect(begun[0]?.threadId).toBe(-1);
  await clock.advance(60_000);
  await asked.end({ op: 'close' });
  expect(begun).toHaveLength(1);
  expect(lost).not.toHaveBeenCalled();
});

test('ended between two threads, it starts no other', async () => {
  const asked = worker({ respawnMs: () => 1_000 });
  asked.start();
  await expect(asked.ask({ op: 'die' })).rejects.toThrow('the thread ended');
  await asked.end({ op: 'close' });
  await clock.advance(60_000);
  expect(begun).toHaveLength(1);
  await expect(asked.ask({ op: 'double', value: 9 })).rejects.toThrow('the thread is not running');
});

test('terminated, it tells everybody who waits', async () => {
  const asked = worker();
  const waiting = expect(asked.ask({ op: 'nothing' }, { deadlineMs: 60_000 })).rejects.toThrow('unanswered: the thread ended');
  await asked.terminate();
  await waiting;
});
