import { sha256 } from '@noble/hashes/sha2.js';
import { type AlarmCondition, bytesToHex } from '@vitalwire/contract';

const utf8 = new TextEncoder();

/**
 * The first 16 hex digits of SHA-256 over device, condition, onset and, of a replay, its take: two engines that see the same onset give one id,
 * two replays of one file two.
 */
export function alarmIdOf(device: string, condition: AlarmCondition, onsetUs: number, take = ''): string {
  const ofTake = take === '' ? '' : `\n${take}`;
  return bytesToHex(sha256(utf8.encode(`${device}\n${condition}\n${onsetUs}${ofTake}`)).subarray(0, 8));
}
