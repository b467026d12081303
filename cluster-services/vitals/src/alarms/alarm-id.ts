import { sha256 } from '@noble/hashes/sha2.js';
import { type AlarmCondition, bytesToHex } from '@vitalwire/contract';

const utf8 = new TextEncoder();

/** The first 16 hex digits of SHA-256 over device, condition and onset: two engines that see the same onset give one id. */
export function alarmIdOf(device: string, condition: AlarmCondition, onsetUs: number): string {
  return bytesToHex(sha256(utf8.encode(`${device}\n${condition}\n${onsetUs}`)).subarray(0, 8));
}
