import { VirtualClock } from '@vitalwire/testkit';
import { expect, test } from 'vitest';
import { Presence, type PresenceChange } from './presence.ts';

function watched(): { clock: VirtualClock; presence: Presence; changes: PresenceChange[] } {
  const clock = new VirtualClock();
  const changes: PresenceChange[] = [];
  return { clock, changes, presence: new Presence(clock, (change) => changes.push(change)) };
}

test('a gateway is offline only after twice its keepalive without a newer connection', async () => {
  const { clock, presence, changes } = watched();
  presence.connected('gw-1', 30);
  presence.disconnected('gw-1');
  await clock.advance(59_999);
  expect(changes).toEqual([{ gateway: 'gw-1', online: true }]);
  expect(presence.onlineGateways).toBe(1);
  await clock.advance(1);
  expect(changes.at(-1)).toEqual({ gateway: 'gw-1', online: false });
  expect(presence.onlineGateways).toBe(0);
});

test('a gateway that comes back in time, or has a second connection, was never away', async () => {
  const { clock, presence, changes } = watched();
  presence.connected('gw-1', 10);
  presence.connected('gw-1', 10);
  presence.disconnected('gw-1');
  await clock.advance(60_000);
  presence.disconnected('gw-1');
  await clock.advance(19_000);
  presence.connected('gw-1', 10);
  await clock.advance(60_000);
  expect(changes).toEqual([{ gateway: 'gw-1', online: true }]);
});

test('a front door that stops says nothing about its gateways', async () => {
  const { clock, presence, changes } = watched();
  presence.connected('gw-1', 10);
  presence.disconnected('gw-1');
  presence.stop();
  await clock.advance(60_000);
  expect(changes).toHaveLength(1);
});
