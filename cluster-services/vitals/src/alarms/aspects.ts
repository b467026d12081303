// Who says that a condition holds.

/** The log says so, and nobody who watches has said anything since the start. */
export const RESTORED = 'restored';

/** One of our own models, about a seizure. */
export function ownModel(model: string): string {
  return `model:${model}`;
}

export function isOwnModel(aspect: string): boolean {
  return aspect.startsWith(ownModel(''));
}

/** Another engine: a gateway's own. */
export function foreignAspect(sender: string): string {
  return `sender:${sender}`;
}

export function isForeign(aspect: string): boolean {
  return aspect.startsWith(foreignAspect(''));
}
