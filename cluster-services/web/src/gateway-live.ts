import type { ClockState, GatewayState, LiveStatus, Status } from '@vitalwire/contract';

/** What was heard of one gateway since this service started. */
export type GatewayLive = {
  status: LiveStatus | null;
  statusReceivedAtUs: number | null;
  heardAtUs: number | null; // when anything of it was last received
  birth: Status | null;
  death: Status | null;
  clock: ClockState | null;
  certificateEndsUs: number | null; // by the cluster's clock
};

/** One gateway for one moment; from which nothing was heard for `silentMs` it is no longer called online. */
export function gatewayState(gateway: string, live: GatewayLive, nowUs: number, silentMs: number): GatewayState {
  const { status, birth, death } = live;
  return {
    gateway,
    state: gatewayCondition(live, nowUs, silentMs),
    session: status?.session ?? birth?.subject ?? death?.subject ?? null,
    version: status?.version ?? birth?.version ?? null,
    bornAtUs: birth?.measuredAtUs ?? null,
    diedAtUs: death !== null && death.subject === birth?.subject ? death.measuredAtUs : null,
    statusReceivedAtUs: live.statusReceivedAtUs,
    depthChunks: status?.depthChunks ?? null,
    depthBytes: status?.depthBytes ?? null,
    oldestAgeMs: status?.oldestAgeMs ?? null,
    lastPubackUs: status?.lastPubackUs ?? null,
    chunksPerSecondIn: status?.chunksPerSecondIn ?? null,
    chunksPerSecondOut: status?.chunksPerSecondOut ?? null,
    secondsUntilFull: status?.secondsUntilFull ?? null,
    certificateDaysLeft: status?.certificateDaysLeft ?? null,
    problem: problemOf(live, nowUs),
    clock: clockOf(live),
  };
}

/** What a gateway has told of itself, and what can be known of one that can no longer tell: its certificate's end. */
function problemOf({ status, certificateEndsUs }: GatewayLive, nowUs: number): string | null {
  if (certificateEndsUs !== null && certificateEndsUs <= nowUs) {
    const on = new Date(certificateEndsUs / 1000).toISOString().slice(0, 16).replace('T', ' ');
    return `its certificate expired on ${on} UTC and is refused: put a new one at the gateway, which reads it by itself`;
  }
  return status?.problem ?? null;
}

/** Notes the end of the certificate that a status tells; what the front door says for a gateway that is gone is no news of it. */
export function certificateEndsUs(live: GatewayLive, status: LiveStatus, receivedAtUs: number): number | null {
  if (!status.online || status.certificateDaysLeft === null) return live.certificateEndsUs;
  return receivedAtUs + status.certificateDaysLeft * 86_400e6;
}

// A gateway that has just started has not measured its clock yet: what was measured before still holds, and ages are counted by it.
function clockOf({ status, clock }: GatewayLive): ClockState | null {
  return status !== null && status.clock.source !== 'none' ? status.clock : (clock ?? status?.clock ?? null);
}

function gatewayCondition(live: GatewayLive, nowUs: number, silentMs: number): GatewayState['state'] {
  const { status, statusReceivedAtUs, heardAtUs, death } = live;
  if (status !== null && statusReceivedAtUs !== null) {
    if (!status.online || death?.subject === status.session) return 'offline';
    // Its readings say as well as its status that it is there: after a restart of this service they come first.
    return nowUs - Math.max(statusReceivedAtUs, heardAtUs ?? 0) <= silentMs * 1000 ? 'online' : 'silent';
  }
  return death !== null && (live.birth === null || death.subject === live.birth.subject) ? 'offline' : 'unknown';
}
