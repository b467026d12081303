export { resolveDataDir } from './data-dir.ts';
export type { ServiceName } from './service-settings.ts';
export { type Command, lineReader, ownCommand } from './spawn-service.ts';
export { Stack } from './stack.ts';
export { readToken } from './stack-file.ts';
