import type { ReadStream, WriteStream } from 'node:tty';
import { type Client, HttpError } from '@vitalwire/client';
import { maxPauseSeconds } from '@vitalwire/contract';
import { alarmWord, Bell } from '@vitalwire/vitals';
import { viewOf } from './compose.ts';
import { WallFeed } from './feed.ts';
import { JobControl } from './job-control.ts';
import { layOut } from './layout.ts';
import { type Look, lookOf } from './look.ts';
import { nameOf } from './patient-words.ts';
import { WallScreen } from './screen.ts';
import type { Tone } from './spans.ts';
import { traceColumns } from './trace.ts';
import { WallModel } from './wall-model.ts';

export type Env = Readonly<Record<string, string | undefined>>;
/** The two ends of a terminal. */
export type Terminal = { readonly input: ReadStream; readonly output: WriteStream };

export type WallOptions = {
  readonly client: Client;
  readonly env: Env;
  readonly signal: AbortSignal;
  /** The process's own terminal unless given. */
  readonly terminal?: Terminal;
  /** Braille and symbols; by default what the locale says. */
  readonly unicode?: boolean;
  /** Who acknowledges and pauses here: asked for, because a wall that nobody can answer at looks like one that works. */
  readonly by: string;
  /** Whether the terminal's bell sounds for alarms; default true. */
  readonly bell?: boolean;
  /** Nothing flashes. */
  readonly steady?: boolean;
  /** Where the page is, with whatever opens it. */
  readonly pageUrl?: string;
};

const MAX_FPS = 12;
const FRAME_MS = 1_000 / MAX_FPS;
const TRACE_TICK_MS = 250;
const TIME_SYNC_MS = 60_000;
const FLASH_MS = 250; // half of the shortest period: 2 Hz

/** Shows the wall until `q`, Ctrl-C or the signal; the terminal is left as it was, whatever happens. */
export async function runWall(options: WallOptions): Promise<void> {
  const { signal } = options;
  if (signal.aborted) return;
  const wall = new Wall(options);
  signal.addEventListener('abort', wall.finish, { once: true });
  try {
    await wall.finished;
  } finally {
    signal.removeEventListener('abort', wall.finish);
    wall.close();
  }
}

/** Model, feed and screen of one wall. It draws only when something changed, and never more often than the terminal takes. */
class Wall {
  readonly finished: Promise<void>;
  finish: () => void = () => {};
  readonly #client: Client;
  readonly #look: Look;
  readonly #model = new WallModel(2);
  readonly #job: JobControl | null;
  #feed: WallFeed;
  readonly #screen: WallScreen;
  readonly #bell = new Bell();
  readonly #by: string;
  readonly #intervals: NodeJS.Timeout[] = [];
  #frameTimer: NodeJS.Timeout | null = null;
  #clockTimer: NodeJS.Timeout | null = null;
  #flashTimer: NodeJS.Timeout | null = null;
  #lastFrameMs = Number.NEGATIVE_INFINITY;
  #isClosed = false;
  #isAway = false; // stopped, and the terminal is somebody else's

  constructor({ client, env, terminal, unicode, by, bell, steady, pageUrl }: WallOptions) {
    this.finished = new Promise((resolve) => {
      this.finish = resolve;
    });
    this.#client = client;
    this.#look = lookOf(env, unicode);
    this.#by = by;
    this.#model.bell = bell ?? true;
    this.#model.isSteady = steady ?? false;
    this.#model.pageUrl = pageUrl ?? client.url;
    const changed = (): void => this.#changed();
    this.#screen = new WallScreen({
      input: terminal?.input ?? process.stdin,
      output: terminal?.output ?? process.stdout,
      look: this.#look,
      term: env['TERM'] ?? '',
      onKey: (key) => this.#onKey(key),
      onResize: changed,
    });
    this.#feed = new WallFeed(client, this.#model, changed);
    // Another terminal than the process's own is not stopped with the process.
    const hasJobs = terminal === undefined && process.platform !== 'win32';
    this.#job = hasJobs ? new JobControl({ onStop: () => this.#leave(), onContinue: () => this.#comeBack() }) : null;
    this.#intervals.push(
      setInterval(() => this.#model.trace.tick(performance.now()) && changed(), TRACE_TICK_MS), // the erase bar moves on without data
      setInterval(() => void client.time().catch(() => {}), TIME_SYNC_MS), // a lost connection is told by the live stream
    );
    this.#onSecond();
    this.#onFlash();
  }

  close(): void {
    this.#isClosed = true;
    for (const interval of this.#intervals) clearInterval(interval);
    if (this.#clockTimer !== null) clearTimeout(this.#clockTimer);
    if (this.#flashTimer !== null) clearTimeout(this.#flashTimer);
    if (this.#frameTimer !== null) clearTimeout(this.#frameTimer);
    this.#job?.close();
    this.#feed.close();
    this.#screen.close();
  }

  // The connection goes with the screen: what came while we stood still would be old, and shown in one rush.
  #leave(): void {
    this.#isAway = true;
    this.#feed.close();
    this.#model.takeLink('connecting', this.#client.nowUs());
    this.#screen.leave();
  }

  #comeBack(): void {
    if (this.#isClosed) return;
    this.#isAway = false;
    this.#model.trace.clear();
    this.#feed = new WallFeed(this.#client, this.#model, () => this.#changed());
    this.#screen.comeBack();
    void this.#client.time().catch(() => {}); // asked again soon; a lost connection is told by the live stream
  }

  // Ages and the clock tick without any news, on the full second.
  #onSecond(): void {
    this.#changed();
    this.#clockTimer = setTimeout(() => this.#onSecond(), 1_005 - ((this.#client.nowUs() / 1_000) % 1_000));
  }

  // A badge changes at the quarters of a second, so that every badge on the wall flashes together and never faster than 2 Hz.
  #onFlash(): void {
    const nowUs = this.#client.nowUs();
    if (this.#model.isFlashing(nowUs)) this.#changed();
    this.#flashTimer = setTimeout(() => this.#onFlash(), FLASH_MS + 2 - ((nowUs / 1_000) % FLASH_MS));
  }

  #changed(): void {
    if (this.#isClosed || this.#isAway) return;
    this.#frameTimer ??= setTimeout(() => this.#draw(), Math.max(0, this.#lastFrameMs + FRAME_MS - performance.now()));
  }

  #draw(): void {
    this.#frameTimer = null;
    if (this.#isAway) return;
    if (!this.#screen.isReady) {
      this.#frameTimer = setTimeout(() => this.#draw(), FRAME_MS);
      return;
    }
    this.#lastFrameMs = performance.now();
    const nowUs = this.#client.nowUs();
    const { width, height } = this.#screen;
    const layout = layOut(viewOf(this.#model, width, height, nowUs));
    this.#model.trace.resize(traceColumns(layout.strip.width, this.#look.unicode ? 'braille' : 'ascii'));
    this.#screen.draw(this.#model, layout, nowUs);
    // Asked also while the bell is off, so that switching it on rings for what goes on, and not for what is over.
    const pattern = this.#bell.ring(this.#model.bell ? this.#model.sounding(nowUs) : [], performance.now());
    if (pattern !== null) this.#screen.ring(pattern);
  }

  #acknowledge(): void {
    const alarm = this.#model.toAcknowledge();
    const { word } = alarm === null ? { word: '' } : alarmWord(alarm);
    if (alarm === null) this.#say('Nothing to acknowledge here: no alarm of this patient asks for attention', 'soft');
    else this.#ask(`${word} of ${alarm.device} acknowledged by ${this.#by}`, () => this.#client.acknowledgeAlarm(alarm.alarmId, this.#by));
  }

  #acknowledgeAll(): void {
    const alarms = this.#model.allToAcknowledge();
    const patient = this.#model.selected();
    if (patient === null || alarms.length === 0) {
      this.#say('Nothing to acknowledge here: no alarm of this patient asks for attention', 'soft');
      return;
    }
    const count = alarms.length === 1 ? '1 alarm' : `${alarms.length} alarms`;
    this.#ask(`${count} of ${nameOf(patient)} acknowledged by ${this.#by}`, async () => {
      for (const { alarmId } of alarms) await this.#client.acknowledgeAlarm(alarmId, this.#by);
    });
  }

  #pause(seconds: number): void {
    const patient = this.#model.selected();
    if (patient === null || patient.devices.length === 0) {
      this.#say('Nobody is selected whose alarms could be paused', 'soft');
      return;
    }
    const name = nameOf(patient);
    const done =
      seconds === 0
        ? `Sound of ${name} is on again, by ${this.#by}`
        : `Sound of ${name} off for ${seconds} s by ${this.#by}; a higher priority still sounds`;
    this.#ask(done, async () => {
      for (const device of patient.devices) await this.#client.pauseAlarms(device, seconds, this.#by);
    });
  }

  // What was done shows when the alarms service says so; here only that it was asked, or why it could not be.
  #ask(done: string, ask: () => Promise<void>): void {
    ask().then(
      () => this.#say(done, 'good'),
      (error: unknown) => {
        const told = error instanceof HttpError ? (error.remoteMessage ?? error.message) : String(error);
        this.#say(`NOT DONE: ${told}`, 'bad');
      },
    );
  }

  #say(text: string, tone: Tone): void {
    this.#model.say(text, tone, this.#client.nowUs() / 1_000);
    this.#changed();
  }

  #onKey(key: string): void {
    const model = this.#model;
    const nowUs = this.#client.nowUs();
    if (key === 'q' || key === 'C-c') this.finish();
    else if (key === 'C-z') this.#job?.stop();
    else if (model.help) model.help = false;
    else if (key === '?') model.help = true;
    else if (key === 'up' || key === 'k') model.move(-1, nowUs);
    else if (key === 'down' || key === 'j') model.move(1, nowUs);
    else if (key === 'g' || key === 'home') model.move(Number.NEGATIVE_INFINITY, nowUs);
    else if (key === 'S-g' || key === 'end') model.move(Number.POSITIVE_INFINITY, nowUs);
    else if (key === 'left' || key === 'h') model.moveChannel(-1);
    else if (key === 'right' || key === 'l') model.moveChannel(1);
    else if (key === 'a') this.#acknowledge();
    else if (key === 'S-a') this.#acknowledgeAll();
    else if (key === 'p') this.#pause(maxPauseSeconds);
    else if (key === 'S-p') this.#pause(0);
    else if (key === 'm') model.bell = !model.bell;
    else if (key === 'enter') model.detail = !model.detail;
    else if (key === 'escape') model.detail = false;
    this.#feed.follow();
    this.#changed();
  }
}
