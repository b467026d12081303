import {
  decodeLiveFrame,
  decodeMessage,
  type GatewayState,
  LIVE_PROTOCOL,
  type Message,
  type PatientState,
  parseLiveNotice,
  parseTopic,
  type Stream,
  type Topic,
  type WallState,
} from '@vitalwire/contract';
import { type Backoff, type Clock, fullJitter, type Timer } from '@vitalwire/runtime';
import { type Agent, WebSocket } from 'undici';

/** connecting → live ⇄ lost; refused = the token is wrong or the server is full, tried again slowly. */
export type LinkCondition = 'connecting' | 'live' | 'lost' | 'refused' | 'closed';

export type LiveWish = { readonly streams: readonly Stream[]; readonly devices?: readonly string[]; readonly patients?: readonly string[] };

/** What changed for screens; `systemAlarms` are always all of them. */
export type StateChange = {
  readonly whole: boolean;
  readonly nowUs: number;
  readonly links: WallState['links'];
  readonly systemAlarms: WallState['systemAlarms'];
  readonly patients: readonly PatientState[];
};

export type LiveHandlers = {
  /** One chunk or record, decoded; `receivedAtUs` is when the server got it. */
  onMessage?: (message: Message, about: { topic: Topic; receivedAtUs: number; bytes: number }) => void;
  onState?: (change: StateChange) => void;
  onGateway?: (status: GatewayState) => void;
  onRegistry?: (revision: string | number) => void;
  /** The server dropped frames because this client was behind. */
  onBehind?: (dropped: number) => void;
  onLink?: (condition: LinkCondition) => void;
};

export type LiveStreamOptions = {
  url: string; // https:// of the server
  token: string;
  agent: Agent;
  clock: Clock;
  handlers: LiveHandlers;
  wish: LiveWish;
  onClosed?: () => void;
  credit?: number;
  random?: () => number;
};

const DEFAULT_CREDIT = 512;
/** The server sends at least a small state every 2 s; silence this long means the connection is dead. */
const SILENT_MS = 8_000;

/** A live connection that comes back by itself. Credit is given back as frames are handled, so a slow reader is never flooded. */
export class LiveStream {
  readonly #options: LiveStreamOptions;
  readonly #credit: number;
  readonly #backoff: Backoff;
  #wish: LiveWish;
  #socket: WebSocket | null = null;
  #condition: LinkCondition = 'connecting';
  #timer: Timer | null = null; // the next attempt, or the watch for silence
  #handled = 0;
  #undecodable = 0;

  constructor(options: LiveStreamOptions) {
    this.#options = options;
    this.#wish = options.wish;
    this.#credit = options.credit ?? DEFAULT_CREDIT;
    this.#backoff = fullJitter({
      baseMs: 250,
      maxMs: 5_000,
      resetAfterMs: 5_000,
      clock: options.clock,
      ...(options.random === undefined ? {} : { random: options.random }),
    });
    this.#open();
  }

  get condition(): LinkCondition {
    return this.#condition;
  }

  /** Frames that were not understood since the start. */
  get undecodable(): number {
    return this.#undecodable;
  }

  /** Replaces what is wanted; takes effect at once, and again after each reconnect. */
  subscribe(wish: LiveWish): void {
    this.#wish = wish;
    if (this.#condition === 'live') this.#sendWish();
  }

  close(): void {
    this.#timer?.cancel();
    this.#say('closed');
    this.#socket?.close();
    this.#socket = null;
    this.#options.onClosed?.();
  }

  #open(): void {
    const { url, token, agent } = this.#options;
    const target = `${url.replace(/^http/, 'ws').replace(/\/+$/, '')}/v1/live`;
    const socket = new WebSocket(target, { protocols: [LIVE_PROTOCOL, `bearer.${token}`], dispatcher: agent });
    socket.binaryType = 'arraybuffer';
    this.#socket = socket;
    let refusal: LinkCondition = 'lost';
    socket.addEventListener('open', () => this.#onOpen(socket));
    socket.addEventListener('message', (event) => this.#onFrame(socket, event.data));
    socket.addEventListener('error', () => {}); // 'close' follows
    socket.addEventListener('close', (event) => {
      if (event.code === 4429) refusal = 'refused';
      this.#onGone(socket, refusal);
    });
    this.#watchSilence(socket);
  }

  #onOpen(socket: WebSocket): void {
    if (socket !== this.#socket) return;
    this.#handled = 0;
    this.#backoff.healthy();
    this.#say('live');
    this.#sendWish();
  }

  #onFrame(socket: WebSocket, data: unknown): void {
    if (socket !== this.#socket) return;
    this.#watchSilence(socket);
    if (typeof data === 'string') this.#onText(data);
    else if (data instanceof ArrayBuffer) this.#onBinary(new Uint8Array(data));
  }

  #onBinary(bytes: Uint8Array): void {
    // Given back in portions: a quarter of the window at a time.
    this.#handled += 1;
    if (this.#handled >= this.#credit / 4) {
      this.#socket?.send(JSON.stringify({ type: 'credit', frames: this.#handled }));
      this.#handled = 0;
    }
    const frame = decodeLiveFrame(bytes);
    const topic = frame.ok ? parseTopic(frame.value.topic) : frame;
    const message = frame.ok ? decodeMessage(frame.value.message) : frame;
    if (!frame.ok || !topic.ok || !message.ok) {
      this.#undecodable += 1;
      return;
    }
    this.#options.handlers.onMessage?.(message.value, {
      topic: topic.value,
      receivedAtUs: frame.value.receivedAtUs,
      bytes: bytes.byteLength,
    });
  }

  #onText(text: string): void {
    const { handlers } = this.#options;
    const message = parseLiveNotice(text);
    if (message === null) this.#undecodable += 1;
    else if (message.type === 'state') handlers.onState?.(message);
    else if (message.type === 'behind') handlers.onBehind?.(message.dropped);
    else if (message.type === 'gateway') handlers.onGateway?.(message.status);
    else if (message.type === 'registry') handlers.onRegistry?.(message.revision);
  }

  #onGone(socket: WebSocket, condition: LinkCondition): void {
    if (socket !== this.#socket) return;
    this.#socket = null;
    this.#say(condition);
    this.#timer?.cancel();
    this.#timer = this.#options.clock.setTimer(this.#backoff.nextMs(), () => this.#open());
  }

  #watchSilence(socket: WebSocket): void {
    this.#timer?.cancel();
    this.#timer = this.#options.clock.setTimer(SILENT_MS, () => {
      socket.close();
      this.#onGone(socket, 'lost');
    });
  }

  #sendWish(): void {
    this.#socket?.send(JSON.stringify({ type: 'subscribe', ...this.#wish, credit: this.#credit }));
  }

  #say(condition: LinkCondition): void {
    if (this.#condition === 'closed' || this.#condition === condition) return;
    this.#condition = condition;
    this.#options.handlers.onLink?.(condition);
  }
}
