// The front door as it must never be: it acknowledges before the commit. A test of the kill test starts it in place of the real one,
// to show that the kill test would notice. Nothing else can: no setting, flag or environment variable leads here.
import { createIngest, IngestConfig } from '@vitalwire/ingest';
import { createLog, readConfig, runUntilSignal, systemClock } from '@vitalwire/runtime';

const config = readConfig(IngestConfig, { prefix: 'VITALWIRE_INGEST_', env: process.env, configName: 'ingest' });
const ingest = createIngest(config, { log: createLog({ name: 'ingest' }), clock: systemClock }, { ackBeforeCommit: true });
await runUntilSignal([ingest], () => process.send?.({ type: 'ready', addresses: ingest.addresses() }));
