/** Why a measurement cannot be made or does not count, in one sentence for a person. */
export class BenchError extends Error {
  override name = 'BenchError';
}
