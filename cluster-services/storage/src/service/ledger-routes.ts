import { Ledger, LedgerQuery } from '@vitalwire/contract';
import type { Api } from '@vitalwire/runtime';
import { refusals } from '../queries/errors.ts';
import { totalsOf } from '../queries/ledger.ts';
import { type AccountedLedger, account, overlaps, spansOver } from '../queries/ledger-over.ts';
import { listRecordings } from '../queries/recordings.ts';
import { mustFind, type RouteDeps, routeLimits } from './route-parts.ts';
import { clipWearing, ownedTimesOf, wornBy } from './wearings.ts';

export function addLedgerRoute(api: Api, deps: RouteDeps): void {
  const { readings, readers, heavy } = deps;
  api.get('/v1/ledger', { schema: { querystring: LedgerQuery, response: { 200: Ledger } } }, (request) =>
    heavy.pass(async () => {
      const { recording: recordingId, device, patient, fromUs, toUs } = request.query;
      if (fromUs !== undefined && toUs !== undefined && toUs <= fromUs) throw refusals.emptyRange();
      if (recordingId !== undefined) {
        return readings.use(async (db) => {
          const recording = await mustFind(db, recordingId);
          const accounted = await account(db, readers(db).seqs, recording);
          const { device, gateway } = recording;
          const line = await spansOver(db, [{ device, gateway, fromUs: fromUs ?? null, toUs: toUs ?? null }], [accounted]);
          return { recordings: [accounted.ledger], ...line, totals: totalsOf([accounted.ledger]) };
        });
      }
      const worn = device === undefined ? (await wornBy(deps, patient ?? '')).wearings : await ownedTimesOf(deps, device);
      const wearings = worn.flatMap((one) => clipWearing(one, fromUs ?? null, toUs ?? null));
      return readings.use(async (db) => {
        const { seqs } = readers(db);
        const all: AccountedLedger[] = [];
        const seen = new Set<string>();
        for (const wearing of wearings) {
          const found = await listRecordings(db, {
            devices: [wearing.device],
            ...(wearing.gateway === null ? {} : { gateway: wearing.gateway }),
            limit: routeLimits.recordingsPerLedger + 1,
            ...(wearing.fromUs === null ? {} : { afterUs: wearing.fromUs }),
            ...(wearing.toUs === null ? {} : { beforeUs: wearing.toUs }),
          });
          if (found.length > routeLimits.recordingsPerLedger) throw refusals.tooManyRecordings(routeLimits.recordingsPerLedger);
          for (const recording of found) {
            if (seen.has(recording.recordingId) || !(await overlaps(db, seqs, recording, wearing))) continue;
            seen.add(recording.recordingId);
            all.push(await account(db, seqs, recording));
          }
        }
        const ledgers = all.map(({ ledger }) => ledger);
        return { recordings: ledgers, ...(await spansOver(db, wearings, all)), totals: totalsOf(ledgers) };
      });
    }),
  );
}
