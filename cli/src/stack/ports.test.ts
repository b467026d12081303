import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { systemClock } from '@vitalwire/runtime';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type DataDir, resolveDataDir } from './data-dir.ts';
import { checkFree, choosePorts, parsePort, portNames } from './ports.ts';
import { serviceNames } from './service-settings.ts';

let dirs: DataDir;
const held: Server[] = [];

beforeEach(async () => {
  dirs = resolveDataDir(await mkdtemp(path.join(tmpdir(), 'vitalwire-ports-')), {});
});
afterEach(async () => {
  await Promise.all(held.splice(0).map((server) => new Promise((resolve) => server.close(resolve))));
  await rm(dirs.root, { recursive: true, force: true });
});

async function hold(port: number): Promise<void> {
  const server = createServer();
  held.push(server);
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
}

test('ports are chosen once: the second start has those of the first, all different and outside the range of outgoing connections', async () => {
  const first = await choosePorts(dirs, {}, {});
  expect(await choosePorts(dirs, {}, {})).toEqual(first);
  const all = [...Object.values(first.ports), ...Object.values(first.probes)];
  expect(new Set(all).size).toBe(portNames.length + serviceNames.length);
  for (const port of all) expect(port >= 20_000 && port < 30_000).toBe(true);
});

test('a flag wins over the environment, that over what is kept, and neither is kept', async () => {
  const kept = await choosePorts(dirs, {}, {});
  const env = { VITALWIRE_WEB_PORT: '18443', VITALWIRE_INGEST_PORT: '18883', VITALWIRE_WEB_PROBE_PORT: '18001' };
  const told = await choosePorts(dirs, parsePort('web=19443'), env);
  expect(told.ports).toEqual({ ...kept.ports, web: 19_443, 'front-door': 18_883 });
  expect(told.probes).toEqual({ ...kept.probes, web: 18_001 });
  expect(await choosePorts(dirs, {}, {})).toEqual(kept);
});

test('a taken port is one sentence that names it and says what to do', async () => {
  const chosen = await choosePorts(dirs, {}, {});
  await hold(chosen.ports.intake);
  await expect(checkFree(dirs, chosen, systemClock, new AbortController().signal)).rejects.toThrow(
    new RegExp(`another program has port ${chosen.ports.intake} \\(intake\\); stop it, give another with --port`),
  );
});

test('a kept port that the environment moves away may be taken', async () => {
  const { ports } = await choosePorts(dirs, {}, {});
  await hold(ports.web);
  const moved = await choosePorts(dirs, { web: 0 }, {});
  expect(moved.ports.web).not.toBe(ports.web);
  await checkFree(dirs, moved, systemClock, new AbortController().signal);
});

test('a file of ports that is not understood, or two names for one port, is refused and left as it is', async () => {
  await choosePorts(dirs, { web: 19_443 }, {});
  await expect(choosePorts(dirs, { web: 19_443, intake: 19_443 }, {})).rejects.toThrow(/port 19443 is given to web and to intake/);
  await writeFile(dirs.portsFile, '{"ports":{"web":0}}');
  await expect(choosePorts(dirs, {}, {})).rejects.toThrow(/ports\.json is not understood.*mend it, or remove it/);
  expect(await readFile(dirs.portsFile, 'utf8')).toBe('{"ports":{"web":0}}');
  await expect(choosePorts(dirs, {}, { VITALWIRE_WEB_PORT: 'http' })).rejects.toThrow(/ports\.json/);
});
