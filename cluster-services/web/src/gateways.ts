import type { GatewayState, StoredGateway } from '@vitalwire/contract';

/** One row per gateway: what is stored about its sessions, and above it what is heard live. */
export function mergeGateways(live: readonly GatewayState[], stored: readonly StoredGateway[]): GatewayState[] {
  const merged = new Map(live.map((gateway) => [gateway.gateway, gateway]));
  // Several sessions of one gateway: the newest birth counts.
  for (const session of stored.toSorted((a, b) => a.bornAtUs - b.bornAtUs)) {
    const known = merged.get(session.gateway) ?? silentGateway(session.gateway);
    const isCurrent = known.statusReceivedAtUs === null || known.session === session.session;
    if (!isCurrent) continue;
    merged.set(session.gateway, {
      ...known,
      session: session.session,
      version: known.statusReceivedAtUs === null ? session.version : known.version,
      bornAtUs: session.bornAtUs,
      diedAtUs: session.diedAtUs,
      state: session.diedAtUs !== null ? 'offline' : known.statusReceivedAtUs === null ? 'unknown' : known.state,
    });
  }
  return [...merged.values()].sort((a, b) => (a.gateway < b.gateway ? -1 : 1));
}

function silentGateway(gateway: string): GatewayState {
  return {
    gateway,
    state: 'unknown',
    session: null,
    version: null,
    bornAtUs: null,
    diedAtUs: null,
    statusReceivedAtUs: null,
    depthChunks: null,
    depthBytes: null,
    oldestAgeMs: null,
    lastPubackUs: null,
    chunksPerSecondIn: null,
    chunksPerSecondOut: null,
    secondsUntilFull: null,
    certificateDaysLeft: null,
    problem: null,
    clock: null,
  };
}
