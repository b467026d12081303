/** Of how many channels the mean speaks for the recording: a seizure of it is in several, an artefact often in one. */
export function channelsThatSpeak(scored: number): number {
  return scored < 4 ? 1 : scored < 8 ? 2 : 3;
}
