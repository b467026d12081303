export * from './bonn.ts';
export * from './bonn-patient.ts';
export { type BundledFile, bundledFiles, readBundledFile } from './bundled-file.ts';
export { DatasetError, type DatasetErrorCode, datasetErrors } from './dataset-error.ts';
export { type Beat, parseBeats, readMitBeats } from './mit-beats.ts';
export { integerBetween, type Random, seededRandom, shuffled } from './seeded-random.ts';
