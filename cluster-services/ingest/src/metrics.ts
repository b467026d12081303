import { Counter, Gauge, Histogram, type Registry } from '@vitalwire/runtime';

/** What ingest counts beside the front door's own metrics. */
export class IngestMetrics {
  readonly commitSeconds: Histogram<'result'>;
  readonly rowsPerCommit: Histogram;
  readonly rows: Counter<'outcome'>;
  readonly quarantined: Counter<'reason'>;

  constructor(registry: Registry, waitingRows: () => number, isDegraded: () => boolean) {
    const registers = [registry];
    this.commitSeconds = new Histogram({
      name: 'vitalwire_commit_seconds',
      help: 'One group commit, from handing it to the database library to its answer',
      labelNames: ['result'],
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      registers,
    });
    this.rowsPerCommit = new Histogram({
      name: 'vitalwire_commit_rows',
      help: 'Rows of one group commit',
      buckets: [1, 2, 5, 10, 20, 50, 100, 200],
      registers,
    });
    this.rows = new Counter({
      name: 'vitalwire_rows_total',
      help: 'Understood messages by what became of them: committed, duplicate, conflict, repeat-differs',
      labelNames: ['outcome'],
      registers,
    });
    this.quarantined = new Counter({
      name: 'vitalwire_quarantined_total',
      help: 'Messages kept raw because they could not be understood',
      labelNames: ['reason'],
      registers,
    });
    new Gauge({
      name: 'vitalwire_commit_waiting_rows',
      help: 'Rows that wait for their commit',
      registers,
      collect() {
        this.set(waitingRows());
      },
    });
    new Gauge({
      name: 'vitalwire_ingest_degraded',
      help: '1 while the database does not answer',
      registers,
      collect() {
        this.set(isDegraded() ? 1 : 0);
      },
    });
  }
}
