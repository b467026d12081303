import { closeSync, openSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { Pki } from '@vitalwire/runtime';
import { FaultProxy, until } from '@vitalwire/testkit';
import { expect, test } from 'vitest';
import { AgentProcess } from './agent-process.ts';
import { atEnd, Bed } from './bed.ts';
import { run } from './command.ts';
import { pageText } from './page-text.ts';

// Each trouble of a gateway or of the database, and each place that has to tell a person of it and what to do. Real processes throughout.

const PATIENCE = { timeoutMs: 45_000, everyMs: 250 };
const LATE_S = 15;
const HOUR_S = 3_600; // certificates begin an hour before they are made
const AHEAD_MS = 600_000;
const OUTBOX_BYTES = 1024 * 1024;

const places = ['edge status', 'gateways', 'doctor', 'wall', 'page'] as const;
type Told = Partial<Record<(typeof places)[number], string>>;
type Trouble = { readonly about: string; readonly told: RegExp };

const troubles: Readonly<Record<string, Trouble>> = {
  'readings given up': {
    about: 'gw-full',
    told: /the outbox (is|was) full \(1 MB\) and (gives|gave) up .*chunks.* raise VITALWIRE_EDGE_OUTBOX_MAX_MB/,
  },
  'an expired certificate': { about: 'gw-late', told: /certificate expired on .* put a new one at/ },
  'two agents with one identity': { about: 'gw-twin', told: /another agent connects as gw-twin too.*: stop one of them/ },
  'a clock ten minutes off': { about: 'gw-clock', told: /clock is 10 min ahead of the cluster's: set it/ },
};
// Found by the look through the file, or by a query that met it first; the doctor finds it by itself.
const damage: Trouble = { about: 'readings', told: /damaged.*restore a backup/s };

test('every trouble is told at every place, with what to do about it, and a healthy gateway has none', { timeout: 180_000 }, async () => {
  const bed = await Bed.start();
  const agents = await beginTroubles(bed);
  await untilTold(bed, Object.values(troubles));
  const seen = await look(bed);
  const silent: string[] = [];
  for (const [name, { about, told }] of Object.entries(troubles)) {
    const status = await run(['edge', 'status', '--data', agents.get(about)?.dataDir ?? '']);
    silent.push(...silentPlaces(name, told, { ...seen, 'edge status': status.stdout + status.stderr }));
  }
  expect(silent).toEqual([]);
  const healthy = await bed.cli('edge', 'status');
  expect(healthy.stdout).toMatch(/^Gateway gateway-1, .*: connected/);
  expect(healthy.stdout).not.toContain('PROBLEM');

  await bed.stop();
  overwriteLastQuarter(join(bed.dirs.root, 'readings.sqlite'));
  await bed.start();
  await untilTold(bed, [damage]);
  // An agent hears of its readings one by one, and these are acknowledged: the damage is in old ones.
  expect(silentPlaces('a damaged database', damage.told, await look(bed))).toEqual([]);
  expect((await bed.cli('status')).stdout).toMatch(/readings: .*damaged/);
});

/** What the verbs print, each asked once. */
async function look(bed: Bed): Promise<Told> {
  const ask = async (...verb: string[]): Promise<string> => (await bed.cli(...verb)).stdout;
  const gateways = await ask('gateways');
  const doctor = await ask('doctor');
  return {
    gateways,
    doctor,
    wall: await ask('watch', '--snapshot', '--size', '3000x30'),
    page: await pageText(bed, (page) => page.locator('.system .problem')),
  };
}

function silentPlaces(name: string, text: RegExp, told: Told): string[] {
  return places.flatMap((place) => {
    const said = told[place];
    return said === undefined || text.test(said) ? [] : [`${name}: ${place} says only\n${said}`];
  });
}

async function untilTold(bed: Bed, wanted: readonly Trouble[]): Promise<void> {
  let missing: string[] = [];
  let told: unknown = null;
  await until(async () => {
    const { problems = [], ...links } = (await bed.client.state()).links;
    told = { problems, links };
    missing = wanted
      .filter(({ about, told }) => !problems.some((one) => one.about === about && told.test(one.text)))
      .map(({ about }) => about);
    return missing.length === 0;
  }, PATIENCE).catch((cause: unknown) => {
    throw new Error(`web was not told of ${missing.join(', ')}: ${JSON.stringify(told)}`, { cause });
  });
}

/** One agent for each trouble, all of them at once: none has to do with another. */
async function beginTroubles(bed: Bed): Promise<Map<string, AgentProcess>> {
  const pki = await Pki.open(bed.dirs.pki);
  const { frontDoor } = bed.stack.info.urls;
  const agents = new Map<string, AgentProcess>();
  const start = async (gateway: string, { name = gateway, days = 30, url = frontDoor, env = {} } = {}): Promise<AgentProcess> => {
    const identity = await pki.ensure(gateway, { kind: 'gateway', days });
    const agent = await AgentProcess.start({ gateway, identity, frontDoorUrl: url, dataDir: join(bed.dirs.root, 'agents', name), env });
    agents.set(gateway, agent);
    return agent;
  };
  const network = async (): Promise<FaultProxy> => {
    const proxy = await FaultProxy.start(() => Number(new URL(frontDoor).port));
    atEnd(() => proxy.close());
    return proxy;
  };
  const shift = join(bed.dirs.root, 'shift-clock.mjs');
  writeFileSync(shift, `const now = Date.now;\nDate.now = () => now() + ${AHEAD_MS};\n`);
  const evict = async (): Promise<void> => {
    const proxy = await network();
    const full = await start('gw-full', { url: `mqtts://127.0.0.1:${proxy.port}`, env: { OUTBOX_MAX_MB: '1' } });
    proxy.refuse(true);
    proxy.cut();
    await full.feed(3 * OUTBOX_BYTES);
    proxy.refuse(false);
  };
  // Its certificate is replaced by one that is nearly over while it runs, so that it is known to the cluster however slow the machine is.
  const expire = async (): Promise<void> => {
    const proxy = await network();
    await start('gw-late', { url: `mqtts://127.0.0.1:${proxy.port}` });
    await until(
      async () => (await bed.client.gateways()).gateways.some(({ gateway, state }) => gateway === 'gw-late' && state === 'online'),
      PATIENCE,
    );
    await pki.issue('gw-late', { kind: 'gateway', days: (HOUR_S + LATE_S) / 86_400 });
    proxy.cut();
  };
  await Promise.all([
    expire(),
    start('gw-twin').then(() => start('gw-twin', { name: 'gw-twin-2' })),
    start('gw-clock', { env: { NODE_OPTIONS: `--import=${shift}` } }),
    evict(),
  ]);
  return agents;
}

/** Pages of readings, none of the schema. */
function overwriteLastQuarter(file: string): void {
  const { size } = statSync(file);
  const handle = openSync(file, 'r+');
  const from = Math.floor((size * 3) / 4);
  writeSync(handle, Buffer.alloc(size - from, 0x5a), 0, size - from, from);
  closeSync(handle);
}
