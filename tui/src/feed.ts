import type { Client, LiveStream } from '@vitalwire/client';
import type { ChannelScale } from '@vitalwire/contract';
import type { WallModel } from './wall-model.ts';

const ASK_AGAIN_MS = 2_000;

/** The live stream into the model: everybody's state, and the EEG of the selected patient alone. */
export class WallFeed {
  readonly #client: Client;
  readonly #model: WallModel;
  readonly #changed: () => void;
  readonly #stream: LiveStream;
  readonly #scales = new Map<string, readonly ChannelScale[]>();
  readonly #asked = new Set<string>();
  #followed: string | null = null;

  constructor(client: Client, model: WallModel, changed: () => void) {
    this.#client = client;
    this.#model = model;
    this.#changed = changed;
    this.#stream = client.live(
      { streams: [] },
      {
        onState: (change) => {
          model.takeState(change);
          this.follow();
          changed();
        },
        onMessage: (message, { topic }) => {
          if (message.stream !== 'eeg' || !model.takeChunk(message, topic, performance.now())) return;
          this.#learnScales(message.montageHash);
          changed();
        },
        onBehind: (dropped) => model.takeBehind(dropped, client.nowUs() / 1000),
        onLink: (condition) => {
          model.takeLink(condition, client.nowUs());
          changed();
        },
      },
    );
  }

  /** Makes the stream follow the selection. */
  follow(): void {
    const device = this.#model.selected()?.eeg?.device ?? null;
    if (device === this.#followed) return;
    this.#followed = device;
    this.#stream.subscribe(device === null ? { streams: [] } : { streams: ['eeg'], devices: [device] });
  }

  close(): void {
    this.#stream.close();
  }

  #learnScales(hash: string): void {
    const known = this.#scales.get(hash);
    if (known !== undefined) this.#model.trace.useScales(hash, known);
    else if (!this.#asked.has(hash)) {
      this.#asked.add(hash);
      this.#client.montage(hash).then(
        ({ channels }) => {
          this.#scales.set(hash, channels);
          this.#model.trace.useScales(hash, channels);
          this.#changed();
        },
        () => setTimeout(() => this.#asked.delete(hash), ASK_AGAIN_MS).unref(), // until then the strip is in counts, and says so
      );
    }
  }
}
