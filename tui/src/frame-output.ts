import { EventEmitter } from 'node:events';
import type { WriteStream } from 'node:tty';

const BEGIN = '\u001b[?2026h'; // synchronised update: the terminal shows a frame as a whole; one that does not know it ignores it
const END = '\u001b[?2026l';

/**
 * The terminal as blessed sees it. What is written while a frame is drawn goes out in one piece, and a terminal that does not take
 * it as fast as it comes (a slow SSH line) gets fewer frames instead of a queue of old ones.
 */
export class FrameOutput extends EventEmitter {
  readonly writable = true;
  readonly isTTY = true;
  readonly #terminal: WriteStream;
  #frame: string[] | null = null;
  #isBlocked = false;
  #bytes = 0;
  readonly #onResize = (): void => void this.emit('resize');
  readonly #onDrain = (): void => {
    this.#isBlocked = false;
    this.emit('drain');
  };

  constructor(terminal: WriteStream) {
    super();
    this.#terminal = terminal;
    terminal.on('resize', this.#onResize);
    terminal.on('drain', this.#onDrain);
  }

  get columns(): number {
    return this.#terminal.columns;
  }

  get rows(): number {
    return this.#terminal.rows;
  }

  /** Bytes sent so far. */
  get bytes(): number {
    return this.#bytes;
  }

  get isReady(): boolean {
    return !this.#isBlocked;
  }

  write(text: string): boolean {
    if (this.#frame !== null) {
      this.#frame.push(text);
      return true;
    }
    return this.#send(text);
  }

  /** Draws one frame: everything `draw` writes leaves in one write. */
  frame(draw: () => void): void {
    this.#frame = [];
    try {
      draw();
    } finally {
      const text = this.#frame.join('');
      this.#frame = null;
      if (text !== '') this.#isBlocked = !this.#send(BEGIN + text + END);
    }
  }

  release(): void {
    this.#terminal.removeListener('resize', this.#onResize);
    this.#terminal.removeListener('drain', this.#onDrain);
  }

  #send(text: string): boolean {
    this.#bytes += text.length;
    return this.#terminal.write(text);
  }
}
