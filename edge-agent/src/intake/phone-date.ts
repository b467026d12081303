/** The instant a phone wrote, and whether its own clock stood at midnight: where a day's summary is filed. */
export type PhoneDate = { readonly atUs: number; readonly isMidnight: boolean };

// The app writes `2024-03-14 00:02:00 -0400`, or 12 hours with am/pm behind a space or U+202F; bridges write ISO 8601. Always an offset:
// a time without one names no instant.
const SPELLING =
  /^(\d{4})-(\d{2})-(\d{2})[T \u202f\u00a0](\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?(?:[ \u202f\u00a0]?(am|pm|a\.[ \u202f\u00a0]?m\.|p\.[ \u202f\u00a0]?m\.))?[ \u202f\u00a0]?(?:(z|utc|gmt)|(?:gmt|utc)?([+-])(\d{1,2})(?::?(\d{2}))?)$/i;
const EPOCH = /^\d{10}(?:\.\d{1,9})?$|^\d{13}$/;

/** Reads a date in any of the spellings that are met; null if it is none of them, or names no day of the calendar. */
export function parsePhoneDate(value: unknown): PhoneDate | null {
  if (typeof value === 'number') return epoch(value);
  if (typeof value !== 'string') return null;
  const text = value.trim();
  if (EPOCH.test(text)) return epoch(Number(text));
  const match = SPELLING.exec(text);
  if (match === null) return null;
  const [, year, month, day, hourText, minute, second = '0', fraction = '', half, , sign, offsetHours = '0', offsetMinutes = '0'] = match;
  const hour = hourOfDay(Number(hourText), half?.[0]?.toLowerCase());
  if (hour === null || Number(minute) > 59 || Number(second) > 59) return null;
  const local = Date.UTC(Number(year), Number(month) - 1, Number(day), hour, Number(minute), Number(second));
  // Date.UTC takes the 31st of a short month for the 1st of the next, and the year 50 for 1950.
  const read = new Date(local);
  if (read.getUTCDate() !== Number(day) || read.getUTCMonth() !== Number(month) - 1 || read.getUTCFullYear() !== Number(year)) return null;
  if (Number(offsetHours) > 18 || Number(offsetMinutes) > 59) return null;
  const offsetMs = (Number(offsetHours) * 60 + Number(offsetMinutes)) * 60_000;
  const fractionUs = Number(fraction.padEnd(6, '0').slice(0, 6));
  const isMidnight = hour === 0 && Number(minute) === 0 && Number(second) === 0 && fractionUs === 0;
  return { atUs: (local - (sign === '-' ? -offsetMs : offsetMs)) * 1000 + fractionUs, isMidnight };
}

/** Seconds or milliseconds since 1970 where it is plainly one or the other: as seconds the years 2001 to 2096, as milliseconds the same. */
function epoch(value: number): PhoneDate | null {
  if (value >= 1e9 && value <= 4e9) return { atUs: Math.round(value * 1e6), isMidnight: false };
  if (value >= 1e12 && value <= 4e12) return { atUs: Math.round(value * 1e3), isMidnight: false };
  return null;
}

function hourOfDay(hour: number, half: string | undefined): number | null {
  if (half === undefined) return hour <= 23 ? hour : null;
  if (hour < 1 || hour > 12) return null;
  return (hour % 12) + (half === 'p' ? 12 : 0);
}
