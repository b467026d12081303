// The front-door service as it is, in a process of its own whose CPU can be told apart; without TLS only by the switch for tests.
import { createIngest, IngestConfig } from '@vitalwire/ingest';
import { createLog, type PeerIdentity, systemClock } from '@vitalwire/runtime';

/** What the measuring process tells this one. */
export type IngestTask = { readonly config: Record<string, unknown>; readonly plainTcpAs: PeerIdentity | null };
export type IngestReply = { readonly port: number };

process.once('message', (message) => void run(message as IngestTask));

async function run({ config, plainTcpAs }: IngestTask): Promise<void> {
  const ingest = createIngest(
    IngestConfig.parse(config),
    { log: createLog({ name: 'bench', level: 'error' }), clock: systemClock },
    plainTcpAs === null ? {} : { plainTcpAs },
  );
  await ingest.start(new AbortController().signal);
  process.once('disconnect', () => void ingest.stop().then(() => process.exit(0)));
  process.send?.({ port: ingest.door.port } satisfies IngestReply);
}
