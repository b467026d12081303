import { defineErrors, type ErrorTable } from '@vitalwire/runtime';

/** What the prediction service can fail with. Nothing here loses a window: what is not scored now is found again in storage. */
export const predictionErrors = {
  WORKER_LOST: { retry: 'yes', summary: 'the scoring worker died before it answered' },
  WORKER_FAILED: { retry: 'no', summary: 'a scoring worker could not load the detector' },
  MODELS_DIFFER: { retry: 'no', summary: 'scoring workers loaded different models' },
  NOT_SCORED: { retry: 'yes', summary: 'a stretch of samples could not be scored' },
  CHUNKS_MISSING: { retry: 'yes', summary: 'storage has no chunks where it said there were some' },
} as const satisfies ErrorTable;

export class PredictionError extends defineErrors('prediction', predictionErrors) {}
