/** The text by which our writer marks that the samples from here to the end of the record only fill it up. */
export const paddingText = 'Vitalwire: padding';

/** A data record is always full; a recording need not end with one. Only our own writer marks it, so nothing of others is cut off. */
export function isPadding({ text }: { readonly text: string }): boolean {
  return text === paddingText;
}
