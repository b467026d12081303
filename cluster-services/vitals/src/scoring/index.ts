export * from './detection-latency.ts';
export * from './detections-to-events.ts';
export * from './event-scoring.ts';
export { roundHalfEven } from './round-half-even.ts';
export * from './sample-scoring.ts';
export * from './scores.ts';
export * from './time-event.ts';
