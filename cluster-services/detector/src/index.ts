export type { BackendName, DetectorLog } from './backend.ts';
export { type Detector, goldenTolerance, type LoadOptions, loadDetector, type Score, type ScoreReason } from './detector.ts';
export { featureNames, featuresOf } from './features.ts';
export { type GoldenFile, type Model, type ModelFile, parseModel, readGolden, readModel } from './model-file.ts';
