import type { Registry } from './api/registry.ts';
import type { Message } from './messages.ts';
import type { Topic } from './topics.ts';

/** The services of a cluster; no gateway may be called like one of them. */
export const serviceIds = ['ingest', 'storage', 'prediction', 'alarms', 'web'] as const;
export type ServiceId = (typeof serviceIds)[number];

const services: ReadonlySet<string> = new Set(serviceIds);

export function isServiceId(id: string): id is ServiceId {
  return services.has(id);
}

/** Devices that nobody has told the owner of yet: as many as one gateway, and all together, can claim by sending first. */
export const claimLimits = { perGateway: 1_000, all: 20_000 } as const;

/** The gateway that a message speaks for: the sender of readings, the gateway whose recording was judged, the engine that raised an alarm. */
export function speakerOf(topic: Topic, message: Message): string {
  if (message.stream === 'detection') return message.gateway;
  if (message.stream === 'alarm') return message.sender;
  return topic.gateway;
}

/**
 * Whose each device is: what the registry says, and for a device nobody has told of yet, the gateway that was heard first. Whoever shows,
 * judges or alarms asks here before it believes a message: what another gateway says about a device reaches no patient.
 */
export class DeviceOwners {
  #told: ReadonlyMap<string, string> = new Map();
  readonly #claimed = new Map<string, string>();
  readonly #claims = new Map<string, number>(); // by gateway

  /** Takes what the registry says now, also as a snapshot of earlier. Returns what was believed until now and is not so. */
  take({ devices, owners }: Pick<Registry, 'devices' | 'owners'>): { device: string; gateway: string }[] {
    const told = new Map<string, string>();
    for (const { id, gateway } of devices) if (gateway !== null) told.set(id, gateway);
    for (const { device, gateway } of owners ?? []) told.set(device, gateway); // oldest first, and no move begins in the future
    this.#told = told;
    const wrong: { device: string; gateway: string }[] = [];
    for (const [device, gateway] of this.#claimed) {
      const owner = told.get(device);
      if (owner === undefined) continue;
      this.#claimed.delete(device);
      this.#claims.set(gateway, (this.#claims.get(gateway) ?? 1) - 1);
      if (owner !== gateway) wrong.push({ device, gateway });
    }
    return wrong;
  }

  /** Whether the registry says whose it is. */
  isTold(device: string): boolean {
    return this.#told.has(device);
  }

  /** Null: nobody has sent as this device, and the registry does not know whose it is. */
  ownerOf(device: string): string | null {
    return this.#told.get(device) ?? this.#claimed.get(device) ?? null;
  }

  /** Whether this message may be believed; who speaks first of a device that is nobody's has it. */
  admits(topic: Topic, message: Message): boolean {
    if (message.stream === 'alarm' && isServiceId(message.sender)) return true;
    return this.isOf(message.stream === 'status' ? topic.gateway : topic.device, speakerOf(topic, message));
  }

  /** Whether this device is this gateway's, which it becomes if it is nobody's. A gateway is its own device. */
  isOf(device: string, gateway: string): boolean {
    const owner = this.ownerOf(device);
    if (owner !== null) return owner === gateway;
    return device === gateway || this.#claim(device, gateway);
  }

  #claim(device: string, gateway: string): boolean {
    const claims = this.#claims.get(gateway) ?? 0;
    if (claims >= claimLimits.perGateway || this.#claimed.size >= claimLimits.all) return false;
    this.#claims.set(gateway, claims + 1);
    this.#claimed.set(device, gateway);
    return true;
  }
}
