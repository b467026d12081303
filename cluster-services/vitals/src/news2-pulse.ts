/**
 * The pulse component of NEWS2 (Royal College of Physicians, 2017): 0 to 3 points for a heart rate in beats per minute. It is one of
 * seven components and never "the NEWS2 score": that needs breathing rate, oxygen, pressure, temperature and consciousness too. Not for
 * people under 16 or who are pregnant. Null without a rate: missing is never zero points.
 */
export function news2Pulse(bpm: number | null): 0 | 1 | 2 | 3 | null {
  if (bpm === null || !Number.isFinite(bpm) || bpm <= 0) return null; // devices write 0 for "no contact"
  const rate = Math.round(bpm); // the chart has whole beats
  if (rate <= 40 || rate >= 131) return 3;
  if (rate >= 111) return 2;
  return rate <= 50 || rate >= 91 ? 1 : 0;
}
