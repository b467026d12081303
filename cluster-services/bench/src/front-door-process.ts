import { createFrontDoor } from '@vitalwire/broker';
import { createAccept, GroupCommit, IngestMetrics } from '@vitalwire/ingest';
import { createLog, type Identity, Registry, systemClock } from '@vitalwire/runtime';
import { openChunkStore } from '@vitalwire/storage/commit';

/** What the measuring process tells this one: our front door, with the rows one commit may hold as the only difference. */
export type FrontDoorTask = { readonly identity: Identity; readonly database: string; readonly rowsPerCommit: number };
export type FrontDoorReply = { readonly type: 'ready'; readonly port: number } | { readonly type: 'cpu'; readonly cpuUs: number };

const task = JSON.parse(process.argv[2] ?? '{}') as FrontDoorTask;
const log = createLog({ name: 'bench', level: 'error' });
const registry = new Registry();
const store = openChunkStore({ database: task.database, clock: systemClock, log });
await store.open();
const commits = new GroupCommit({ store, clock: systemClock, log, limits: { rowsPerCommit: task.rowsPerCommit } });
const metrics = new IngestMetrics(
  registry,
  () => commits.waitingRows,
  () => false,
);
const door = createFrontDoor({
  host: '127.0.0.1',
  port: 0,
  identity: task.identity,
  accept: createAccept({ clock: systemClock, commits, log, metrics }),
  hello: () => Promise.reject(new Error('nobody asks in a benchmark')),
  log,
  clock: systemClock,
  registry,
  limits: { packetsPerSecond: 1_000_000, packetBurst: 1_000_000 },
});
await door.start();
reply({ type: 'ready', port: door.port });

process.on('message', (asked) => {
  if (asked === 'cpu') {
    const { user, system } = process.cpuUsage();
    reply({ type: 'cpu', cpuUs: user + system });
  }
  if (asked === 'stop') void stop();
});

async function stop(): Promise<void> {
  await door.stop();
  await commits.stop();
  await store.close();
  process.disconnect();
}

function reply(message: FrontDoorReply): void {
  process.send?.(message);
}
