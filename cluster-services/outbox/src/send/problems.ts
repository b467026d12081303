import { type ClockState, limits } from '@vitalwire/contract';

/** What the uplink knows of itself when it is asked what is wrong. Ages in ms; null = never, or not so. */
export type UplinkFacts = {
  readonly owner: string;
  readonly nowMs: number; // this machine's wall clock
  readonly certificate: { readonly path: string; readonly notAfterMs: number } | null;
  readonly rivalAgoMs: number | null;
  readonly evicted: { readonly chunks: number; readonly agoMs: number } | null;
  readonly maxBytes: number;
  readonly offline: { readonly forMs: number; readonly reason: string | null } | null;
  readonly unansweredMs: number | null; // how long readings have waited without any acknowledgement
  readonly clock: ClockState;
};

const DAY_MS = 86_400_000;
const CERTIFICATE_SOON_DAYS = 3;
const RIVAL_TOLD_MS = 120_000;
/** While the outbox gives up readings; and how long it is told that it has. */
const EVICTING_MS = 60_000;
const EVICTED_TOLD_MS = 600_000;
const OFFLINE_TOLD_MS = 30_000;
const UNANSWERED_TOLD_MS = 30_000;
const CLOCK_TOLD_US = 60_000_000;

/** Whether the outbox is full right now: it gave up readings within the last minute. */
export function isEvicting({ evicted }: Pick<UplinkFacts, 'evicted'>): boolean {
  return evicted !== null && evicted.agoMs < EVICTING_MS;
}

/** What a person must do something about, the worst first: each says what it is and what to do. */
export function problemsOf(facts: UplinkFacts): string[] {
  const all = [
    expiredProblem(facts),
    rivalProblem(facts),
    evictionProblem(facts),
    linkProblem(facts),
    clockProblem(facts),
    certificateSoonProblem(facts),
  ];
  return all.flatMap((one) => (one === null ? [] : [one]));
}

/** The first problem, short enough for the wire, and how many more there are. */
export function problemOnWire(problems: readonly string[]): string | undefined {
  const [first] = problems;
  if (first === undefined) return undefined;
  const more = problems.length === 1 ? '' : ` (and ${problems.length - 1} more: 'vitalwire edge status')`;
  let text = first;
  while (Buffer.byteLength(text + more) > limits.maxReasonBytes) text = `${text.slice(0, -2)}…`;
  return text + more;
}

function expiredProblem({ certificate, nowMs }: UplinkFacts): string | null {
  if (certificate === null || nowMs < certificate.notAfterMs) return null;
  return `the gateway's certificate expired on ${minuteOf(certificate.notAfterMs)} and is refused: put a new one at ${certificate.path} (a stack's is renewed by starting 'vitalwire up' again)`;
}

function certificateSoonProblem({ certificate, nowMs }: UplinkFacts): string | null {
  if (certificate === null || nowMs >= certificate.notAfterMs || certificate.notAfterMs - nowMs >= CERTIFICATE_SOON_DAYS * DAY_MS)
    return null;
  return `the gateway's certificate ends on ${minuteOf(certificate.notAfterMs)}: put a new one at ${certificate.path} before that (a stack's is renewed by starting 'vitalwire up' again)`;
}

function minuteOf(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

function rivalProblem({ owner, rivalAgoMs }: UplinkFacts): string | null {
  if (rivalAgoMs === null || rivalAgoMs >= RIVAL_TOLD_MS) return null;
  return `another agent connects as ${owner} too, and each throws the other out: stop one of them, or give it an id and a certificate of its own`;
}

function evictionProblem(facts: UplinkFacts): string | null {
  const { evicted, maxBytes } = facts;
  if (evicted === null || evicted.agoMs >= EVICTED_TOLD_MS) return null;
  const bound = `${Math.round(maxBytes / (1024 * 1024))} MB`;
  if (isEvicting(facts))
    return `the outbox is full (${bound}) and gives up its oldest readings, ${evicted.chunks} chunks so far: mend the way to the cluster, or raise VITALWIRE_EDGE_OUTBOX_MAX_MB`;
  return `the outbox was full (${bound}) and gave up ${evicted.chunks} chunks, the last ${minutes(evicted.agoMs)} ago: their gaps are declared; raise VITALWIRE_EDGE_OUTBOX_MAX_MB`;
}

function linkProblem({ offline, unansweredMs }: UplinkFacts): string | null {
  if (offline !== null && offline.forMs >= OFFLINE_TOLD_MS)
    return `not connected to the front door for ${minutes(offline.forMs)} (${offline.reason ?? 'no reason known'}): readings wait here; check the network and VITALWIRE_EDGE_FRONT_DOOR_URL`;
  if (unansweredMs !== null && unansweredMs >= UNANSWERED_TOLD_MS)
    return `the cluster has stored nothing for ${minutes(unansweredMs)}, readings wait here: see 'vitalwire doctor' there, most likely its database`;
  return null;
}

function clockProblem({ clock }: UplinkFacts): string | null {
  if (clock.source === 'none' || Math.abs(clock.offsetUs) < CLOCK_TOLD_US) return null;
  const way = clock.offsetUs > 0 ? 'behind' : 'ahead of';
  return `the gateway's clock is ${minutes(Math.abs(clock.offsetUs) / 1000)} ${way} the cluster's: set it (timedatectl set-ntp true); times are corrected by what was measured`;
}

function minutes(ms: number): string {
  if (ms < 120_000) return `${Math.round(ms / 1_000)} s`;
  return ms < 7_200_000 ? `${Math.round(ms / 60_000)} min` : `${Math.round(ms / 3_600_000)} h`;
}
