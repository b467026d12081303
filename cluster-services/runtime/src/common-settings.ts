import { z } from 'zod';
import { secret } from './config.ts';

/** Where each service listens unless it is told otherwise; the others look for it there. */
export const defaultPorts = { ingest: 8883, web: 8443, storage: 8444, alarms: 8445, edge: 8446 } as const;

/** A port of TCP; 0 takes any free one. */
export const portSetting = z.coerce.number().int().min(0).max(65_535);

/** Who a service is: the one certificate it serves with and shows to others. */
export const identitySettings = {
  certPath: z.string().min(1).describe('certificate of this service, PEM: for its own server and towards others'),
  keyPath: z.string().min(1).describe('its private key, PEM'),
  caPath: z.string().min(1).describe('the authority that all sides trust, PEM'),
};

/** Where a service listens for what it is there for. */
export function listenSettings(service: keyof typeof defaultPorts) {
  return {
    host: z.string().min(1).default('127.0.0.1').describe('address to listen at'),
    port: portSetting.default(defaultPorts[service]).describe('its port; 0 takes any free one'),
  };
}

export const frontDoorSetting = {
  frontDoorUrl: z
    .url({ protocol: /^mqtts$/ })
    .default(`mqtts://127.0.0.1:${defaultPorts.ingest}`)
    .describe('the front door of the cluster'),
};

export const storageSettings = {
  storageUrl: z
    .url({ protocol: /^https$/ })
    .default(`https://127.0.0.1:${defaultPorts.storage}`)
    .describe('the storage service'),
  storageToken: secret(z.string().min(16)).describe('bearer token of the storage service'),
};

/** How a service is watched over: probes, metrics and log. */
export const watchSettings = {
  probeHost: z.string().min(1).default('127.0.0.1').describe('address of /healthz, /readyz and /metrics'),
  probePort: portSetting.default(0).describe('their port; 0 takes any free one'),
  logLevel: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])
    .default('info')
    .describe('least severe level that is logged'),
};
