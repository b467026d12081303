export * from './alarms.ts';
export * from './edge-watch.ts';
export * from './intake.ts';
export * from './live.ts';
export * from './recordings.ts';
export * from './registry.ts';
export * from './state.ts';
