import { type AlarmLine, AlarmLog as AlarmLogAnswer, shardOf } from '@vitalwire/contract';
import type { Clock, HttpClient, Log } from '@vitalwire/runtime';
import { AlarmEngine } from '@vitalwire/vitals';
import { inOrder, type LogLine } from './alarm-log.ts';

export type RestoreOptions = {
  readonly sender: string;
  readonly http: Pick<HttpClient, 'getJson'>;
  readonly clock: Clock;
  readonly log: Log;
  /** What this worker wrote itself, in runs before and in this one: it may not have reached storage yet. */
  readonly own: () => readonly LogLine[];
};

/** Ended alarms of the last hours are needed too: late data must extend them and not raise them again. */
const RECENT_US = 6 * 3_600_000_000;
const MAX_PAGES = 50;

/** Brings engines to the state that the logs tell: the cluster's log from storage, and this worker's own from its outbox. */
export class Restore {
  readonly #options: RestoreOptions;
  readonly #pending = new Set<number>(); // shards restored without storage

  constructor(options: RestoreOptions) {
    this.#options = options;
  }

  /** Shards whose state may lack what only storage knows. */
  get pending(): number {
    return this.#pending.size;
  }

  /** Engines for these shards. Storage is asked, never waited for longer than its time limit. */
  async engines(shards: readonly number[]): Promise<ReadonlyMap<number, AlarmEngine>> {
    const stored = await this.#stored();
    for (const shard of shards) {
      if (stored === null) this.#pending.add(shard);
      else this.#pending.delete(shard);
    }
    const lines = inOrder([...(stored ?? []), ...this.#options.own()]);
    return new Map(shards.map((shard) => [shard, this.#engineFrom(lines.filter(({ device }) => shardOf(device) === shard))]));
  }

  /** Once storage answers: adds alarms nobody here knew of. What is known has gone on since and stays as it is. */
  async complete(engineOf: (device: string) => AlarmEngine | null): Promise<void> {
    if (this.#pending.size === 0) return;
    const stored = await this.#stored();
    if (stored === null) return;
    this.#pending.clear();
    const { sender } = this.#options;
    const unknown = inOrder(stored).filter(
      ({ device, alarmId, sender: by }) => by === sender && engineOf(device)?.alarm(alarmId) === null && alarmId !== '',
    );
    for (const line of unknown) engineOf(line.device)?.replay([line]);
    if (unknown.length > 0) this.#options.log.warn({ lines: unknown.length }, 'alarms that only storage knew of are back');
  }

  #engineFrom(lines: readonly LogLine[]): AlarmEngine {
    const { sender, clock } = this.#options;
    const engine = new AlarmEngine({ sender });
    engine.replay(lines.filter((line) => line.sender === sender));
    // What gateways told while nobody listened; what was heard before changes nothing.
    for (const line of lines) if (line.sender !== sender) engine.foreign(line, clock.nowUs());
    return engine;
  }

  async #stored(): Promise<LogLine[] | null> {
    const { log, clock } = this.#options;
    try {
      const open = await this.#read({ open: 'true' });
      const recent = await this.#read({ fromUs: clock.nowUs() - RECENT_US });
      return [...open, ...recent];
    } catch (error) {
      log.warn({ err: error }, 'the stored alarm log cannot be read; going on with what this worker wrote itself');
      return null;
    }
  }

  async #read(query: Record<string, string | number>): Promise<AlarmLine[]> {
    const lines: AlarmLine[] = [];
    let cursor: string | null = null;
    for (let page = 0; page < MAX_PAGES; page++) {
      const answer: AlarmLogAnswer = await this.#options.http.getJson('/v1/alarm-log', AlarmLogAnswer, {
        query: { ...query, limit: 1_000, cursor },
      });
      lines.push(...answer.lines);
      cursor = answer.next;
      if (cursor === null) return lines;
    }
    this.#options.log.warn({ pages: MAX_PAGES }, 'more stored alarm lines than are read at once; the newest are missing');
    return lines;
  }
}
