export { createAccept } from './accept.ts';
export { IngestConfig } from './config.ts';
export { IngestError, ingestErrors } from './errors.ts';
export { GroupCommit, type GroupCommitLimits, type GroupCommitOptions } from './group-commit.ts';
export { createIngest, type Ingest } from './ingest.ts';
export { IngestMetrics } from './metrics.ts';
export { quarantineRow, understand } from './understand.ts';
