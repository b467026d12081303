import type { HeaderFields } from './header-fields.ts';
import { fixedFields } from './layout.ts';

const months = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'];

/** Two digits of a year: 85-99 are 1985-1999, 00-84 are 2000-2084, as EDF+ says. */
const CLIP_YEAR = 85;

/** What an anonymous recording has instead of a date. */
const NO_DATE = { day: 1, month: 1, year: 1985 } as const;

type Day = { readonly day: number; readonly month: number; readonly year: number };

/** µs since 1970 of the clock on the wall, or null when the file does not tell. EDF+ repeats the date with four digits of the year. */
export function readStart(fields: HeaderFields, plus: boolean): number | null {
  const [dateAt] = fixedFields.startDate;
  const [timeAt] = fixedFields.startTime;
  const dateText = fields.text(...fixedFields.startDate).trim();
  const timeText = fields.text(...fixedFields.startTime).trim();
  const short = shortDate(dateText);
  const long = plus ? longDate(fields.text(...fixedFields.recording)) : undefined;
  if (short === null) fields.tell('start date', dateAt, dateText, 'dd.mm.yy');
  else if (!/^\d\d\.\d\d\.\d\d$/.test(dateText)) fields.tell('start date', dateAt, dateText, 'dd.mm.yy with points');
  if (short !== null && long != null && !sameDay(short, long)) {
    fields.tell('start date', dateAt, dateText, `the date of the recording field, ${long.year}-${two(long.month)}-${two(long.day)}`);
  }
  const time = /^(\d{1,2})[.:](\d{1,2})[.:](\d{1,2})$/.exec(timeText)?.slice(1).map(Number);
  const [hour = 0, minute = 0, second = 0] = time ?? [];
  if (time === undefined || hour > 23 || minute > 59 || second > 59) {
    fields.tell('start time', timeAt, timeText, 'hh.mm.ss');
    return null;
  }
  if (!/^\d\d\.\d\d\.\d\d$/.test(timeText)) fields.tell('start time', timeAt, timeText, 'hh.mm.ss with points');
  const day = long ?? short;
  if (day === null || day === undefined) return null;
  // 'Startdate X' with the first day of 1985: the file says that it does not say.
  if (long === null && day.day === NO_DATE.day && day.month === NO_DATE.month && day.year === NO_DATE.year) return null;
  return Date.UTC(day.year, day.month - 1, day.day, hour, minute, second) * 1000;
}

function shortDate(text: string): Day | null {
  const match = /^(\d{1,2})[./-](\d{1,2})[./-](\d{2}|\d{4})$/.exec(text);
  if (match === null) return null;
  const [day = 0, month = 0, year = 0] = match.slice(1).map(Number);
  return realDay({ day, month, year: year > 99 ? year : year >= CLIP_YEAR ? 1900 + year : 2000 + year });
}

/** undefined: no such field; null: 'Startdate X', which means not known. */
function longDate(recording: string): Day | null | undefined {
  const match = /^Startdate (?:(\d{1,2})-([A-Za-z]{3})-(\d{4})|X)(?: |$)/.exec(recording);
  if (match === null) return undefined;
  if (match[1] === undefined) return null;
  const month = months.indexOf((match[2] ?? '').toUpperCase()) + 1;
  return realDay({ day: Number(match[1]), month, year: Number(match[3]) }) ?? undefined;
}

function realDay(day: Day): Day | null {
  const date = new Date(Date.UTC(day.year, day.month - 1, day.day));
  return date.getUTCMonth() === day.month - 1 && date.getUTCDate() === day.day ? day : null;
}

function sameDay(short: Day, long: Day): boolean {
  return short.day === long.day && short.month === long.month && short.year % 100 === long.year % 100;
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}

/** `14-MAR-2026` */
export function longDateText(day: Date): string {
  return `${two(day.getUTCDate())}-${months[day.getUTCMonth()] ?? 'JAN'}-${day.getUTCFullYear()}`;
}
