import { z } from 'zod';
import { parseDurationMs } from '../../duration.ts';

const Chance = z.number().min(0).max(1).default(1);
const amplitudeUv = z.number().min(0).max(1_000_000);
const MOST_FAULTS = 1_000;

/** Every fault a script may name, with what it may be told; `moment` reads a duration as µs. */
function scriptOf<Moment extends z.ZodType<number, unknown>>(moment: Moment) {
  const when = {
    at: moment, // since the beginning of what is played, in data time
    for: moment.refine((us) => us > 0, { error: 'expected more than 0' }),
    patients: z.array(z.int().min(1)).min(1).optional(), // counted from 1; all when not given
  };
  const where = { ...when, channels: z.array(z.string().min(1)).min(1).optional() }; // labels; all when not given
  const fault = z.discriminatedUnion('fault', [
    z.strictObject({ fault: z.literal('gap'), ...when }),
    z.strictObject({ fault: z.literal('duplicate'), ...when, chance: Chance, copies: z.int().min(1).max(10).default(1) }),
    z.strictObject({ fault: z.literal('reorder'), ...when, chance: Chance }),
    z.strictObject({ fault: z.literal('drift'), ...when, ppm: z.number().min(-20_000).max(20_000) }),
    z.strictObject({ fault: z.literal('lead-off'), ...where, form: z.enum(['flat', 'high', 'low']).default('high') }),
    z.strictObject({ fault: z.literal('saturation'), ...where, gain: z.number().min(1).max(100_000).default(200) }),
    z.strictObject({
      fault: z.literal('hum'),
      ...where,
      amplitudeUv: amplitudeUv.default(200),
      hz: z.number().min(1).max(1_000).default(50),
    }),
    z.strictObject({ fault: z.literal('noise'), ...where, amplitudeUv: amplitudeUv.default(200) }),
    z.strictObject({ fault: z.literal('device-restart'), ...when }),
    z.strictObject({ fault: z.literal('link-cut'), ...when, buffer: z.enum(['keep', 'lose']).default('keep') }),
  ]);
  return z.strictObject({
    faults: z.literal(1), // the version of this format
    seed: z
      .int()
      .min(0)
      .max(2 ** 31 - 1)
      .default(1),
    script: z.array(fault).min(1).max(MOST_FAULTS),
  });
}

/** A script as a manifest keeps it: moments in µs, every default filled in. */
export const FaultScript = scriptOf(z.number().min(0));
export type FaultScript = z.infer<typeof FaultScript>;
export type Fault = FaultScript['script'][number];
export type FaultKind = Fault['fault'];
export type FaultOf<Kind extends FaultKind> = Extract<Fault, { fault: Kind }>;

/** A script as a person writes it: `30s`, `2m`, `500ms`, or a number of seconds. */
export const WrittenScript = scriptOf(
  z.union([z.number(), z.string()], { error: 'expected a duration such as 30s, 500ms or 2m' }).transform((value, context) => {
    const text = String(value);
    if (Number(text.replace(/(ms|s|m|h)$/, '')) === 0) return 0;
    try {
      return parseDurationMs(text) * 1_000;
    } catch {
      context.addIssue({ code: 'custom', message: `expected a duration such as 30s, 500ms or 2m, up to a year` });
      return z.NEVER;
    }
  }),
);
