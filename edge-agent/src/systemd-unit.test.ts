import { expect, test } from 'vitest';
import { systemdUnit } from './systemd-unit.ts';

test('the unit has a user of its own, a watchdog and a memory limit', () => {
  const unit = systemdUnit({
    user: 'vitalwire',
    script: '/opt/vital wire/bin/vitalwire.js',
    configPath: '/etc/vitalwire/edge.yaml',
    dataDir: '/var/lib/vitalwire/edge',
    memoryMaxMb: 768,
  });
  expect(unit).toMatch(/^User=vitalwire$/m);
  expect(unit).toMatch(/^WatchdogSec=60$/m);
  expect(unit).toMatch(/^NotifyAccess=all$/m);
  expect(unit).toMatch(/^MemoryMax=768M$/m);
  expect(unit).toMatch(/^Environment=NODE_OPTIONS=--max-semi-space-size=8$/m);
  expect(unit).toMatch(/^ExecStart=.*"\/opt\/vital wire\/bin\/vitalwire.js" edge run --config \/etc\/vitalwire\/edge.yaml$/m);
  expect(unit).toMatch(/^ReadWritePaths=\/var\/lib\/vitalwire\/edge$/m);
});
