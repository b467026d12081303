import { connect, createServer, type Server, type Socket } from 'node:net';

type Pair = { near: Socket; far: Socket };

/** A TCP proxy that can cut, stall or refuse: the bad network between two real programs. */
export class FaultProxy {
  readonly #targetPort: () => number;
  readonly #pairs = new Set<Pair>();
  #server: Server | null = null;
  #stalled = false;
  #refusing = false;
  #accepted = 0;

  constructor(targetPort: number | (() => number)) {
    this.#targetPort = typeof targetPort === 'number' ? () => targetPort : targetPort;
  }

  /** The target may be told later, by a function that is asked at every connection: its program may not have a port yet. */
  static async start(targetPort: number | (() => number)): Promise<FaultProxy> {
    const proxy = new FaultProxy(targetPort);
    await proxy.#listen();
    return proxy;
  }

  get port(): number {
    const address = this.#server?.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  /** Connections accepted since the start, refused ones included. */
  get accepted(): number {
    return this.#accepted;
  }

  /** Breaks every connection with a reset. */
  cut(): void {
    for (const { near, far } of this.#pairs) {
      near.resetAndDestroy();
      far.resetAndDestroy();
    }
    this.#pairs.clear();
  }

  /** Lets nothing through in either direction, and keeps the connections open. */
  stall(): void {
    this.#stalled = true;
    for (const { near, far } of this.#pairs) for (const socket of [near, far]) socket.pause();
  }

  resume(): void {
    this.#stalled = false;
    for (const { near, far } of this.#pairs) for (const socket of [near, far]) socket.resume();
  }

  /** While true, new connections are reset at once. */
  refuse(on: boolean): void {
    this.#refusing = on;
  }

  async close(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    this.cut();
    if (server !== null) await new Promise<void>((resolve) => server.close(() => resolve()));
  }

  async #listen(): Promise<void> {
    const server = createServer((near) => this.#accept(near));
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, '127.0.0.1', resolve);
    });
  }

  #accept(near: Socket): void {
    this.#accepted += 1;
    if (this.#refusing) {
      near.on('error', () => {});
      near.resetAndDestroy();
      return;
    }
    const far = connect(this.#targetPort(), '127.0.0.1');
    const pair: Pair = { near, far };
    this.#pairs.add(pair);
    this.#join(pair, near, far);
    this.#join(pair, far, near);
    if (this.#stalled) for (const socket of [near, far]) socket.pause();
  }

  #join(pair: Pair, from: Socket, to: Socket): void {
    from.setNoDelay(true);
    from.on('data', (bytes) => {
      if (!to.write(bytes)) {
        from.pause();
        to.once('drain', () => {
          if (!this.#stalled) from.resume();
        });
      }
    });
    from.on('end', () => to.end());
    from.on('error', () => to.destroy());
    from.on('close', () => {
      to.destroy();
      this.#pairs.delete(pair);
    });
  }
}
