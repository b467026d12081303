import { z } from 'zod';
import type { Replay } from './replay.ts';

/** The longest jump or fall of speed that a key or a command may ask for. */
export const speedLimits = { least: 0.1, most: 1_000 } as const;

/** What may be asked of a running replay, one JSON object a line. Speed 0 is as fast as possible. */
export const ControlRequest = z.discriminatedUnion('do', [
  z.strictObject({ do: z.literal('pause') }),
  z.strictObject({ do: z.literal('resume') }),
  z.strictObject({ do: z.literal('status') }),
  z.strictObject({ do: z.literal('seek'), toUs: z.number().min(0) }), // in the source's own time
  z.strictObject({ do: z.literal('speed'), speed: z.union([z.literal(0), z.number().min(speedLimits.least).max(speedLimits.most)]) }),
]);
export type ControlRequest = z.infer<typeof ControlRequest>;

export const ControlAnswer = z.union([
  z.object({
    ok: z.literal(true),
    id: z.string(),
    state: z.enum(['playing', 'paused']),
    speed: z.number(), // 0 = as fast as possible
    dataS: z.number(), // how far the replay has come, through all rounds
    sourceS: z.number(), // where in the source it stands
    samplesSent: z.number(),
    lateMs: z.number(),
  }),
  z.object({ ok: z.literal(false), error: z.string() }),
]);
export type ControlAnswer = z.infer<typeof ControlAnswer>;

/** Does what is asked, and says how the replay stands then. */
export function control(replay: Replay, text: string): ControlAnswer {
  const request = ControlRequest.safeParse(parseOrNull(text));
  if (!request.success) {
    const [issue] = request.error.issues;
    return { ok: false, error: `${issue?.path.map(String).join('.') || 'the request'}: ${issue?.message ?? 'not understood'}` };
  }
  const refusal = apply(replay, request.data);
  if (refusal !== null) return { ok: false, error: refusal };
  const { id, state, speed, dataS, samplesSent, lateMs } = replay.progress();
  return { ok: true, id, state, speed, dataS, sourceS: replay.sourceUs() / 1e6, samplesSent, lateMs };
}

function apply({ transport, startUs, playsUs }: Replay, request: ControlRequest): string | null {
  switch (request.do) {
    case 'pause':
      transport.pause();
      return null;
    case 'resume':
      transport.resume();
      return null;
    case 'speed':
      transport.setSpeed(request.speed === 0 ? Number.POSITIVE_INFINITY : request.speed);
      return null;
    case 'seek': {
      const lineUs = request.toUs - startUs;
      if (lineUs < 0 || lineUs >= playsUs)
        return `what is played lies between ${startUs / 1e6} s and ${(startUs + playsUs) / 1e6} s of its source, not at ${request.toUs / 1e6} s`;
      transport.seek(lineUs);
      return null;
    }
    case 'status':
      return null;
  }
}

function parseOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
