import type { MysqlPool, MysqlPoolConnection } from 'kysely';
import { StorageError } from '../errors.ts';

export type ImpatientPoolOptions = {
  readonly pool: MysqlPool;
  readonly where: string;
  /** How long a statement may take, and how long a free connection is waited for. */
  readonly queryMs: number;
  /** The same for a change of the schema, which may have to move a day of readings. */
  readonly schemaMs: number;
};

type Settle = (error: unknown, result: unknown) => void;

/**
 * A server that stands still, or a network that swallows packets, answers neither yes nor no: the driver would wait for ever, and with
 * it every request, the upkeep and the stop. Here a statement fails at its deadline, and its connection goes with it.
 */
export class ImpatientPool implements MysqlPool {
  readonly #options: ImpatientPoolOptions;
  readonly #waiting = new Set<() => void>();
  #abandoned = false;

  constructor(options: ImpatientPoolOptions) {
    this.#options = options;
  }

  getConnection(callback: (error: unknown, connection: MysqlPoolConnection) => void): void {
    const none = undefined as unknown as MysqlPoolConnection; // the driver's own signature: no connection beside an error
    const { pool, queryMs } = this.#options;
    const settle = this.#within(queryMs, (error) => callback(error, none));
    pool.getConnection((error, connection) => {
      if (!settle())
        connection?.release(); // too late: nobody waits for it any more
      else callback(error, error ? none : this.#impatient(connection));
    });
  }

  end(callback: (error: unknown) => void): void {
    const settle = this.#within(this.#options.queryMs, callback);
    this.#options.pool.end((error) => {
      if (settle()) callback(error);
    });
  }

  /** Everything that waits now fails at once, and so does whatever is asked later: the service stops. */
  abandon(): void {
    this.#abandoned = true;
    for (const giveUp of this.#waiting) giveUp();
  }

  #impatient(connection: MysqlPoolConnection): MysqlPoolConnection {
    const query = (sql: string, parameters: readonly unknown[], callback?: Settle): unknown => {
      if (callback === undefined) return connection.query(sql, parameters);
      const { queryMs, schemaMs } = this.#options;
      const settle = this.#within(/^\s*(alter|create)\b/i.test(sql) ? schemaMs : queryMs, (error) => {
        connection.destroy();
        callback(error, undefined);
      });
      connection.query(sql, parameters, (error: unknown, result: unknown) => {
        if (settle()) callback(error, result);
      });
      return undefined;
    };
    return new Proxy(connection, {
      get(target, name) {
        if (name === 'query') return query;
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  }

  /** Calls `onLate` after `ms`, unless the returned function was called before: that one says whether it came in time. */
  #within(ms: number, onLate: (error: StorageError) => void): () => boolean {
    const giveUp = (): void => {
      if (!this.#waiting.delete(giveUp)) return;
      clearTimeout(timer);
      onLate(new StorageError('UNAVAILABLE', `no answer from ${this.#options.where} within ${ms} ms`));
    };
    const timer = setTimeout(giveUp, ms);
    this.#waiting.add(giveUp);
    if (this.#abandoned) setImmediate(giveUp);
    return () => {
      clearTimeout(timer);
      return this.#waiting.delete(giveUp);
    };
  }
}
