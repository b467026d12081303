import type { IClientOptions, MqttClient } from 'mqtt';
import type { Clock } from '../clock.ts';
import { RuntimeError } from '../errors.ts';
import { type Identity, type LoadedIdentity, readIdentity } from '../pki.ts';

export type ConnectOptions = {
  /** mqtts://host:port */
  url: string;
  /** Files to read now, or an identity that has just been read. */
  identity: Identity | LoadedIdentity;
  clientId: string;
  keepaliveS?: number;
  signal?: AbortSignal;
  /** How long to wait for the CONNACK. */
  connectTimeoutMs?: number;
  will?: IClientOptions['will'];
};

const KEEPALIVE_S = 30;
const CONNECT_TIMEOUT_MS = 10_000;
const FAREWELL_MS = 1_000;

/** Only where it is needed: it costs a command 60 ms. Without its cache of all 65,536 packet ids, which is 7 MB and 30 ms of every process. */
async function loadMqtt(): Promise<typeof import('mqtt')> {
  const [mqtt, { default: packets }] = await Promise.all([import('mqtt'), import('mqtt-packet')]);
  packets.writeToStream.cacheNumbers = false;
  return mqtt;
}

/**
 * One connection, on a fresh client object: MQTT 3.1.1, clean session, no automatic reconnect, nothing kept while offline.
 * Resolves at the CONNACK; rejects with FRONT_DOOR_UNREACHABLE, FRONT_DOOR_REFUSED or CERTIFICATE_UNREADABLE.
 */
export async function connectOnce(options: ConnectOptions): Promise<MqttClient> {
  const { signal } = options;
  signal?.throwIfAborted();
  const identity = 'key' in options.identity ? options.identity : await readIdentity(options.identity);
  const { connect, UniqueMessageIdProvider } = await loadMqtt();
  signal?.throwIfAborted();
  const client = connect(options.url, {
    clientId: options.clientId,
    protocolVersion: 4,
    clean: true,
    keepalive: options.keepaliveS ?? KEEPALIVE_S,
    connectTimeout: options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS,
    reconnectPeriod: 0, // the built-in one waits a constant second and replays its store before it says 'connect'
    resubscribe: false,
    queueQoSZero: false, // the default keeps stale live messages while offline
    messageIdProvider: new UniqueMessageIdProvider(), // the default one wraps and collides silently
    key: identity.key,
    cert: identity.cert,
    ca: identity.ca,
    rejectUnauthorized: true,
    ...(options.will === undefined ? {} : { will: options.will }),
  });
  client.on('error', () => {}); // an error event without a listener would end the process; 'close' follows every error
  return new Promise((resolve, reject) => {
    const settle = (error: Error | null): void => {
      client.removeListener('connect', onConnect);
      client.removeListener('error', onError);
      client.removeListener('close', onClose);
      signal?.removeEventListener('abort', onAbort);
      if (error === null) {
        resolve(client);
        return;
      }
      client.end(true);
      reject(error);
    };
    const onConnect = (): void => settle(null);
    const onError = (cause: Error): void => settle(describeFailure(options, cause));
    const onClose = (): void => settle(new RuntimeError('FRONT_DOOR_UNREACHABLE', `${options.url} closed the connection`));
    const onAbort = (): void => settle(new DOMException('aborted while connecting', 'AbortError'));
    client.once('connect', onConnect);
    client.once('error', onError);
    client.once('close', onClose);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/** Resolves when the connection is closed; at once if it is already: a kick can come in the same packet as the CONNACK. */
export function untilClosed(client: MqttClient): Promise<void> {
  return new Promise((resolve) => {
    client.once('close', () => resolve());
    if (!client.connected) resolve();
  });
}

/**
 * Says goodbye if that can be done within a second; 'close' follows in any case. mqtt.js alone would wait for ever for the PUBACKs of a
 * polite end, and for a stalled peer to take the DISCONNECT.
 */
export function disconnect(client: MqttClient, clock: Clock): void {
  if (Object.keys(client.outgoing).length > 0) {
    client.end(true);
    return;
  }
  const timer = clock.setTimer(FAREWELL_MS, () => client.stream.destroy());
  client.once('close', () => timer.cancel());
  client.end();
}

function describeFailure(options: ConnectOptions, cause: Error): RuntimeError {
  const code = 'code' in cause ? cause.code : undefined;
  // A number is a CONNACK return code, a text an error of the socket or of TLS.
  if (typeof code === 'number')
    return new RuntimeError('FRONT_DOOR_REFUSED', `${options.clientId} at ${options.url}: ${cause.message}`, { cause });
  return new RuntimeError('FRONT_DOOR_UNREACHABLE', `${options.url}: ${cause.message || String(code)}`, { cause });
}
