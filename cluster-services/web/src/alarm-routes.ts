import { AcknowledgePost, AlarmId, AlarmInfo, AlarmsNow, isId, PauseAnswer, PausePost } from '@vitalwire/contract';
import { type Api, ApiError } from '@vitalwire/runtime';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import type { ServiceLink } from './service-link.ts';

export type AlarmRoutesOptions = {
  readonly alarms: ServiceLink | null;
  readonly now: () => AlarmsNow;
  /** Something was asked of the alarms service: what it did comes over the stream, and this makes sure. */
  readonly onAsked: () => void;
};

const OfAlarm = z.object({ id: AlarmId });
const OfDevice = z.object({ id: z.string().refine(isId, 'expected an id') });

// Described, not checked: the answer is the alarms service's own.
const answers: { readonly alarm: z.ZodType; readonly pause: z.ZodType } = { alarm: AlarmInfo, pause: PauseAnswer };

/** The present alarms from memory; acknowledging and pausing are the alarms service's to decide, so those are passed on to it. */
export function addAlarmRoutes(api: Api, { alarms, now, onAsked }: AlarmRoutesOptions): void {
  // What it answers is its own: once it has done what was asked, nothing here may call that a failure.
  const passOn = async (path: string, body: unknown, reply: FastifyReply): Promise<FastifyReply> => {
    if (alarms === null)
      throw new ApiError(
        503,
        'ALARMS_UNAVAILABLE',
        'this web service has not been told where the alarms service is; nothing was acknowledged or paused',
        'set VITALWIRE_WEB_ALARMS_URL and VITALWIRE_WEB_ALARMS_TOKEN, or go to the patient',
      );
    const answer = await alarms.post(path, body);
    onAsked();
    return reply.type('application/json').send(Buffer.from(JSON.stringify(answer ?? {})));
  };
  api.get('/v1/alarms', { schema: { response: { 200: AlarmsNow } } }, now);
  api.post(
    '/v1/alarms/:id/acknowledge',
    { schema: { params: OfAlarm, body: AcknowledgePost, response: { 200: answers.alarm } } },
    (request, reply) => passOn(`/v1/alarms/${request.params.id}/acknowledge`, request.body, reply),
  );
  api.post(
    '/v1/devices/:id/alarm-pause',
    { schema: { params: OfDevice, body: PausePost, response: { 200: answers.pause } } },
    (request, reply) => passOn(`/v1/devices/${encodeURIComponent(request.params.id)}/alarm-pause`, request.body, reply),
  );
}
