import type { Api } from '@vitalwire/runtime';
import { addAlarmRoutes } from './alarm-routes.ts';
import { addLedgerRoute } from './ledger-routes.ts';
import { addOverviewRoutes } from './overview-routes.ts';
import { addRecordingRoutes } from './recording-routes.ts';
import { addRegistryRoutes } from './registry-routes.ts';
import type { RouteDeps } from './route-parts.ts';

/** Adds every path of the storage service. */
export function addRoutes(api: Api, deps: RouteDeps): void {
  addRegistryRoutes(api, deps);
  addRecordingRoutes(api, deps);
  addLedgerRoute(api, deps);
  addOverviewRoutes(api, deps);
  addAlarmRoutes(api, deps);
}
