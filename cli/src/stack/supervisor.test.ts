import { fullJitter } from '@vitalwire/runtime';
import { VirtualClock } from '@vitalwire/testkit';
import { expect, test } from 'vitest';
import type { Exit } from './crash-reason.ts';
import { type Addresses, type Child, type ServiceView, Supervisor } from './supervisor.ts';

const stages = [['storage'], ['ingest'], ['web', 'edge']];
const never = new AbortController().signal;

test('services start stage after stage, each only when the one before is ready', async () => {
  const { supervisor, world } = setUp();
  const started = supervisor.start(never);
  await settle();
  expect(world.spawned).toEqual(['storage']);
  world.last('storage').becomeReady();
  await settle();
  expect(world.spawned).toEqual(['storage', 'ingest']);
  world.last('ingest').becomeReady();
  await settle();
  expect(world.spawned).toEqual(['storage', 'ingest', 'web', 'edge']);
  world.last('web').becomeReady();
  world.last('edge').becomeReady();
  await started;
  expect(supervisor.views().map((view) => view.state)).toEqual(['ready', 'ready', 'ready', 'ready']);
});

test('a crash is shown with its reason and followed by a restart with a growing delay', async () => {
  const { supervisor, world, clock } = await startAll();
  const delays: number[] = [];
  for (let crash = 0; crash < 4; crash++) {
    world.last('web').end({ code: 1, signal: null, lastLines: ['port 8443 is taken'] });
    await settle();
    expect(viewOf(supervisor, 'web')).toMatchObject({ state: 'restarting', restarts: crash });
    expect(viewOf(supervisor, 'web').lastCrash?.reason).toBe('exit code 1: port 8443 is taken');
    delays.push(clock.nextInMs ?? -1);
    await clock.advance(clock.nextInMs ?? 0);
    world.last('web').becomeReady();
    await settle();
    expect(viewOf(supervisor, 'web')).toMatchObject({ state: 'ready', restarts: crash + 1 });
  }
  expect(delays).toEqual([100, 200, 400, 800]); // random() is 1 here: the whole bound
});

test('stopping goes through the stages in reverse and waits for each', async () => {
  const { supervisor, world } = await startAll();
  const stopped = supervisor.stop();
  await settle();
  expect(world.terminated).toEqual(['web', 'edge']);
  world.last('web').end(ok);
  await settle();
  expect(world.terminated).toEqual(['web', 'edge']);
  world.last('edge').end(ok);
  await settle();
  expect(world.terminated).toEqual(['web', 'edge', 'ingest']);
  world.last('ingest').end(ok);
  await settle();
  world.last('storage').end(ok);
  await stopped;
  await supervisor.stop();
  expect(world.terminated).toEqual(['web', 'edge', 'ingest', 'storage']);
  expect(supervisor.views().every((view) => view.state === 'stopped')).toBe(true);
});

test('a child that ignores the wish to stop is killed after the grace', async () => {
  const { supervisor, world, clock } = await startAll();
  world.last('edge').deaf = true;
  const stopped = supervisor.stop();
  world.last('web').end(ok);
  await settle();
  await clock.advance(19_000);
  expect(world.killed).toEqual([]); // the front door may need 12 s while the database is down
  await clock.advance(1_000);
  expect(world.killed).toEqual(['edge']);
  world.last('ingest').end(ok);
  await settle();
  world.last('storage').end(ok);
  await stopped;
});

test('a crash during the stop is not restarted', async () => {
  const { supervisor, world } = await startAll();
  const stopped = supervisor.stop();
  for (const name of ['web', 'edge', 'ingest', 'storage']) {
    world.last(name).end({ code: 1, signal: null, lastLines: [] });
    await settle();
  }
  await stopped;
  expect(world.spawned).toHaveLength(4);
});

test('a service that refuses its configuration fails the start at once, and what already runs is stopped', async () => {
  const { supervisor, world } = setUp();
  const started = supervisor.start(never);
  await settle();
  world.last('storage').becomeReady();
  await settle();
  const failure = expect(started).rejects.toThrow(/ingest ended with exit code 2: port is wrong/);
  world.last('ingest').end({ code: 2, signal: null, lastLines: ['port is wrong'] });
  await settle();
  world.last('storage').end(ok);
  await failure;
  expect(world.terminated).toEqual(['storage']);
});

test('a service that keeps crashing before it was ever ready fails the start after three attempts', async () => {
  const { supervisor, world, clock } = setUp();
  const started = supervisor.start(never);
  const failure = expect(started).rejects.toThrow(/storage ended with exit code 1/);
  for (let attempt = 0; attempt < 3; attempt++) {
    await settle();
    world.last('storage').end({ code: 1, signal: null, lastLines: [] });
    await settle();
    await clock.advance(1_000);
  }
  await failure;
  expect(world.spawned).toEqual(['storage', 'storage', 'storage']);
});

test('a child that never says it is ready is killed and tried again', async () => {
  const { supervisor, world, clock } = setUp();
  const started = supervisor.start(never);
  started.catch(() => {});
  await settle();
  await clock.advance(30_000);
  expect(world.killed).toEqual(['storage']);
  expect(viewOf(supervisor, 'storage').lastCrash?.reason).toMatch(/not ready in time/);
  await clock.advance(1_000);
  expect(world.spawned).toEqual(['storage', 'storage']);
});

test('a wish to stop while starting ends the start with that wish, everything stopped', async () => {
  const { supervisor, world } = setUp();
  const abort = new AbortController();
  const started = supervisor.start(abort.signal);
  await settle();
  world.last('storage').becomeReady();
  await settle();
  const failure = expect(started).rejects.toThrow('enough');
  abort.abort(new Error('enough'));
  await settle();
  world.last('ingest').end(ok);
  await settle();
  world.last('storage').end(ok);
  await failure;
});

const ok: Exit = { code: 0, signal: null, lastLines: [] };

class FakeChild implements Child {
  readonly pid = 4711;
  readonly ready: Promise<Addresses>;
  readonly exited: Promise<Exit>;
  deaf = false;
  becomeReady: () => void = () => {};
  end: (exit: Exit) => void = () => {};
  readonly #name: string;
  readonly #world: World;

  constructor(name: string, world: World) {
    this.#name = name;
    this.#world = world;
    this.ready = new Promise((resolve) => {
      this.becomeReady = () => resolve({ port: 1 });
    });
    this.exited = new Promise((resolve) => {
      this.end = resolve;
    });
  }

  terminate(): void {
    this.#world.terminated.push(this.#name);
  }

  kill(): void {
    this.#world.killed.push(this.#name);
    this.end({ code: null, signal: 'SIGKILL', lastLines: [] });
  }
}

class World {
  readonly spawned: string[] = [];
  readonly terminated: string[] = [];
  readonly killed: string[] = [];
  readonly #children = new Map<string, FakeChild>();

  spawn(name: string): FakeChild {
    this.spawned.push(name);
    const child = new FakeChild(name, this);
    this.#children.set(name, child);
    return child;
  }

  last(name: string): FakeChild {
    const child = this.#children.get(name);
    if (child === undefined) throw new Error(`${name} was never spawned`);
    return child;
  }
}

function setUp(): { supervisor: Supervisor; world: World; clock: VirtualClock } {
  const clock = new VirtualClock();
  const world = new World();
  const supervisor = new Supervisor({
    stages,
    clock,
    backoff: () => fullJitter({ baseMs: 100, maxMs: 5_000, resetAfterMs: 60_000, random: () => 1, clock }),
    spawn: (name) => world.spawn(name),
  });
  return { supervisor, world, clock };
}

async function startAll(): Promise<{ supervisor: Supervisor; world: World; clock: VirtualClock }> {
  const all = setUp();
  const started = all.supervisor.start(never);
  for (const stage of stages) {
    await settle();
    for (const name of stage) all.world.last(name).becomeReady();
  }
  await started;
  return all;
}

function viewOf(supervisor: Supervisor, name: string): ServiceView {
  const view = supervisor.views().find((one) => one.name === name);
  if (view === undefined) throw new Error(`no view of ${name}`);
  return view;
}

/** Lets every promise that can go on do so. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}
