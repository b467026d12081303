export { resolveDataDir } from './data-dir.ts';
export { type Command, lineReader, ownCommand } from './spawn-service.ts';
export { type ServiceName, Stack } from './stack.ts';
export { readToken } from './stack-file.ts';
