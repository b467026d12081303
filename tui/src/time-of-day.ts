/** The time of day as this terminal's clock shows it: 14:03:07. */
export function timeOfDay(us: number): string {
  const time = new Date(us / 1000);
  return [time.getHours(), time.getMinutes(), time.getSeconds()].map((part) => String(part).padStart(2, '0')).join(':');
}
