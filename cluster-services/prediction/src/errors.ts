import { defineErrors, type ErrorTable } from '@vitalwire/runtime';

/** What the prediction service can fail with. Nothing here loses a window: what is not scored now is found again in storage. */
export const predictionErrors = {
  WORKER_LOST: {
    retry: 'yes',
    summary: 'the scoring worker died before it answered',
    next: 'nothing: the stretch is scored again by another worker',
  },
  WORKER_FAILED: {
    retry: 'no',
    summary: 'a scoring worker could not load the detector',
    next: 'the model file or its backend is damaged: install again; the log names the file',
  },
  MODELS_DIFFER: {
    retry: 'no',
    summary: 'scoring workers loaded different models',
    next: 'restart prediction: the model was replaced while it ran',
  },
  NOT_SCORED: { retry: 'yes', summary: 'a stretch of samples could not be scored', next: 'nothing: it is tried again through storage' },
} as const satisfies ErrorTable;

export class PredictionError extends defineErrors('prediction', predictionErrors) {}
