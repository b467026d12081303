import path from 'node:path';
import type { Identity } from '@vitalwire/runtime';
import type { DataDir } from './data-dir.ts';

export const serviceNames = ['storage', 'ingest', 'prediction', 'alarms', 'web', 'edge'] as const;
export type ServiceName = (typeof serviceNames)[number];

/** Everything the services of one stack have to know of each other. Decided once, kept for the stack's life. */
export type ServiceSettings = {
  readonly dirs: DataDir;
  readonly gatewayId: string;
  readonly database: string;
  readonly databasePath: string; // a file that holds it
  readonly identities: Readonly<Record<ServiceName, Identity>>;
  readonly caPath: string;
  readonly tokens: { readonly storage: string; readonly alarms: string; readonly web: string; readonly edge: string }; // paths, never the values
  readonly ports: {
    readonly storage: number;
    readonly frontDoor: number;
    readonly alarms: number;
    readonly web: number;
    readonly intake: number;
  };
  readonly probePorts: Readonly<Record<ServiceName, number>>;
};

/**
 * The environment of one service: what a person has set (VITALWIRE_EDGE_CHUNK_MS=1000 vitalwire up), and on top what the
 * stack decides. Secrets travel as paths of files, so that no list of processes shows them.
 */
export function serviceEnvironment(
  name: ServiceName,
  settings: ServiceSettings,
  env: Readonly<Record<string, string | undefined>>,
): NodeJS.ProcessEnv {
  const prefix = `VITALWIRE_${name.toUpperCase()}_`;
  const own = Object.fromEntries(Object.entries(decided(name, settings)).map(([key, value]) => [prefix + key, String(value)]));
  return { ...env, ...own };
}

function decided(name: ServiceName, settings: ServiceSettings): Record<string, string | number> {
  const { dirs, ports, tokens } = settings;
  const identity = settings.identities[name];
  const common = {
    PROBE_PORT: settings.probePorts[name],
    CERT_PATH: identity.certPath,
    KEY_PATH: identity.keyPath,
    CA_PATH: identity.caPath,
  };
  const frontDoor = { FRONT_DOOR_URL: `mqtts://127.0.0.1:${ports.frontDoor}` };
  const storage = { STORAGE_URL: `https://127.0.0.1:${ports.storage}`, STORAGE_TOKEN_FILE: tokens.storage };
  switch (name) {
    case 'storage':
      return { ...common, DATABASE_FILE: settings.databasePath, HOST: '127.0.0.1', PORT: ports.storage, TOKEN_FILE: tokens.storage };
    case 'ingest':
      return { ...common, DATABASE_FILE: settings.databasePath, HOST: '127.0.0.1', PORT: ports.frontDoor };
    case 'prediction':
      return { ...common, ...frontDoor, ...storage, DATA_DIR: path.join(dirs.state, 'prediction') };
    case 'alarms':
      return {
        ...common,
        ...frontDoor,
        ...storage,
        HOST: '127.0.0.1',
        PORT: ports.alarms,
        TOKEN_FILE: tokens.alarms,
        DATA_DIR: path.join(dirs.state, 'alarms'),
      };
    case 'web':
      return {
        ...common,
        ...frontDoor,
        ...storage,
        ALARMS_URL: `https://127.0.0.1:${ports.alarms}`,
        ALARMS_TOKEN_FILE: tokens.alarms,
        HOST: '127.0.0.1',
        PORT: ports.web,
        TOKEN_FILE: tokens.web,
        DATA_DIR: path.join(dirs.state, 'web'),
      };
    case 'edge':
      return {
        ...common,
        ...frontDoor,
        GATEWAY_ID: settings.gatewayId,
        INTAKE_HOST: '127.0.0.1',
        INTAKE_PORT: ports.intake,
        DATA_DIR: dirs.edge,
        TOKENS_DIR: dirs.edgeTokens,
        TOKEN_FILE: tokens.edge,
        OUTBOX_PATH: path.join(dirs.edge, 'outbox.sqlite'),
      };
  }
}
