export * from './alarms.ts';
export * from './intake.ts';
export * from './live.ts';
export * from './recordings.ts';
export * from './registry.ts';
export * from './state.ts';
