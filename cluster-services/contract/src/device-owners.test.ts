import { expect, test } from 'vitest';
import { claimLimits, DeviceOwners, isServiceId } from './device-owners.ts';

const owner = (device: string, gateway: string, fromUs: number | null) => ({ device, gateway, fromUs, by: 'somebody', atUs: 0 });

test('a device is whose the registry says it is, else of the gateway that was heard first', () => {
  const owners = new DeviceOwners();
  owners.take({ devices: [{ id: 'eeg-1', kind: 'eeg', label: null, gateway: 'gateway-1' }] }); // a snapshot of an older release
  expect(owners.isOf('eeg-1', 'gateway-2')).toBe(false);
  expect(owners.isOf('eeg-1', 'gateway-1')).toBe(true);
  expect(owners.isOf('eeg-9', 'gateway-2')).toBe(true);
  expect(owners.isOf('eeg-9', 'gateway-1')).toBe(false);
  expect(owners.isTold('eeg-9')).toBe(false);
  const told = { devices: [], owners: [owner('eeg-9', 'gateway-1', null)] }; // the registry knows better who was first
  expect(owners.take(told)).toEqual([{ device: 'eeg-9', gateway: 'gateway-2' }]);
  expect(owners.take(told)).toEqual([]);
  expect(owners.isOf('eeg-9', 'gateway-2')).toBe(false);
  expect(owners.ownerOf('eeg-9')).toBe('gateway-1');
});

test('the last of its owners has a device', () => {
  const owners = new DeviceOwners();
  owners.take({ devices: [], owners: [owner('eeg-1', 'gateway-1', null), owner('eeg-1', 'gateway-2', 1_000)] });
  expect([owners.isOf('eeg-1', 'gateway-1'), owners.isOf('eeg-1', 'gateway-2')]).toEqual([false, true]);
});

test('a gateway is its own device and claims nothing by it, unless a device of that name is another one’s', () => {
  const owners = new DeviceOwners();
  expect(owners.isOf('gateway-1', 'gateway-1')).toBe(true);
  expect(owners.ownerOf('gateway-1')).toBeNull();
  owners.take({ devices: [], owners: [owner('gateway-1', 'gateway-2', null)] });
  expect(owners.isOf('gateway-1', 'gateway-1')).toBe(false);
});

test('one gateway cannot claim without bound, nor what is beyond its bound', () => {
  const owners = new DeviceOwners();
  for (let index = 0; index < claimLimits.perGateway; index += 1) expect(owners.isOf(`d-${index}`, 'gateway-1')).toBe(true);
  expect(owners.isOf('one-more', 'gateway-1')).toBe(false);
  expect(owners.isOf('one-more', 'gateway-2')).toBe(true);
  expect(isServiceId('alarms')).toBe(true);
  expect(isServiceId('gateway-1')).toBe(false);
});
