import { z } from 'zod';
import { isId, isUuid } from '../ids.ts';
import { limits } from '../limits.ts';
import { streams } from '../topics.ts';

const utf8 = new TextEncoder();

/** Text that fits the wire: no lone surrogates, and at most this many bytes of UTF-8. */
export function wireText(maxBytes: number) {
  return z
    .string()
    .max(maxBytes)
    .refine((text) => text.isWellFormed() && utf8.encode(text).length <= maxBytes, {
      error: `expected at most ${maxBytes} bytes of well-formed text`,
    });
}

export const Id = z.string().refine(isId, { error: 'expected 1 to 63 letters, digits, dots, hyphens or underscores' });
export const Uuid = z.string().refine(isUuid, { error: 'expected a UUID in lower case' });
export const StreamName = z.enum(streams);
export const Micros = z.int(); // µs since the Unix epoch
export const Count = z.int().min(0);

export const RateFields = z.strictObject({ num: z.int().min(1).max(limits.maxRatePart), den: z.int().min(1).max(limits.maxRatePart) });
export const ReplayFields = z.strictObject({ speed: z.number().min(0), source: wireText(limits.maxNameBytes) });
export const ChannelScaleFields = z
  .strictObject({
    label: wireText(limits.maxLabelBytes),
    unit: wireText(limits.maxUnitBytes),
    digitalMin: z.int(),
    digitalMax: z.int(),
    physicalMin: z.number(),
    physicalMax: z.number(),
    reference: wireText(limits.maxReferenceBytes).default(''),
  })
  .refine((scale) => scale.digitalMin < scale.digitalMax, { error: 'digitalMin must be below digitalMax' });

/** Numbers of a query string arrive as text. */
export const QueryInt = z.coerce.number().int();
export const QueryMicros = QueryInt.optional();

export function queryLimit(max: number, usual: number) {
  return z.coerce.number().int().min(1).max(max).default(usual);
}

/** A channel's label, unit and scale in an answer, or in a file of our own. */
export const ChannelAnswer = z.object({
  label: z.string(),
  unit: z.string(),
  digitalMin: z.number(),
  digitalMax: z.number(),
  physicalMin: z.number(),
  physicalMax: z.number(),
  reference: z.string(),
});
