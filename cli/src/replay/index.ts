export type { Delivery } from './capture-sender.ts';
export { demoPatient } from './demo-patients.ts';
export type { IntakeRequest } from './intake-client.ts';
export type { Play } from './manifest.ts';
export { Replay, type ReplayOptions } from './replay.ts';
export { fileSpec, type SourceSpec } from './source-spec.ts';
