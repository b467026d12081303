export { PredictionConfig } from './config.ts';
export { createPrediction, type Prediction } from './prediction.ts';
export { baselinesIn } from './storage-queries.ts';
export type { StoredSignalOptions } from './stored-signal.ts';
export { readStoredWindow } from './stored-window.ts';
