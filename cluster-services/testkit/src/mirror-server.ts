import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';

/** How the server treats one request for a path; after the last of them it serves as it should. */
export type MirrorFault =
  /** Sends so many bytes, and breaks the connection once `when` is true: when what was sent has arrived. */
  | { readonly kind: 'cut'; readonly afterBytes: number; readonly when: () => boolean }
  | { readonly kind: 'status'; readonly status: number; readonly headers?: Readonly<Record<string, string>> }
  | { readonly kind: 'ignore-range' }
  | { readonly kind: 'no-length' }
  | { readonly kind: 'wrong-byte' }
  | { readonly kind: 'silent' }
  | { readonly kind: 'drip'; readonly pieceBytes: number; readonly everyMs: number };

export type MirrorRequest = {
  readonly path: string;
  readonly range: string | undefined;
  readonly ifRange: string | undefined;
  readonly authorization: string | undefined;
};

/** A real HTTP server with files in memory, ranges, entity tags, and whatever goes wrong with downloads. */
export class MirrorServer {
  readonly files = new Map<string, Buffer>();
  readonly requests: MirrorRequest[] = [];
  readonly #faults = new Map<string, MirrorFault[]>();
  readonly #server: Server;
  readonly #scheme: 'http' | 'https';

  private constructor(tls: { key: string; cert: string } | undefined) {
    const handler = (request: IncomingMessage, response: ServerResponse) => this.#answer(request, response);
    this.#scheme = tls === undefined ? 'http' : 'https';
    this.#server = tls === undefined ? createServer(handler) : createSecureServer(tls, handler);
  }

  static async start(tls?: { key: string; cert: string }): Promise<MirrorServer> {
    const mirror = new MirrorServer(tls);
    await new Promise<void>((resolve) => mirror.#server.listen(0, '127.0.0.1', resolve));
    return mirror;
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  get url(): string {
    return `${this.#scheme}://127.0.0.1:${this.port}/`;
  }

  /** The next requests for a path meet these, one each. */
  fault(path: string, ...faults: readonly MirrorFault[]): void {
    this.#faults.set(path, [...(this.#faults.get(path) ?? []), ...faults]);
  }

  /** Requests for one path, in order. */
  asked(path: string): MirrorRequest[] {
    return this.requests.filter((request) => request.path === path);
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const path = decodeURIComponent(new URL(request.url ?? '/', 'http://mirror').pathname.slice(1));
    const { range, 'if-range': ifRange, authorization } = request.headers;
    this.requests.push({ path, range, ifRange: typeof ifRange === 'string' ? ifRange : undefined, authorization });
    const fault = this.#faults.get(path)?.shift();
    if (fault?.kind === 'silent') return;
    if (fault?.kind === 'status') {
      response.writeHead(fault.status, fault.headers).end('no');
      return;
    }
    const whole = this.files.get(path);
    if (whole === undefined) {
      response.writeHead(404).end('not found');
      return;
    }
    const tag = `"${createHash('sha256').update(whole).digest('hex').slice(0, 16)}"`;
    const from = /^bytes=(\d+)-$/.exec(range ?? '')?.[1];
    const ranged = from !== undefined && fault?.kind !== 'ignore-range' && (ifRange === undefined || ifRange === tag);
    const start = ranged ? Number(from) : 0;
    if (ranged && start >= whole.length) {
      response.writeHead(416, { 'content-range': `bytes */${whole.length}` }).end();
      return;
    }
    const body = Buffer.from(whole.subarray(start));
    if (fault?.kind === 'wrong-byte') body[body.length - 1] = (body.at(-1) ?? 0) ^ 1;
    response.writeHead(ranged ? 206 : 200, {
      etag: tag,
      ...(fault?.kind === 'no-length' ? {} : { 'content-length': body.length }),
      ...(ranged ? { 'content-range': `bytes ${start}-${whole.length - 1}/${whole.length}` } : {}),
    });
    if (fault?.kind === 'cut') {
      response.write(body.subarray(0, fault.afterBytes));
      const timer = setInterval(() => fault.when() && request.socket.destroy(), 5);
      response.on('close', () => clearInterval(timer));
    } else if (fault?.kind === 'drip') drip(response, body, fault.pieceBytes, fault.everyMs);
    else response.end(body);
  }
}

function drip(response: ServerResponse, body: Buffer, pieceBytes: number, everyMs: number): void {
  let sent = 0;
  const timer = setInterval(() => {
    response.write(body.subarray(sent, sent + pieceBytes));
    sent += pieceBytes;
    if (sent >= body.length) {
      clearInterval(timer);
      response.end();
    }
  }, everyMs);
  response.on('close', () => clearInterval(timer));
}
