import { AcknowledgePost, AlarmId, AlarmInfo, AlarmsNow, isId, PauseAnswer, PausePost } from '@vitalwire/contract';
import { type Api, ApiError } from '@vitalwire/runtime';
import { z } from 'zod';
import type { Wards } from './wards.ts';

const OfAlarm = z.strictObject({ alarmId: AlarmId });
const OfDevice = z.strictObject({
  id: z.string().refine(isId, { error: 'expected 1 to 63 letters, digits, dots, hyphens or underscores' }),
});

export type RoutesOptions = {
  readonly wards: Wards;
  readonly now: () => AlarmsNow;
};

/** What holds now, and what people may do about it. Every answer is the state after it. */
export function addAlarmRoutes(api: Api, { wards, now }: RoutesOptions): void {
  api.get('/v1/alarms', { schema: { response: { 200: AlarmsNow } } }, now);
  api.post(
    '/v1/alarms/:alarmId/acknowledge',
    { schema: { params: OfAlarm, body: AcknowledgePost, response: { 200: AlarmInfo } } },
    (request) => {
      const { alarmId } = request.params;
      const alarm = wards.alarm(alarmId);
      if (alarm === null)
        throw new ApiError(404, 'ALARM_UNKNOWN', `no alarm ${alarmId} is known here`, 'ask GET /v1/alarms for those that are');
      if (!wards.acknowledge(alarm, request.body.by).ok)
        throw new ApiError(
          409,
          'ALARM_ENDED',
          `alarm ${alarmId} has ended: there is nothing to acknowledge`,
          'ask GET /v1/alarms for those that are open',
        );
      return wards.alarm(alarmId) ?? alarm;
    },
  );
  api.post('/v1/devices/:id/alarm-pause', { schema: { params: OfDevice, body: PausePost, response: { 200: PauseAnswer } } }, (request) => {
    const { id } = request.params;
    const asked = wards.pause(id, request.body.seconds, request.body.by);
    if (asked === null)
      throw new ApiError(
        404,
        'DEVICE_ELSEWHERE',
        `another worker decides about device ${id}`,
        'ask the worker that holds its shard, or try again in a moment',
      );
    if (!asked.ok) throw new ApiError(400, 'INVALID_REQUEST', 'a pause lasts at most 120 s', 'ask for fewer seconds');
    return { pause: wards.now().pauses.find(({ device }) => device === id) ?? null };
  });
}
