import type { AlarmInfo, AlarmLine, AlarmsNow, Registry } from '@vitalwire/contract';
import { pastWord } from '@vitalwire/vitals';
import { momentText } from '../moment.ts';
import { tableLines } from '../table.ts';
import { age } from '../text.ts';

const marks = { high: ['***', '!!!'], medium: ['**', '!!'], low: ['*', '!'] } as const;

/** The open alarms for people, the worst first. */
export function alarmsTable({ alarms, nowUs }: AlarmsNow, registry: Registry | null): string[] {
  const rows = alarms.map((alarm) => [
    alarm.alarmId,
    `${marks[alarm.priority][alarm.category === 'technical' ? 1 : 0]} ${alarm.condition}`,
    alarm.priority,
    stateText(alarm),
    ownerOf(alarm.device, registry, nowUs),
    alarm.device,
    age(Math.max(0, nowUs - alarm.onsetUs) / 1000),
    `${alarm.replay === null ? '' : 'REPLAY '}${alarm.text}`,
  ]);
  return tableLines([['ALARM', 'WHAT', 'PRIORITY', 'STATE', 'PATIENT', 'DEVICE', 'SINCE', 'TEXT'], ...rows]);
}

export function pauseLines({ pauses, nowUs }: AlarmsNow): string[] {
  return pauses.map(
    ({ device, untilUs, by, above }) =>
      `${device}: sound off for ${Math.max(0, Math.ceil((untilUs - nowUs) / 1e6))} s more, by ${by}; what is above ${above} still sounds`,
  );
}

export function lineCells(line: AlarmLine): string[] {
  return [
    momentText(line.atUs),
    line.device,
    line.alarmId === '' ? '--' : `${line.alarmId} ${line.condition ?? ''} ${line.priority}`,
    line.transition,
    line.alarmId === '' ? '--' : line.state,
    line.by === '' ? '--' : line.by,
    line.sender,
    `${line.replay === null ? '' : 'REPLAY '}${line.mergedInto === null ? '' : `merged into ${line.mergedInto} `}${line.text}`,
  ];
}

function stateText(alarm: AlarmInfo): string {
  const { state, acknowledgedBy, acknowledgedAtUs } = alarm;
  if (state === 'acknowledged')
    return `acknowledged by ${acknowledgedBy ?? '?'}${acknowledgedAtUs === null ? '' : ` at ${momentText(acknowledgedAtUs).slice(11, 19)}Z`}`;
  return state === 'latched' ? `${pastWord(alarm)}, not acknowledged` : state;
}

function ownerOf(device: string, registry: Registry | null, nowUs: number): string {
  const worn = registry?.assignments.find((one) => one.device === device && one.fromUs <= nowUs && (one.toUs === null || nowUs < one.toUs));
  return worn?.patient ?? '--';
}
