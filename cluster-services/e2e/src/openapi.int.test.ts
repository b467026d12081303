import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Validator } from '@seriousme/openapi-schema-validator';
import { removeTempDir, tempDir, until } from '@vitalwire/testkit';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { Agent, request } from 'undici';
import { readToken } from 'vitalwire/stack';
import { beforeAll, describe, expect, test } from 'vitest';
import { atEnd, Bed } from './bed.ts';
import { deviceToken, eegRequest, numericRequest, sendAs } from './devices.ts';

// What every service says of its routes, checked by a validator that is not ours, and what it really answers, checked against what it says.

type Schema = Record<string, unknown>;
type Content = Record<string, { schema?: Schema }>;
type Operation = {
  operationId?: string;
  parameters?: { name: string; in: string }[];
  requestBody?: { content: Content };
  responses: Record<string, { description: string; content?: Content }>;
};
type Description = Record<string, unknown> & { openapi: string; paths: Record<string, Record<string, Operation>> };
type Service = { readonly url: string; readonly token: string; readonly api: Description };
type Answer = { readonly status: number; readonly type: string; readonly body: Buffer };

const names = ['web', 'storage', 'alarms', 'edge'] as const; // prediction and ingest answer nothing but probes over HTTP
type Name = (typeof names)[number];
const NURSE = 'nurse-7';
const PATIENT = 'patient-1';
const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true });

let bed: Bed;
let agent: Agent;
const services = new Map<Name, Service>();
/** What stands for the parameters of paths and the bodies of requests. */
const known = { recording: '', montage: '', alarm: '' };

beforeAll(async () => {
  const pageDir = tempDir('vw-page-');
  atEnd(() => removeTempDir(pageDir), 'file');
  mkdirSync(path.join(pageDir, 'assets'));
  writeFileSync(path.join(pageDir, 'index.html'), '<!doctype html><title>page</title>');
  writeFileSync(path.join(pageDir, 'assets', 'page.js'), '');
  bed = await Bed.start({ lasts: 'file', settings: { VITALWIRE_EDGE_DETECT: 'true', VITALWIRE_WEB_PAGE_DIR: pageDir } });
  await fill();
  const { urls, caPath, tokenPath, storageTokenPath, edgeTokenPath } = bed.stack.info;
  agent = new Agent({ connect: { ca: readFileSync(caPath, 'utf8') } });
  atEnd(() => agent.close(), 'file');
  const addresses: Record<Name, { url: string; token: string }> = {
    web: { url: urls.web, token: readToken(tokenPath) },
    storage: { url: urls.storage, token: readToken(storageTokenPath) },
    alarms: { url: bed.urlOf('alarms'), token: readToken(path.join(path.dirname(storageTokenPath), 'alarms.token')) },
    edge: { url: urls.intake, token: readToken(edgeTokenPath) },
  };
  for (const name of names) {
    const { url, token } = addresses[name];
    const { body } = await ask({ url, token: '' }, 'get', '/openapi.json');
    services.set(name, { url, token, api: JSON.parse(body.toString('utf8')) as Description });
  }
}, 120_000);

describe.each(names)('what %s says of itself', (name) => {
  test('is valid OpenAPI 3.1', async () => {
    const { api } = serviceOf(name);
    const validator = new Validator();
    expect(await validator.validate(structuredClone(api))).toEqual({ valid: true });
    expect(validator.version).toBe('3.1');
  });

  test('names every parameter, body and answer of every route, each with its schema', () => {
    const ids = new Set<string>();
    const missing: string[] = [];
    for (const { method, route, operation } of operationsOf(name)) {
      const at = `${method} ${route}`;
      ids.add(operation.operationId ?? at);
      for (const [, parameter] of route.matchAll(/\{(\w+)\}/g))
        if (!operation.parameters?.some((one) => one.in === 'path' && one.name === parameter))
          missing.push(`${at}: parameter ${parameter}`);
      if (method !== 'get' && !isSaid(operation.requestBody?.content)) missing.push(`${at}: body`);
      if (!Object.keys(operation.responses).some((status) => /^[12]/.test(status)))
        missing.push(`${at}: an answer that is none of an error`);
      for (const [status, { content }] of Object.entries(operation.responses))
        if (status !== '101' && !isSaid(content)) missing.push(`${at}: answer ${status}`);
    }
    expect(missing).toEqual([]);
    expect(ids.size).toBe(operationsOf(name).length);
  });

  test('is what it answers to every GET', async () => {
    const wrong: string[] = [];
    for (const { method, route, operation } of operationsOf(name).filter((one) => one.method === 'get')) {
      const answer = await ask(serviceOf(name), method, exampleOf(route));
      wrong.push(...problemsOf(`GET ${route}`, operation, answer));
      // The live stream answers plain questions with a refusal; everything else there is to get can be got.
      if (answer.status !== 200 && operation.responses['101'] === undefined)
        wrong.push(`GET ${route}: ${answer.status} ${answer.body.toString()}`);
    }
    expect(wrong).toEqual([]);
  });

  test('is what it answers to everything that is put and posted', async () => {
    const wrong: string[] = [];
    for (const { method, route, operation } of operationsOf(name).filter((one) => one.method !== 'get')) {
      for (const body of bodiesFor(name, method, route)) {
        const answer = await ask(serviceOf(name, route), method, exampleOf(route), body);
        wrong.push(...problemsOf(`${method} ${route}`, operation, answer));
        // Whether the gateway has told the cluster's alarm too is a matter of moments: if not, it refuses as it says.
        const mayRefuse = name === 'edge' && route.endsWith('/acknowledge') && answer.status === 404;
        if (answer.status >= 300 && !mayRefuse) wrong.push(`${method} ${route}: ${answer.status} ${answer.body.toString()}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  test('is how it refuses: without a token, a path that is not there, a question it does not understand', async () => {
    const [first] = operationsOf(name).filter(({ route }) => route.startsWith('/v1/'));
    if (first === undefined) throw new Error('a service has a path');
    const refusals = [
      await ask({ ...serviceOf(name), token: '' }, first.method, exampleOf(first.route), first.method === 'get' ? undefined : {}),
      await ask(serviceOf(name), 'get', '/v1/nothing-here'),
    ];
    for (const answer of refusals) expect(problemsOf('refusal', first.operation, answer)).toEqual([]);
    expect(refusals.map(({ status }) => status)).toEqual([401, 404]);
  });
});

/** One patient with EEG and a heart rate that alarms, so that every question has an answer. */
async function fill(): Promise<void> {
  const { client } = bed;
  await client.putPatient(PATIENT, { label: 'One' });
  for (const [device, kind] of [
    ['eeg-1', 'eeg'],
    ['hr-1', 'heart-rate'],
  ] as const) {
    await client.putDevice(device, { kind });
    await client.putAssignment({ device, patient: PATIENT, fromUs: 0, toUs: null });
  }
  const endUs = await client.time();
  await sendAs(bed, 'eeg-1', '/v1/eeg', eegRequest(endUs, 10));
  await sendAs(
    bed,
    'hr-1',
    '/v1/numeric/heart-rate',
    numericRequest(
      endUs,
      Array.from({ length: 30 }, () => 190),
    ),
  );
  const patient = await until(
    async () => {
      const [one] = (await client.state()).patients;
      return one?.eeg != null && one.detection !== null && one.alarms.length > 0 && one;
    },
    { timeoutMs: 60_000, everyMs: 200, what: 'EEG, a detection and an alarm are there' },
  );
  known.recording = patient.eeg?.recordingId ?? '';
  known.montage = patient.eeg?.montageHash ?? '';
  known.alarm = patient.alarms.find(({ condition }) => condition.startsWith('heart-rate'))?.alarmId ?? '';
}

function serviceOf(name: Name, route = ''): Service {
  const service = services.get(name);
  if (service === undefined) throw new Error(`${name} did not describe itself`);
  // Devices send with tokens of their own.
  const device = deviceRoutes[route];
  return name === 'edge' && device !== undefined ? { ...service, token: deviceToken(bed, device) } : service;
}

function operationsOf(name: Name): { method: string; route: string; operation: Operation }[] {
  return Object.entries(serviceOf(name).api.paths).flatMap(([route, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method, route, operation })),
  );
}

/** Whether every kind of content has a schema that says something; of what is not JSON its kind says enough. */
function isSaid(content: Content | undefined): boolean {
  const kinds = Object.entries(content ?? {});
  return (
    kinds.length > 0 &&
    kinds.every(([kind, { schema }]) => kind !== 'application/json' || (schema !== undefined && Object.keys(schema).length > 0))
  );
}

function problemsOf(at: string, { responses }: Operation, { status, type, body }: Answer): string[] {
  const said = responses[String(status)] ?? responses['default'];
  const content = said?.content?.[type];
  if (content === undefined) return [`${at}: ${status} ${type} is not described`];
  if (type !== 'application/json') return [];
  const validate = ajv.compile(content.schema ?? false);
  if (validate(JSON.parse(body.toString('utf8')))) return [];
  return [`${at}: ${status} ${ajv.errorsText(validate.errors)}`];
}

async function ask(to: Pick<Service, 'url' | 'token'>, method: string, target: string, body?: object): Promise<Answer> {
  const answer = await request(`${to.url}${target}`, {
    method: method.toUpperCase() as 'GET',
    dispatcher: agent,
    headers: {
      ...(to.token === '' ? {} : { authorization: `Bearer ${to.token}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const bytes = Buffer.from(await answer.body.arrayBuffer());
  const type = String(answer.headers['content-type'] ?? '').split(';', 1)[0] ?? '';
  return { status: answer.statusCode, type, body: bytes };
}

/** A path with something that exists in the place of each parameter, and the question it needs. */
function exampleOf(route: string): string {
  const asked: Readonly<Record<string, string>> = {
    '/v1/ledger': `?patient=${PATIENT}`,
    '/v1/recordings/{id}/unscored': '?model=m&window=1024&hop=256',
  };
  const id = route.includes('/recordings/')
    ? known.recording
    : route.includes('/devices/')
      ? 'eeg-1'
      : route.includes('/alarms/')
        ? known.alarm
        : PATIENT;
  const filled = route
    .replace('{id}', id)
    .replace('{alarmId}', known.alarm)
    .replace('{hash}', known.montage)
    .replace('{kind}', 'alarms')
    .replace('{stream}', 'spo2')
    .replace('{file}', 'page.js');
  return `${filled}${asked[route] ?? ''}`;
}

const deviceRoutes: Readonly<Record<string, string>> = {
  '/v1/eeg': 'eeg-1',
  '/v1/heart-rate': 'hr-1',
  '/v1/numeric/{stream}': 'hr-1',
  '/v1/events': 'hr-1',
  '/v1/intake/health-auto-export': 'phone-1',
};

/** What is put and posted, one after the other; a route without an entry fails the test. */
function bodiesFor(name: Name, method: string, route: string): object[] {
  const nowUs = Date.now() * 1000;
  const bodies: Readonly<Record<string, object[]>> = {
    'put /v1/patients/{id}': [{ label: 'One' }],
    'put /v1/devices/{id}': [{ kind: 'eeg' }],
    'put /v1/assignments': [{ device: 'eeg-1', patient: PATIENT, fromUs: 0, toUs: null }],
    'put /v1/patients/{id}/alarm-limits/{stream}': [{ limits: { low: 85, high: null, extremeDelta: 5 }, by: NURSE }],
    'post /v1/devices/{id}/moves': [{ gateway: 'gateway-1', by: NURSE }],
    'post /v1/generation': [{ reason: 'a test' }],
    'post /v1/leases/{kind}': [{ worker: 'nobody', want: 0, ttlS: 2 }],
    'post /v1/alarms/{id}/acknowledge': [{ by: NURSE }],
    'post /v1/alarms/{alarmId}/acknowledge': [{ by: NURSE }],
    'post /v1/devices/{id}/alarm-pause': [
      { seconds: 60, by: NURSE },
      { seconds: 0, by: NURSE },
    ],
    'post /v1/drain': [{ on: true }, { on: false }],
    'post /v1/eeg': [{ device: 'eeg-1', ...eegRequest(nowUs, 1, 'another') }],
    'post /v1/heart-rate': [{ device: 'hr-1', captureId: 'another', firstSample: 0, kind: 'ecg', readings: [{ atUs: nowUs, bpm: 72 }] }],
    'post /v1/numeric/{stream}': [
      { device: 'hr-1', captureId: 'vitals', firstSample: 0, kind: 'sensor', readings: [{ atUs: nowUs, value: 97, least: null }] },
    ],
    'post /v1/events': [
      { device: 'hr-1', captureId: 'events', firstSample: 0, events: [{ atUs: nowUs, durationUs: null, type: 'annotation', text: 'x' }] },
    ],
    'post /v1/intake/health-auto-export': [
      { data: { metrics: [{ name: 'heart_rate', units: 'count/min', data: [{ date: '2026-11-30 10:00:00 +0000', Avg: 70 }] }] } },
    ],
  };
  const found = bodies[`${method} ${route}`];
  if (found === undefined) throw new Error(`${name}: no example for ${method} ${route}`);
  return found;
}
