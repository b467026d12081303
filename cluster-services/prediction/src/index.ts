export { PredictionConfig } from './config.ts';
export { createPrediction, type Prediction } from './prediction.ts';
