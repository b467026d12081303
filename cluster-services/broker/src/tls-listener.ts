import { constants } from 'node:crypto';
import { createServer, type Server, type TLSSocket, type TlsOptions } from 'node:tls';
import { type Clock, cannotListen, expiryProblem, type Identity, type LoadedIdentity, type Log, readIdentity } from '@vitalwire/runtime';

export type TlsListenerOptions = {
  readonly host: string;
  readonly port: number;
  readonly identity: Identity;
  readonly maxConnections: number;
  readonly handshakeWithinMs: number;
  readonly clock: Clock;
  readonly log: Log;
  readonly onSocket: (socket: TLSSocket) => void;
  readonly onHandshakeFailed: (error: Error) => void;
  readonly onIdentity: (identity: LoadedIdentity) => void;
};

const RELOAD_MS = 60_000;

/** Listens for TLS clients that hold a certificate of our authority; new certificate files of its own are used without a restart. */
export class TlsListener {
  readonly #options: TlsListenerOptions;
  #server: Server | null = null;
  #pem = '';
  #reload: { cancel(): void } | null = null;

  constructor(options: TlsListenerOptions) {
    this.#options = options;
  }

  /** The port in use; 0 while closed. */
  get port(): number {
    const address = this.#server?.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  async open(): Promise<void> {
    const { host, port, handshakeWithinMs, maxConnections, onHandshakeFailed, onSocket } = this.#options;
    const server = createServer({ ...(await this.#load()), handshakeTimeout: handshakeWithinMs });
    server.maxConnections = maxConnections;
    server.on('secureConnection', onSocket);
    server.on('tlsClientError', onHandshakeFailed);
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause) => reject(cannotListen(host, port, cause)));
      server.listen(port, host, resolve);
    });
    server.on('error', (error) => this.#options.log.error({ err: error }, 'the listener of the front door failed'));
    this.#server = server;
    this.#reloadLater();
  }

  /** Takes no new connections; resolves when the last open one has ended. */
  async close(): Promise<void> {
    this.#reload?.cancel();
    const server = this.#server;
    this.#server = null;
    if (server !== null) await new Promise<void>((resolve) => server.close(() => resolve()));
  }

  /** Uses the files as they are now for new connections. When they cannot be used, the last good pair stays, and this rejects. */
  async reload(): Promise<void> {
    const before = this.#pem;
    const secure = await this.#load();
    if (this.#pem === before) return;
    this.#server?.setSecureContext(secure);
    this.#options.log.info('the certificate of the front door was replaced');
  }

  #reloadLater(): void {
    this.#reload = this.#options.clock.setTimer(RELOAD_MS, () => {
      this.reload()
        .catch((error: unknown) => this.#options.log.error({ err: error }, 'the new certificate cannot be used, the last good one stays'))
        .finally(() => {
          if (this.#server !== null) this.#reloadLater();
        });
    });
  }

  async #load(): Promise<TlsOptions> {
    const identity = await readIdentity(this.#options.identity);
    this.#pem = identity.cert + identity.key + identity.ca;
    this.#options.onIdentity(identity);
    const problem = expiryProblem(this.#options.identity, identity, this.#options.clock.nowMs());
    if (problem !== null) this.#options.log.error(problem);
    return {
      cert: identity.cert,
      key: identity.key,
      ca: identity.ca,
      requestCert: true,
      rejectUnauthorized: true,
      minVersion: 'TLSv1.2',
      secureOptions: constants.SSL_OP_NO_TICKET, // a resumed session would skip the check of the certificate
    };
  }
}
