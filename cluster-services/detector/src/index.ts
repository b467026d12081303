export { type BackendName, type DetectorLog, openBackend } from './backend.ts';
export { channelsThatSpeak } from './channels-that-speak.ts';
export { featureNames, featuresOf } from './features.ts';
export {
  type Before,
  EegStream,
  LOOKBACK_HOPS,
  lookbackSamples,
  type PreparedChannel,
  type PreparedWindow,
  RECALL_HOPS,
  type RecalledBaselines,
  type RefusalReason,
  type StreamSamples,
} from './stream.ts';
export {
  type Explanation,
  loadStreamDetector,
  type StreamDetector,
  type StreamDetectorOptions,
  type WindowReason,
  type WindowScore,
} from './stream-detector.ts';
export {
  parseStreamModel,
  readStreamGolden,
  readStreamModel,
  type StreamGolden,
  type StreamModel,
  type StreamModelFile,
} from './stream-model.ts';
export {
  barsOf,
  calibrationSvg,
  type Evaluation,
  evaluateModel,
  type LabelledSegment,
  measureSpeed,
  renderEvaluation,
  renderModelCard,
  type Speed,
  type Split,
  stratifiedFolds,
  trainModel,
} from './training/index.ts';
