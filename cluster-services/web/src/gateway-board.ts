import type { ClockState, GatewayState, LiveStatus, Problem, Status } from '@vitalwire/contract';
import { certificateEndsUs, type GatewayLive, gatewayState } from './gateway-live.ts';
import type { KeptGateway } from './kept-ward.ts';

export type GatewayLimits = {
  readonly maxGateways: number; // those beyond it are not kept
  readonly gatewaySilentMs: number; // without a live status for this long a gateway is no longer called online
};

/** How each gateway is, as far as it was heard: its births and deaths, its live status, its clock. */
export class GatewayBoard {
  readonly #limits: GatewayLimits;
  readonly #gateways = new Map<string, GatewayLive>();

  constructor(limits: GatewayLimits) {
    this.#limits = limits;
  }

  keep(): KeptGateway[] {
    return [...this.#gateways].map(([gateway, live]) => ({ gateway, ...live }) as KeptGateway);
  }

  restore(kept: readonly KeptGateway[]): void {
    for (const { gateway, ...live } of kept.slice(0, this.#limits.maxGateways)) this.#gateways.set(gateway, live);
  }

  /** Something of a gateway that is known came. */
  heard(id: string, receivedAtUs: number): void {
    const known = this.#gateways.get(id);
    if (known !== undefined) known.heardAtUs = Math.max(known.heardAtUs ?? 0, receivedAtUs);
  }

  applyStatus(status: Status): void {
    const gateway = this.#gateway(status.gateway);
    if (gateway === null) return;
    if (status.kind === 'birth' && (gateway.birth === null || status.measuredAtUs >= gateway.birth.measuredAtUs)) gateway.birth = status;
    if (status.kind === 'death' && (gateway.death === null || status.measuredAtUs >= gateway.death.measuredAtUs)) gateway.death = status;
    if (status.clock.source !== 'none') gateway.clock = status.clock;
  }

  /** False: there are too many gateways to keep this one. */
  applyLiveStatus(status: LiveStatus, receivedAtUs: number): boolean {
    const gateway = this.#gateway(status.gateway);
    if (gateway === null) return false;
    gateway.certificateEndsUs = certificateEndsUs(gateway, status, receivedAtUs);
    gateway.status = status;
    gateway.statusReceivedAtUs = receivedAtUs;
    if (status.clock.source !== 'none') gateway.clock = status.clock;
    return true;
  }

  /** The clock offset of a value: measured when it was cut, or else what the gateway has measured since. */
  offset(clock: ClockState, id: string): number | null {
    if (clock.source === 'none') return this.clockOf(id)?.offsetUs ?? null;
    const gateway = this.#gateway(id);
    if (gateway !== null) gateway.clock = clock;
    return clock.offsetUs;
  }

  clockOf(id: string): ClockState | null {
    return this.#gateways.get(id)?.clock ?? null;
  }

  state(id: string, nowUs: number): GatewayState | null {
    const live = this.#gateways.get(id);
    return live === undefined ? null : gatewayState(id, live, nowUs, this.#limits.gatewaySilentMs);
  }

  states(nowUs: number): GatewayState[] {
    return [...this.#gateways].map(([gateway, live]) => gatewayState(gateway, live, nowUs, this.#limits.gatewaySilentMs));
  }

  /** What is wrong with gateways, in the order of their ids. */
  problems(nowUs: number): Problem[] {
    return this.states(nowUs)
      .flatMap(({ gateway, problem }) => (problem === null ? [] : [{ about: gateway, text: problem }]))
      .sort((a, b) => (a.about < b.about ? -1 : 1));
  }

  #gateway(id: string): GatewayLive | null {
    const known = this.#gateways.get(id);
    if (known !== undefined) return known;
    if (this.#gateways.size >= this.#limits.maxGateways) return null;
    const live: GatewayLive = {
      status: null,
      statusReceivedAtUs: null,
      heardAtUs: null,
      birth: null,
      death: null,
      clock: null,
      certificateEndsUs: null,
    };
    this.#gateways.set(id, live);
    return live;
  }
}
