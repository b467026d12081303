/** Rounds as Python does: a half goes to the even neighbour (2.5 → 2, 3.5 → 4), where `Math.round` goes up. */
export function roundHalfEven(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  if (rest !== 0.5) return rest < 0.5 ? below : below + 1;
  return below % 2 === 0 ? below : below + 1;
}
