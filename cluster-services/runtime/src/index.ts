export { RecentMap } from '@vitalwire/contract';
export { Counter, Gauge, Histogram, Registry } from 'prom-client';
export { AskedWorker, type AskedWorkerOptions, type AskOptions, type Question } from './asked-worker.ts';
export { type Backoff, type BackoffOptions, fullJitter } from './backoff.ts';
export { type Clock, pause, systemClock, type Timer } from './clock.ts';
export {
  defaultPorts,
  frontDoorSetting,
  identitySettings,
  listenSettings,
  portSetting,
  storageSettings,
  watchSettings,
} from './common-settings.ts';
export {
  ConfigError,
  type ConfigProblem,
  type ConfigSources,
  describeSettings,
  printConfig,
  readConfig,
  type Setting,
  secret,
} from './config.ts';
export { within } from './deadline.ts';
export {
  type CodedError,
  type CodedErrorClass,
  cannotListen,
  defineErrors,
  type ErrorTable,
  isCodedError,
  RuntimeError,
  runtimeErrors,
} from './errors.ts';
export {
  type Api,
  ApiError,
  type ApiOptions,
  bearerOf,
  createApi,
  fixedToken,
  type Listening,
  listen,
  type Principal,
  sameSecret,
  type TokenCheck,
} from './http.ts';
export { type BytesAnswer, HttpClient, type HttpClientOptions, HttpError, httpErrors, type RequestOptions } from './http-client.ts';
export { makeKeptDir, type Owner, readKept, writeKept } from './kept-file.ts';
export { KeptJson, type KeptJsonOptions } from './kept-json.ts';
export { type Lifecycle, type Running, runUntilSignal, startAll } from './lifecycle.ts';
export { createLog, type Log, type LogOptions } from './log.ts';
export { type ConnectOptions, connectOnce, disconnect, untilClosed } from './mqtt/connect.ts';
export { DurablePublisher, type DurablePublisherOptions } from './mqtt/durable-publisher.ts';
export { type BusOptions, Link, type LinkEvents, type LinkOptions } from './mqtt/link.ts';
export { Subscriber, type SubscriberOptions } from './mqtt/subscriber.ts';
export {
  expiryProblem,
  FreshIdentity,
  type Identity,
  type IdentityKind,
  type IssueOptions,
  identityOf,
  type LoadedIdentity,
  type PeerIdentity,
  Pki,
  readIdentity,
  readIdentitySync,
} from './pki.ts';
export { type Health, Probes, type ProbesOptions } from './probes.ts';
export { version } from './service.ts';
export { sourceExecArgv, untilWorkerEnds, workerUrl } from './source.ts';
