import { test } from 'vitest';
import { cutDuringSeizure } from './cut-link.ts';

test('cut off for 5 min as a seizure begins, with more of them meanwhile: one alarm for each, in time at the gateway, complete in the cluster', {
  timeout: 900_000,
}, async ({ annotate }) => {
  await cutDuringSeizure(5, 300, annotate); // seizures at 9.8, 127.8 and 245.8 s, further apart than the refractory time
});
