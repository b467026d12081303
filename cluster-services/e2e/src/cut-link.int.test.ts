import { test } from 'vitest';
import { cutDuringSeizure } from './cut-link.ts';

test('cut off for 30 s as a seizure begins: the gateway alarms within 10 s, and the cluster has it once when the link is back', {
  timeout: 300_000,
}, async ({ annotate }) => {
  await cutDuringSeizure(3, 30, annotate); // its first seizure begins after 12.8 s
});
