import { request } from 'undici';
import { z } from 'zod';

export type ProbeAnswer = { readonly ok: boolean; readonly degraded: boolean; readonly detail: unknown };

/** Asks a service's `/readyz`; null if nothing answers. */
export async function askProbe(baseUrl: string): Promise<ProbeAnswer | null> {
  try {
    const answer = await request(`${baseUrl}/readyz`, { headersTimeout: 2_500, bodyTimeout: 2_500 });
    const detail: unknown = await answer.body.json().catch(() => null);
    return { ok: answer.statusCode === 200, degraded: JSON.stringify(detail).includes('"degraded":true'), detail };
  } catch {
    return null;
  }
}

/** The first text under this name anywhere inside a probe's details. */
export function findText(detail: unknown, name: string): string | null {
  if (typeof detail !== 'object' || detail === null) return null;
  for (const [key, value] of Object.entries(detail)) {
    const found = key === name && typeof value === 'string' ? value : findText(value, name);
    if (found !== null) return found;
  }
  return null;
}

/** What is wrong with a service, a sentence for each part that is not ok or does less than it should. */
export function problemsOf(detail: unknown): string[] {
  const checked = Readiness.safeParse(detail);
  if (!checked.success) return [];
  return Object.entries(checked.data.checks)
    .filter(([, health]) => !health.ok || health.degraded === true)
    .map(([part, health]) => `${part}: ${sentenceIn(health.detail) ?? 'does less than it should'}`);
}

const Readiness = z.object({
  checks: z.record(z.string(), z.object({ ok: z.boolean(), degraded: z.boolean().optional(), detail: z.unknown() })),
});

function sentenceIn(detail: unknown): string | null {
  return typeof detail === 'string' ? detail : (findText(detail, 'problem') ?? findText(detail, 'lastProblem'));
}
