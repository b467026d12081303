import { createHash } from 'node:crypto';
import type { AlarmInfo, AlarmsNow } from '@vitalwire/contract';

/** Without a pulse for this long the alarm path counts as down: the service sends one every 2 s. */
export const PULSE_LIMIT_MS = 10_000;

/**
 * The dead-man's switch: whether the alarm path was heard lately. A pulse is sent only by an alarms service whose engine ticks and whose
 * own subscription works, so its absence means that alarms may be missing, wherever the break is; then web raises an alarm of its own.
 */
export class AlarmPath {
  readonly #startedAt: { readonly ms: number; readonly us: number };
  #pulse: { readonly ms: number; readonly us: number } | null = null;

  constructor(nowMs: number, nowUs: number) {
    this.#startedAt = { ms: nowMs, us: nowUs };
  }

  /** A pulse was heard. Returns whether the path was silent before. */
  heard(nowMs: number, nowUs: number): boolean {
    const wasSilent = this.state(nowMs) !== 'ok';
    this.#pulse = { ms: nowMs, us: nowUs };
    return wasSilent;
  }

  /** `unknown` only in the first seconds, before a pulse could be missed. */
  state(nowMs: number): AlarmsNow['path'] {
    const isSilent = nowMs - (this.#pulse ?? this.#startedAt).ms > PULSE_LIMIT_MS;
    if (isSilent) return 'down';
    return this.#pulse === null ? 'unknown' : 'ok';
  }

  /** The alarm about the silence itself; null while the path is heard. */
  alarm(nowMs: number): AlarmInfo | null {
    if (this.state(nowMs) !== 'down') return null;
    const sinceUs = (this.#pulse ?? this.#startedAt).us;
    const raisedAtUs = sinceUs + PULSE_LIMIT_MS * 1000;
    return {
      alarmId: createHash('sha256').update(`web\nalarm-path\n${sinceUs}`).digest('hex').slice(0, 16),
      device: 'web',
      condition: 'alarm-path',
      category: 'technical',
      priority: 'high',
      state: 'active',
      onsetUs: sinceUs,
      endedUs: null,
      raisedAtUs,
      changedAtUs: raisedAtUs,
      acknowledgedAtUs: null,
      acknowledgedBy: null,
      value: null,
      limit: PULSE_LIMIT_MS / 1000,
      channel: null,
      senders: ['web'],
      replay: null,
      text:
        this.#pulse === null
          ? 'the alarms service was never heard: alarms may be missing'
          : 'the alarms service is silent: alarms may be missing',
    };
  }
}
