import { createFrontDoor, type FrontDoor, type FrontDoorLimits, type TestOnly } from '@vitalwire/broker';
import { type Clock, type Lifecycle, type Log, Probes, type Running, startAll, version } from '@vitalwire/runtime';
import { createAccept } from './accept.ts';
import type { IngestConfig } from './config.ts';
import { DatabaseLink } from './database-link.ts';
import { IngestError } from './errors.ts';
import { GroupCommit } from './group-commit.ts';
import { IngestMetrics } from './metrics.ts';

export type Ingest = Lifecycle & { addresses(): Record<string, number | string>; readonly door: FrontDoor };

/** The front-door service: broker, accept and group commit in one process, as a hop between them would halve what it can do. */
export function createIngest(config: IngestConfig, deps: { readonly log: Log; readonly clock: Clock }, testOnly: TestOnly = {}): Ingest {
  const { log, clock } = deps;
  const probes = new Probes({ host: config.probeHost, port: config.probePort, log });
  const database = new DatabaseLink({ database: config.database, clock, log, onGeneration: () => door.announce() });
  const commits = new GroupCommit({
    store: database,
    clock,
    log,
    limits: { deadlineMs: config.commitDeadlineMs },
    onCommit: ({ rows, ms, isCommitted }) => {
      metrics.commitSeconds.observe({ result: isCommitted ? 'committed' : 'failed' }, ms / 1000);
      if (isCommitted) metrics.rowsPerCommit.observe(rows);
    },
  });
  const metrics = new IngestMetrics(
    probes.registry,
    () => commits.waitingRows,
    () => database.problem !== null,
  );
  const door = createFrontDoor(
    {
      host: config.host,
      port: config.port,
      identity: { certPath: config.certPath, keyPath: config.keyPath, caPath: config.caPath },
      accept: createAccept({ clock, commits, log, metrics }),
      hello: async () => {
        if (database.generation === null) throw new IngestError('DATABASE_NOT_OPEN');
        return { generation: database.generation, nowUs: clock.nowUs(), version };
      },
      log,
      clock,
      registry: probes.registry,
      limits: limitsOf(config),
    },
    testOnly,
  );
  // Without the database the service stays in use: live values still flow, and a gateway that cannot connect could not send them.
  probes.check('database', () => ({ ok: true, degraded: database.problem !== null, detail: database.problem ?? 'answers' }));
  probes.check('frontDoor', () => ({
    ok: door.port > 0,
    detail: { port: door.port, connections: door.openConnections, waitingRows: commits.waitingRows },
  }));
  const finishCommits: Lifecycle = { start: async () => {}, stop: () => commits.stop() };
  let running: Running | null = null;
  return {
    door,
    async start(signal) {
      running = await startAll([probes, database, finishCommits, door], signal);
      log.info({ port: door.port, probePort: probes.port }, 'front door open');
    },
    async stop() {
      await running?.stop();
    },
    addresses: () => ({ host: config.host, port: door.port, probePort: probes.port, frontDoorUrl: `mqtts://${config.host}:${door.port}` }),
  };
}

function limitsOf(config: IngestConfig): Partial<FrontDoorLimits> {
  return {
    maxConnections: config.maxConnections,
    maxConnectionsPerCertificate: config.maxConnectionsPerCertificate,
    connectsPerSecond: config.connectsPerSecond,
    connectBurst: config.connectsPerSecond,
    durableBytes: config.waitingMb * 1024 * 1024,
    stopWithinMs: config.commitDeadlineMs + 2_000,
  };
}
