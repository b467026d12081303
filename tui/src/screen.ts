import type { ReadStream, WriteStream } from 'node:tty';
import type { SoundPattern } from '@vitalwire/vitals';
import blessed, { type Widgets } from 'blessed';
import contribLcd from 'blessed-contrib/lib/widget/lcd.js';
import { composeHelp, composeTexts, heartDigits } from './compose.ts';
import { drawStrip, drawTrend } from './frame.ts';
import { FrameOutput } from './frame-output.ts';
import type { Layout, Rect } from './layout.ts';
import type { Look } from './look.ts';
import type { Line, Tone } from './spans.ts';
import type { WallModel } from './wall-model.ts';

export type ScreenOptions = {
  readonly input: ReadStream;
  readonly output: WriteStream;
  readonly look: Look;
  /** The terminal's name, TERM. */
  readonly term: string;
  readonly onKey: (key: string) => void;
  readonly onResize: () => void;
};

// By number of the palette of 256: blessed takes a neighbour of its own for a hexadecimal one.
const colourTags: Readonly<Record<Tone, string>> = {
  plain: '',
  strong: '{bold}',
  pointer: '{bold}{79-fg}',
  soft: '{109-fg}',
  stale: '{245-fg}',
  seizure: '{bold}{white-fg}{red-bg}',
  focal: '{bold}{black-fg}{yellow-bg}',
  quiet: '{green-fg}',
  unsure: '{yellow-fg}',
  'not-scorable': '{81-fg}',
  calibrating: '{147-fg}',
  'no-data': '{109-fg}',
  'not-judged': '{yellow-fg}',
  replay: '{bold}{215-fg}',
  good: '{green-fg}',
  warning: '{yellow-fg}',
  bad: '{bold}{203-fg}',
  'alarm-high': '{bold}{white-fg}{red-bg}',
  'alarm-high-text': '{bold}{light-red-fg}',
  'alarm-medium': '{black-fg}{yellow-bg}',
  'alarm-medium-text': '{bold}{yellow-fg}',
  'alarm-low': '{black-fg}{cyan-bg}',
  'alarm-low-text': '{cyan-fg}',
  'alarm-technical': '{black-fg}{117-bg}', // #87d7ff
  'alarm-technical-text': '{117-fg}',
};

// In 16 or 8 colours there is no grey that every palette can be read in: what is soft or old has the colour of all text, and old values
// have their brackets. Bright ones are for alarms alone, and 8 colours have only a dark blue, which needs white on it.
const tagsOf16: Partial<Record<Tone, string>> = {
  pointer: '{bold}{green-fg}',
  soft: '',
  stale: '',
  'not-scorable': '{cyan-fg}',
  calibrating: '{cyan-fg}',
  'no-data': '',
  replay: '{bold}{yellow-fg}',
  bad: '{bold}{red-fg}',
  'alarm-technical': '{black-fg}{light-blue-bg}',
  'alarm-technical-text': '{light-blue-fg}',
};
const tagsOf8: Partial<Record<Tone, string>> = {
  ...tagsOf16,
  'alarm-high-text': '{bold}{red-fg}',
  'alarm-technical': '{bold}{white-fg}{blue-bg}',
  'alarm-technical-text': '{bold}{cyan-fg}',
};

// Without colours the words and symbols carry everything; what must be seen first is inverse.
const plainTags: Partial<Record<Tone, string>> = {
  strong: '{bold}',
  pointer: '{bold}',
  seizure: '{inverse}{bold}',
  focal: '{inverse}',
  bad: '{inverse}',
  warning: '{bold}',
  replay: '{bold}',
  'alarm-high': '{inverse}{bold}',
  'alarm-high-text': '{bold}',
  'alarm-medium': '{inverse}',
  'alarm-medium-text': '{bold}',
  'alarm-technical': '{inverse}',
};

const RESIZE_MS = 50;
const BELL_APART_MS = 300;
const bellsOf: Readonly<Record<SoundPattern, number>> = { high: 3, medium: 2, technical: 1 };

type Digits = { readonly rect: Rect; readonly box: ReturnType<typeof contribLcd>; readonly text: string };

/** The wall on a terminal: blessed keeps a buffer of cells and sends only those that changed. */
export class WallScreen {
  readonly #options: ScreenOptions;
  readonly #output: FrameOutput;
  readonly #screen: Widgets.Screen;
  readonly #header: Widgets.BoxElement;
  readonly #list: Widgets.BoxElement;
  readonly #system: Widgets.BoxElement;
  readonly #stripTitle: Widgets.BoxElement;
  readonly #alarms: Widgets.BoxElement;
  readonly #strip: Widgets.BoxElement;
  readonly #facts: Widgets.BoxElement;
  readonly #trend: Widgets.BoxElement;
  readonly #heartTitle: Widgets.BoxElement;
  readonly #notice: Widgets.BoxElement;
  readonly #footer: Widgets.BoxElement;
  readonly #help: Widgets.BoxElement;
  #digits: Digits | null = null;

  constructor(options: ScreenOptions) {
    this.#options = options;
    this.#output = new FrameOutput(options.output);
    this.#screen = blessed.screen({
      input: options.input,
      output: this.#output,
      terminal: movesOf(options.term),
      smartCSR: true,
      forceUnicode: options.look.unicode,
      fullUnicode: false,
      resizeTimeout: RESIZE_MS,
      title: 'Vitalwire',
      warnings: false,
      autoPadding: false,
    } as unknown as Widgets.IScreenOptions);
    // The alternate character set of old terminals has · and ─ too, but UTF-8 has them everywhere.
    const { tput } = this.#screen as unknown as { tput: { brokenACS: boolean; colors: number } };
    tput.brokenACS = true;
    tput.colors = Math.max(8, options.look.colours); // what blessed found in a terminfo file is not asked
    const box = (tags: boolean): Widgets.BoxElement => blessed.box({ parent: this.#screen, tags, wrap: false, style: {} });
    this.#header = box(true);
    this.#system = box(true);
    this.#list = box(true);
    this.#stripTitle = box(true);
    this.#alarms = box(true);
    this.#strip = box(false);
    this.#facts = box(true);
    this.#trend = box(false);
    this.#heartTitle = box(true);
    this.#notice = box(true);
    this.#footer = box(true);
    if (options.look.colours > 0) this.#trend.style.fg = options.look.colours > 16 ? 180 : 'yellow';
    this.#help = blessed.box({
      parent: this.#screen,
      hidden: true,
      tags: false,
      border: { type: 'line' },
      label: ' Keys ',
      padding: { left: 1, right: 1, top: 1, bottom: 0 },
      top: 'center',
      left: 'center',
      width: 66,
      height: 24,
      style: options.look.colours > 16 ? ({ border: { fg: 67 } } as unknown as Widgets.BoxOptions['style']) : {},
    });
    this.#screen.on('keypress', (ch: string | undefined, key: Widgets.Events.IKeyEventArg) =>
      this.#onKey(key.full ?? key.name ?? ch ?? ''),
    );
    this.#screen.on('resize', options.onResize);
  }

  // What blessed's types leave out.
  get #program(): { flush(): void } {
    return this.#screen.program as unknown as { flush(): void };
  }

  get #alternate(): { enter(): void; leave(): void } {
    return this.#screen as unknown as { enter(): void; leave(): void };
  }

  get width(): number {
    return Math.max(20, this.#output.columns || 80);
  }

  get height(): number {
    return Math.max(6, this.#output.rows || 24);
  }

  /** False while the terminal has not taken the last frame: the next one is better drawn later, and newer. */
  get isReady(): boolean {
    return this.#output.isReady;
  }

  get bytes(): number {
    return this.#output.bytes;
  }

  draw(model: WallModel, layout: Layout, nowUs: number): void {
    const { look } = this.#options;
    const texts = composeTexts(model, layout, nowUs, look);
    this.#show(this.#header, layout.header, this.#tagged([texts.header]));
    this.#show(this.#system, texts.system.length > 0 ? layout.system : { ...layout.system, height: 0 }, this.#tagged([texts.system]));
    this.#show(this.#list, layout.list, this.#tagged(texts.list));
    this.#show(this.#stripTitle, layout.stripTitle, this.#tagged([texts.stripTitle]));
    this.#show(this.#alarms, layout.alarms, this.#tagged(texts.alarms));
    this.#strip.style.fg = this.#stripColour(model, nowUs);
    this.#show(this.#strip, layout.strip, drawStrip(model, layout, look).join('\n'));
    this.#show(this.#facts, layout.facts, this.#tagged(texts.facts));
    this.#show(this.#notice, texts.notice.length > 0 ? layout.notice : { ...layout.notice, height: 0 }, this.#tagged([texts.notice]));
    this.#show(this.#footer, layout.footer, this.#tagged([texts.footer]));
    this.#show(this.#trend, layout.trend, drawTrend(model, layout.trend, look).join('\n'));
    this.#show(this.#heartTitle, { ...layout.heart, height: Math.min(1, layout.heart.height) }, this.#tagged([texts.heartTitle]));
    this.#drawDigits(model, layout.heart, nowUs);
    this.#showHelp(model);
    this.#output.frame(() => {
      this.#screen.render();
      this.#program.flush(); // blessed keeps small writes for later; here they belong to the frame
    });
  }

  /** Sounds the terminal's bell: three times for high, twice for medium, once for what is technical. */
  ring(pattern: SoundPattern): void {
    const bell = (): void => void this.#output.write('\u0007');
    bell();
    for (let again = 1; again < bellsOf[pattern]; again++) setTimeout(bell, again * BELL_APART_MS).unref();
  }

  /** Gives the terminal back for a while; until `comeBack` nothing may be drawn. */
  leave(): void {
    this.#alternate.leave();
    this.#options.input.setRawMode(false);
    this.#options.input.pause();
  }

  /** Takes the terminal again and draws everything anew. */
  comeBack(): void {
    this.#options.input.setRawMode(true);
    this.#options.input.resume();
    this.#alternate.enter();
    process.kill(process.pid, 'SIGWINCH'); // a window that changed meanwhile told only whoever was in front
    this.#options.onResize();
  }

  /** Gives the terminal back as it was. */
  close(): void {
    this.#screen.destroy();
    this.#output.release();
  }

  #showHelp({ help: isWanted, pageUrl }: WallModel): void {
    if (this.#help.hidden !== isWanted) return;
    if (isWanted) {
      const lines = composeHelp(this.#options.look, pageUrl);
      this.#help.width = Math.min(this.width, Math.max(66, ...lines.map((line) => line.length + 4)));
      this.#help.height = Math.min(this.height, lines.length + 3);
      this.#help.setContent(lines.join('\n'));
      this.#help.show();
      this.#help.setFront();
    } else this.#help.hide();
  }

  #onKey(name: string): void {
    if (name === 'return') return; // blessed says 'enter' too
    if (name === 'C-l') this.#screen.realloc();
    this.#options.onKey(name);
  }

  #show(box: Widgets.BoxElement, rect: Rect, content: string): void {
    if (rect.height < 1 || rect.width < 1) {
      if (!box.hidden) box.hide(); // also clears the cells it covered
      return;
    }
    if (box.hidden) box.show();
    box.left = rect.left;
    box.top = rect.top;
    box.width = rect.width;
    box.height = rect.height;
    if (box.content !== content) box.setContent(content);
  }

  #stripColour(model: WallModel, nowUs: number): string | number {
    const { colours } = this.#options.look;
    if (colours === 0) return 'default';
    const isFresh = model.isStripFresh(nowUs);
    if (colours > 16) return isFresh ? 79 : 245;
    return isFresh ? 'green' : 'default';
  }

  // The display cannot be resized, so a new place means a new one.
  #drawDigits(model: WallModel, { left, top, width, height }: Rect, nowUs: number): void {
    const rect = { left, top: top + 1, width, height: height - 1 };
    if (this.#digits !== null && (height < 1 || !sameRect(this.#digits.rect, rect))) {
      this.#digits.box.destroy();
      this.#digits = null;
    }
    if (height < 1) return;
    const { digits, isFresh } = heartDigits(model, nowUs);
    const text = `${digits.padStart(3)}${isFresh ? '' : ' '}`;
    if (this.#digits?.text === text) return;
    const colour = this.#options.look.colours > 16 ? (isFresh ? [255, 255, 255] : [138, 138, 138]) : 'normal';
    const box =
      this.#digits?.box ??
      contribLcd({
        ...rect,
        elements: 3,
        display: digits.padStart(3),
        color: colour,
        segmentWidth: 0.06,
        segmentInterval: 0.1,
        strokeWidth: 0.1,
        elementSpacing: 3,
        elementPadding: 1,
      });
    if (this.#digits === null) this.#screen.append(box);
    box.setOptions({ color: colour });
    box.setDisplay(digits.padStart(3));
    this.#digits = { rect, box, text };
  }

  #tagged(lines: readonly Line[]): string {
    return lines.map((line) => line.map(({ text, tone }) => this.#paint(text, tone)).join('')).join('\n');
  }

  #tagsOf(tone: Tone): string {
    const { colours } = this.#options.look;
    if (colours === 0) return plainTags[tone] ?? '';
    const fewer = colours > 16 ? undefined : colours > 8 ? tagsOf16[tone] : tagsOf8[tone];
    return fewer ?? colourTags[tone];
  }

  #paint(text: string, tone: Tone): string {
    const tags = this.#tagsOf(tone);
    const safe = blessed.escape(text);
    return tags === '' ? safe : `${tags}${safe}{/}`;
  }
}

/** How the cursor is moved and the screen is kept: every terminal of today does it as xterm does; the few that do not are named. */
function movesOf(term: string): string {
  return /^(linux|cons|vt|ansi|sun|cygwin|pcansi)/.test(term) ? term : 'xterm-256color';
}

function sameRect(a: Rect, b: Rect): boolean {
  return a.left === b.left && a.top === b.top && a.width === b.width && a.height === b.height;
}
