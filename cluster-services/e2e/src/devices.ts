import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { NumericKind } from '@vitalwire/contract';
import { HttpClient } from '@vitalwire/runtime';
import { until } from '@vitalwire/testkit';
import type { Bed } from './bed.ts';

// Devices of a test's own, which send what they are told to at the intake of the bed's gateway.

const RATE_HZ = 256;
const SECOND = 1_000_000;

/** The token a device sends with; the gateway knows it from then on. */
export function deviceToken(bed: Bed, device: string): string {
  const { edgeTokensDir } = bed.stack.info;
  const token = `token-of-${device}-in-a-test`;
  mkdirSync(edgeTokensDir, { recursive: true });
  writeFileSync(path.join(edgeTokensDir, device), token, { mode: 0o600 });
  return token;
}

/** Sends as a device, again while the gateway has not read its token yet. */
export async function sendAs(bed: Bed, device: string, route: string, body: object): Promise<void> {
  const { urls, caPath } = bed.stack.info;
  const agent = new HttpClient({ baseUrl: urls.intake, token: deviceToken(bed, device), caPath, timeoutMs: 5_000 });
  try {
    await until(() => agent.postJson(route, { device, ...body }).then(() => true), {
      timeoutMs: 10_000,
      everyMs: 200,
      what: 'it is taken',
    });
  } finally {
    await agent.close();
  }
}

/** Two channels of EEG that end at a moment. */
export function eegRequest(endUs: number, seconds: number, captureId = 'c'): object {
  const channels = ['Fp1', 'Fp2'].map((label) => ({
    label,
    unit: 'uV',
    digitalMin: -32768,
    digitalMax: 32767,
    physicalMin: -3276.8,
    physicalMax: 3276.7,
    reference: '',
  }));
  const samples = channels.map((_, channel) =>
    Array.from({ length: RATE_HZ * seconds }, (_one, index) => ((index * 37 + channel * 11) % 400) - 200),
  );
  return { captureId, firstSample: 0, measuredAtUs: endUs - seconds * SECOND, rate: { num: RATE_HZ, den: 1 }, channels, samples };
}

/** Readings of a numeric vital a second apart, the last of them at a moment. */
export function numericRequest(
  endUs: number,
  values: readonly number[],
  { kind = 'sensor', firstSample = 0 }: { readonly kind?: NumericKind; readonly firstSample?: number } = {},
): object {
  const readings = values.map((value, index) => ({ atUs: endUs - (values.length - 1 - index) * SECOND, value }));
  return { captureId: 'c', firstSample, kind, readings };
}
