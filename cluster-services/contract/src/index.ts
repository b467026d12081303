export * from './api/index.ts';
export * from './wire-index.ts';
