// The spellings seen from the app: 24 hours, and 12 hours with am/pm in either case behind a space or U+202F. Always an offset.
const SPELLING = /^(\d{4})-(\d{2})-(\d{2}) (\d{1,2}):(\d{2}):(\d{2})(?:[ \u202f\u00a0](am|pm))? ([+-])(\d{2}):?(\d{2})$/i;

/** The instant of a date as the phone app spells it, in µs since 1970; null if it is none. `new Date` reads these only by goodwill. */
export function parsePhoneDate(text: string): number | null {
  const match = SPELLING.exec(text);
  if (match === null) return null;
  const [, year, month, day, hourText, minute, second, half, sign, offsetHours, offsetMinutes] = match;
  const hour = hourOfDay(Number(hourText), half?.toLowerCase());
  if (hour === null || Number(minute) > 59 || Number(second) > 59) return null;
  const local = Date.UTC(Number(year), Number(month) - 1, Number(day), hour, Number(minute), Number(second));
  // Date.UTC takes the 31st of a short month for the 1st of the next.
  if (new Date(local).getUTCDate() !== Number(day) || new Date(local).getUTCMonth() !== Number(month) - 1) return null;
  if (Number(offsetHours) > 18 || Number(offsetMinutes) > 59) return null;
  const offsetMs = (Number(offsetHours) * 60 + Number(offsetMinutes)) * 60_000;
  return (local - (sign === '-' ? -offsetMs : offsetMs)) * 1000;
}

function hourOfDay(hour: number, half: string | undefined): number | null {
  if (half === undefined) return hour <= 23 ? hour : null;
  if (hour < 1 || hour > 12) return null;
  return (hour % 12) + (half === 'pm' ? 12 : 0);
}
