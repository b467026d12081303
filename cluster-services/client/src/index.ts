export { HttpError } from '@vitalwire/runtime';
export { type ChunkPage, Client, type ClientOptions, splitMessages } from './client.ts';
export { type LinkCondition, type LiveHandlers, LiveStream, type LiveWish, type StateChange } from './live-stream.ts';
