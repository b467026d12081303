import {
  decodeLiveFrame,
  decodeMessage,
  type EegChunk,
  LIVE_PROTOCOL,
  Montage,
  type PatientState,
  parseLiveNotice,
  parseTopic,
  TimeAnswer,
  type WallState,
} from '@vitalwire/contract';
import { z } from 'zod';

/** refused: the server is there and does not take the token. */
export type LinkCondition = 'connecting' | 'live' | 'lost' | 'refused';

export type LiveEvents = {
  onState(change: { whole: boolean; links: WallState['links']; systemAlarms: WallState['systemAlarms']; patients: PatientState[] }): void;
  onChunk(chunk: EegChunk, device: string): void;
  onLink(link: LinkCondition): void;
  onBehind(dropped: number): void;
};

const Refusal = z.object({ error: z.object({ message: z.string() }) });
const CREDIT = 256;
/** The server says something at least every 2 s; silence this long means the connection is dead. */
const SILENT_MS = 8_000;
const RETRY_MAX_MS = 5_000;

/** The page's connection: comes back by itself, with a random delay so that a ward of screens does not return in step. */
export class PageLink {
  readonly #token: string;
  readonly #events: LiveEvents;
  #socket: WebSocket | null = null;
  #device: string | null = null;
  #handled = 0;
  #failures = 0;
  #isRefused = false;
  #timer = 0;
  #aheadUs = 0; // the server's clock minus the browser's

  constructor(token: string, events: LiveEvents) {
    this.#token = token;
    this.#events = events;
  }

  open(): void {
    void this.#askTime();
    this.#connect();
  }

  /** The server's time as well as it is known here: ages are counted on it, whatever the browser's clock says. */
  nowUs(): number {
    return Date.now() * 1000 + this.#aheadUs;
  }

  /** Whose EEG is drawn. */
  follow(device: string | null): void {
    if (device === this.#device) return;
    this.#device = device;
    this.#subscribe();
  }

  async montage(hash: string): Promise<Montage | null> {
    return this.#get(`/v1/montages/${hash}`, (body) => Montage.safeParse(body).data ?? null);
  }

  /** Asks for something to be done; null when it was, else why not. */
  async post(path: string, body: unknown): Promise<string | null> {
    try {
      const answer = await fetch(path, {
        method: 'POST',
        headers: { authorization: `Bearer ${this.#token}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(8_000),
      });
      if (answer.ok) return null;
      return Refusal.safeParse(await answer.json().catch(() => null)).data?.error.message ?? `the server answered ${answer.status}`;
    } catch {
      return 'the server does not answer';
    }
  }

  async #askTime(): Promise<void> {
    const beforeMs = Date.now();
    const nowUs = await this.#get('/v1/time', (body) => TimeAnswer.safeParse(body).data?.nowUs ?? null);
    if (nowUs !== null) this.#aheadUs = nowUs - ((beforeMs + Date.now()) / 2) * 1000;
    setTimeout(() => void this.#askTime(), 60_000);
  }

  async #get<T>(path: string, read: (body: unknown) => T | null): Promise<T | null> {
    try {
      const answer = await fetch(path, { headers: { authorization: `Bearer ${this.#token}` }, signal: AbortSignal.timeout(5_000) });
      return answer.ok ? read(await answer.json()) : null;
    } catch {
      return null;
    }
  }

  // A browser does not tell why a socket was not opened; an ordinary question does.
  async #askWhetherRefused(): Promise<void> {
    try {
      const answer = await fetch('/v1/time', {
        headers: { authorization: `Bearer ${this.#token}` },
        signal: AbortSignal.timeout(5_000),
      });
      this.#isRefused = answer.status === 401 || answer.status === 403;
    } catch {
      this.#isRefused = false; // nobody answers: that says nothing about the token
    }
    if (this.#isRefused && this.#socket?.readyState !== WebSocket.OPEN) this.#events.onLink('refused');
  }

  #connect(): void {
    const socket = new WebSocket(`wss://${location.host}/v1/live`, [LIVE_PROTOCOL, `bearer.${this.#token}`]);
    socket.binaryType = 'arraybuffer';
    this.#socket = socket;
    socket.onopen = () => {
      this.#failures = 0;
      this.#isRefused = false;
      this.#events.onLink('live');
      this.#subscribe();
    };
    socket.onmessage = ({ data }: MessageEvent<string | ArrayBuffer>) => {
      this.#watch(socket);
      if (typeof data === 'string') this.#takeNotice(data);
      else this.#takeFrame(new Uint8Array(data));
    };
    socket.onclose = () => this.#gone(socket);
    this.#watch(socket);
  }

  #takeNotice(text: string): void {
    const notice = parseLiveNotice(text);
    if (notice?.type === 'state') this.#events.onState(notice);
    else if (notice?.type === 'behind') this.#events.onBehind(notice.dropped);
  }

  #takeFrame(bytes: Uint8Array): void {
    this.#handled += 1;
    if (this.#handled >= CREDIT / 4) {
      this.#socket?.send(JSON.stringify({ type: 'credit', frames: this.#handled }));
      this.#handled = 0;
    }
    const frame = decodeLiveFrame(bytes);
    if (!frame.ok) return;
    const topic = parseTopic(frame.value.topic);
    const message = decodeMessage(frame.value.message);
    if (topic.ok && message.ok && message.value.stream === 'eeg') this.#events.onChunk(message.value, topic.value.device);
  }

  #subscribe(): void {
    if (this.#socket?.readyState !== WebSocket.OPEN) return;
    const wish = this.#device === null ? { streams: [] } : { streams: ['eeg'], devices: [this.#device] };
    this.#socket.send(JSON.stringify({ type: 'subscribe', ...wish, credit: CREDIT }));
  }

  #watch(socket: WebSocket): void {
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => {
      socket.close();
      this.#gone(socket);
    }, SILENT_MS);
  }

  #gone(socket: WebSocket): void {
    if (socket !== this.#socket) return;
    this.#socket = null;
    this.#events.onLink(this.#isRefused ? 'refused' : 'lost');
    void this.#askWhetherRefused();
    clearTimeout(this.#timer);
    this.#failures += 1;
    this.#timer = window.setTimeout(() => this.#connect(), Math.random() * Math.min(RETRY_MAX_MS, 250 * 2 ** this.#failures));
  }
}
