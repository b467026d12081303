import { limits } from '@vitalwire/contract';
import { expect, test } from 'vitest';
import { problemOnWire, problemsOf, type UplinkFacts } from './problems.ts';

const nowMs = Date.UTC(2026, 10, 20, 12);
const well: UplinkFacts = {
  owner: 'gateway-1',
  nowMs,
  certificate: { path: '/etc/gw.pem', notAfterMs: nowMs + 30 * 86_400_000 },
  rivalAgoMs: null,
  evicted: null,
  maxBytes: 64 * 1024 * 1024,
  offline: null,
  unansweredMs: null,
  clock: { offsetUs: 1_000_000, uncertaintyUs: 500, source: 'front-door' },
};

test('a gateway that is well has no problem; short outages, a second of clock and one reconnect are none', () => {
  expect(problemsOf(well)).toEqual([]);
  expect(problemsOf({ ...well, offline: { forMs: 5_000, reason: 'x' }, unansweredMs: 5_000 })).toEqual([]);
});

test.each<[string, Partial<UplinkFacts>, RegExp]>([
  [
    'an expired certificate',
    { certificate: { path: '/etc/gw.pem', notAfterMs: nowMs - 1 } },
    /expired on 2026-11-20 11:59 UTC .*put a new one at \/etc\/gw.pem/,
  ],
  [
    'one that ends tomorrow',
    { certificate: { path: '/etc/gw.pem', notAfterMs: nowMs + 86_400_000 } },
    /ends on 2026-11-21 12:00 UTC: put a new one/,
  ],
  ['a rival', { rivalAgoMs: 5_000 }, /another agent connects as gateway-1 too.*: stop one of them/],
  [
    'a full outbox',
    { evicted: { chunks: 15_616, agoMs: 200 } },
    /full \(64 MB\) and gives up .* 15616 chunks so far: mend the way .*OUTBOX_MAX_MB/,
  ],
  ['one that was full', { evicted: { chunks: 15_616, agoMs: 300_000 } }, /was full \(64 MB\) and gave up 15616 chunks, the last 5 min ago/],
  [
    'no connection',
    { offline: { forMs: 180_000, reason: 'ECONNREFUSED' } },
    /not connected .* for 3 min \(ECONNREFUSED\): .*check the network/,
  ],
  ['no acknowledgement', { unansweredMs: 40_000 }, /stored nothing for 40 s.*: see 'vitalwire doctor'/],
  [
    'a clock that is behind',
    { clock: { offsetUs: 600_000_000, uncertaintyUs: 1, source: 'front-door' } },
    /clock is 10 min behind .*: set it/,
  ],
  [
    'a clock that is ahead',
    { clock: { offsetUs: -600_000_000, uncertaintyUs: 1, source: 'front-door' } },
    /clock is 10 min ahead of .*: set it/,
  ],
])('%s is one problem, and says what to do', (_name, part, text) => {
  expect(problemsOf({ ...well, ...part })).toEqual([expect.stringMatching(text)]);
});

test('what is over is no problem any more, and an unmeasured clock is not called wrong', () => {
  expect(problemsOf({ ...well, rivalAgoMs: 120_000, evicted: { chunks: 3, agoMs: 600_000 } })).toEqual([]);
  expect(problemsOf({ ...well, clock: { offsetUs: 600_000_000, uncertaintyUs: 0, source: 'none' } })).toEqual([]);
});

test('the wire carries the worst one, within its limit, and says how many more there are', () => {
  expect(problemOnWire([])).toBeUndefined();
  expect(problemOnWire(['the first'])).toBe('the first');
  const told = problemOnWire([`/${'ä'.repeat(400)}`, 'b', 'c']) ?? '';
  expect(Buffer.byteLength(told)).toBeLessThanOrEqual(limits.maxReasonBytes);
  expect(told).toMatch(/…… \(and 2 more|ä… \(and 2 more/);
});
